"""Rows called as a configuration describes their API: by its templates, expressions and rules, with its secrets.

One for each description that batches of a worker were claimed with; all of an API share its session. What is live,
secrets and time-outs, comes from the worker's own configuration (`ApiAccess`); the rest is the batch's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

from activities.api.calls.described_replies import DescribedReplies, reply_without_credentials
from activities.api.credentials.auth import (
    Credentials,
    CredentialsRefused,
    CredentialsUnavailable,
    Headers,
    NoCredentials,
)
from activities.api.mapping.address import RowCannotBeSent
from activities.api.mapping.request_plan import RequestPlan
from activities.api.options import ApiOptions
from activities.api.replies import UNSENT, Meaning, Reply
from activities.api.rows import BulkReplied, CallRow, Replied
from activities.api.transport.base import Answer, NoAnswer, Request
from activities.api.transport.calls import AddressCalls
from activities.api.transport.headers import traced_headers
from workflows.api_spec import ApiSpec
from workflows.errors import SettingsError

UNAUTHORIZED = 401
"""The API does not know the credentials: a token is asked for anew."""

_PERHAPS_SECRETS = frozenset({Meaning.REFUSED, Meaning.PAUSE})
"""After such an answer secrets are read again too: APIs have many ways to say that a key is wrong."""

OwnReplies = Sequence[Reply | None]
"""One for each row of a bulk call; empty where there are none."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ApiAccess:
    """What a worker has of an API beside its description, which may change while its batches run.

    `read_secrets` returns the values of the secret variables of its address. It blocks, and raises SettingsError.
    `credentials` carry all other secrets.
    """

    options: ApiOptions
    read_secrets: Callable[[], Mapping[str, str]] = dict
    credentials: Credentials = field(default_factory=NoCredentials)


class _Ways(NamedTuple):
    """How calls are made with the secrets of the moment."""

    secrets: Mapping[str, str]
    plan: RequestPlan
    row_calls: AddressCalls
    bulk_calls: AddressCalls


class _Call(NamedTuple):
    """A call to be made: its request, what an answer means, and what takes the reply."""

    request: Callable[[RequestPlan], Request]
    judge: Callable[[Answer], tuple[Reply, OwnReplies]]
    end: Callable[[Reply, OwnReplies], None]
    is_bulk: bool = False
    is_repeated: bool = False
    traceparent: str = ""


class DescribedCalls:
    """The calls of one description, see `RowCalls`."""

    def __init__(self, spec: ApiSpec, access: ApiAccess) -> None:
        """Compile what needs no secret.

        Raises:
            SettingsError: the description cannot be used.
        """
        self.spec = spec
        self._access = access
        self._replies = DescribedReplies(spec, access.options)
        self._has_secrets = bool(spec.secret_vars)
        self.bulk_size = spec.bulk.size if spec.bulk else 0
        self._ways: _Ways | None = None
        self._old: list[AddressCalls] = []
        """Made with secrets that have changed since. Their connections close when they have been idle for a while."""
        self._renewing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def adopt(self, access: ApiAccess) -> None:
        """Make further calls with another access, its secrets read anew. Calls in flight end as they began."""
        self._access = access
        self._replies = DescribedReplies(self.spec, access.options)
        if self._ways is not None:
            self._old += [self._ways.row_calls, self._ways.bulk_calls]
        self._ways = None

    async def aclose(self) -> None:
        """Close all connections at once; what is under way on them is lost."""
        for task in self._tasks:
            task.cancel()
        ways = self._ways
        for calls in dict.fromkeys([*self._old, *((ways.row_calls, ways.bulk_calls) if ways else ())]):
            await calls.aclose()

    def begin_row(self, row: CallRow, replied: Replied, *, anew: bool = False) -> None:
        """Call the API for a row, see `RowCalls`."""

        def request(plan: RequestPlan) -> Request:
            return plan.request(row.values(), row.body, row.key)

        def judge(answer: Answer) -> tuple[Reply, OwnReplies]:
            return self._replies.of_row(answer), ()

        def end(reply: Reply, _: OwnReplies) -> None:
            replied(reply)

        self._begin(_Call(request, judge, end, traceparent=row.traceparent), anew=anew)

    def begin_bulk(self, rows: Sequence[CallRow], replied: BulkReplied) -> None:
        """Call the API for many rows, see `RowCalls`."""
        values = [row.values() for row in rows]

        def request(plan: RequestPlan) -> Request:
            assert plan.bulk is not None, "a description with a bulk size has bulk calls"  # noqa: S101 - for mypy
            return plan.bulk(values, [row.key for row in rows])

        def judge(answer: Answer) -> tuple[Reply, OwnReplies]:
            return self._replies.of_bulk(answer, values)

        def end(reply: Reply, own: OwnReplies) -> None:
            replied(reply, own or [None] * len(rows))

        self._begin(_Call(request, judge, end, is_bulk=True, traceparent=rows[0].traceparent))

    def _begin(self, call: _Call, *, anew: bool = False) -> None:
        ways, headers = self._ways, self._access.credentials.headers()
        if ways is None or headers is None:
            self._start(call, self._prepared(call, anew=anew))
            return
        try:
            request = call.request(ways.plan)
        except RowCannotBeSent as error:
            unsent = Reply(Meaning.FALLBACK, UNSENT, error.code, detail=str(error), sent=False)
            asyncio.get_running_loop().call_soon(call.end, unsent, ())
            return
        calls = ways.bulk_calls if call.is_bulk else ways.row_calls
        request.anew, request.headers = anew, headers
        if call.traceparent:
            request.headers = traced_headers(headers, call.traceparent, ways.plan.headers)
        calls.begin(request, partial(self._answered, call, ways, headers))

    def _answered(self, call: _Call, ways: _Ways, headers: Headers, outcome: Answer | NoAnswer) -> None:
        if isinstance(outcome, NoAnswer):
            call.end(self._replies.without_answer(outcome), ())
            return
        reply, own = call.judge(outcome)
        is_refused = outcome.status == UNAUTHORIZED or reply.meaning in _PERHAPS_SECRETS
        if is_refused and not call.is_repeated and (headers or self._has_secrets):
            self._start(call, self._refused(call, ways, headers, outcome.status, (reply, own)))
        else:
            call.end(reply, own)

    async def _prepared(self, call: _Call, *, anew: bool) -> None:
        async with self._renewing:
            while self._ways is None:
                access = self._access
                secrets = await asyncio.to_thread(access.read_secrets)
                if access is self._access:  # else another one was adopted meanwhile
                    self._ways = self._made(secrets)
        if self._access.credentials.headers() is None:
            await self._access.credentials.fetch()
        self._begin(call, anew=anew)

    async def _refused(
        self, call: _Call, ways: _Ways, headers: Headers, status: int, replies: tuple[Reply, OwnReplies]
    ) -> None:
        """Make the call once more where a secret or a token has changed since; else it ends with `replies`."""
        credentials = self._access.credentials
        if status == UNAUTHORIZED:
            changed = await credentials.refused(headers)
        else:
            await asyncio.to_thread(credentials.renew)
            changed = credentials.headers() != headers
        if await self._renewed(ways) or changed:
            self._begin(call._replace(is_repeated=True))
        else:
            call.end(*replies)

    async def _renewed(self, ways: _Ways) -> bool:
        """Read the secrets again; return whether any is another one than in `ways`."""
        if not self._has_secrets:
            return False
        async with self._renewing:
            if self._ways is ways:
                secrets = await asyncio.to_thread(self._access.read_secrets)
                if secrets != ways.secrets and self._ways is ways:
                    self._ways = self._made(secrets)
                    self._old += [ways.row_calls, ways.bulk_calls]
            return self._ways is not ways

    def _made(self, secrets: Mapping[str, str]) -> _Ways:
        try:
            plan = RequestPlan.compile(self.spec, secrets)
            row_calls = self._calls_to(plan.origin, plan)
            apart = plan.bulk_origin not in {"", plan.origin}
            return _Ways(secrets, plan, row_calls, self._calls_to(plan.bulk_origin, plan) if apart else row_calls)
        except ValueError as error:
            raise SettingsError(str(error)) from error

    def _calls_to(self, origin: str, plan: RequestPlan) -> AddressCalls:
        url = f"{origin}/"
        return AddressCalls(url, replace(self._access.options, url=url, headers=plan.headers))

    def _start(self, call: _Call, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(self._ending(call, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ending(self, call: _Call, work: Coroutine[None, None, None]) -> None:
        """Do `work`; whatever happens, the call comes to an end."""
        try:
            await work
        except (SettingsError, CredentialsRefused, CredentialsUnavailable) as error:
            call.end(reply_without_credentials(self.spec.name, error), ())
        except Exception as error:
            logger.exception("call.failed", extra={"fields": {"api": self.spec.name}})
            call.end(Reply(Meaning.RETRY, "broken", "bad_response", detail=f"{type(error).__name__} in batchd"), ())
