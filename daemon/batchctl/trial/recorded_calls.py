"""The calls of a worker, made one at a time, with what came back kept beside what it means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from activities.api.calls.described_calls import ApiAccess, DescribedCalls
from activities.api.calls.described_replies import DescribedReplies
from activities.api.calls.posted_rows import PostedRows
from activities.api.mapping.answer_plan import Judged
from activities.api.options import ApiOptions
from activities.api.replies import STALE, Reply
from activities.api.rows import CallRow, RowCalls, reply_to
from activities.api.transport.base import Answer, NoAnswer, awaited
from workflows.api_spec import ApiSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What came of a call. `answer` is the last one, None for none; `rule` the number of the rule that held."""

    reply: Reply
    answer: Answer | None = None
    rule: int | None = None
    calls: int = 0


@dataclass(slots=True)
class CallLog:
    """What came back since it was cleared, and the secrets that went out."""

    outcomes: list[Answer | NoAnswer] = field(default_factory=list)
    rules: list[tuple[Reply, int | None]] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)

    def heard(self, reply: Reply) -> Heard:
        """Return a reply with what is known of its call."""
        last = self.outcomes[-1] if self.outcomes else None
        rule = next((number for each, number in self.rules if each is reply), None)
        return Heard(
            reply=reply, answer=last if isinstance(last, Answer) else None, rule=rule, calls=len(self.outcomes)
        )


class RecordedCalls(RowCalls, Protocol):
    """The calls of one API, with a log."""

    log: CallLog

    async def aclose(self) -> None:
        """Close all connections."""


async def call_row(calls: RecordedCalls, row: CallRow) -> Heard:
    """Call the API for one row, once; again only where the connection had just been closed."""
    calls.log.outcomes.clear()
    reply = await reply_to(row, calls)
    if reply.status == STALE:
        reply = await reply_to(row, calls, anew=True)
    return calls.log.heard(reply)


async def call_bulk(calls: RecordedCalls, rows: Sequence[CallRow]) -> tuple[Heard, list[Heard | None]]:
    """Call the API for many rows; None for a row that gets a call of its own."""
    calls.log.outcomes.clear()

    def begin(replied: Callable[[tuple[Reply, Sequence[Reply | None]]], None]) -> None:
        calls.begin_bulk(rows, lambda reply, own: replied((reply, own)))

    reply, own = await awaited(begin)
    return calls.log.heard(reply), [calls.log.heard(each) if each else None for each in own]


class RecordedDescribed(DescribedCalls):
    """`DescribedCalls` with a log."""

    def __init__(self, spec: ApiSpec, access: ApiAccess) -> None:
        super().__init__(spec, access)
        self.log = CallLog()
        self._replies = _RecordedReplies(spec, access.options, self.log)

    def _answered(self, call: Any, ways: Any, headers: Any, outcome: Answer | NoAnswer) -> None:
        self.log.outcomes.append(outcome)
        self.log.secrets |= {value for _, value in headers} | set(ways.secrets.values())
        super()._answered(call, ways, headers, outcome)


class _RecordedReplies(DescribedReplies):
    def __init__(self, spec: ApiSpec, options: ApiOptions, log: CallLog) -> None:
        super().__init__(spec, options)
        self._log = log

    def _reply(self, judged: Judged, answer: Answer) -> Reply:
        reply = super()._reply(judged, answer)
        self._log.rules.append((reply, judged.rule_number))
        return reply


class RecordedPosts(PostedRows):
    """`PostedRows` with a log."""

    def __init__(self, options: ApiOptions) -> None:
        super().__init__(options)
        self.log = CallLog(secrets={options.token} - {""})

    def _row_answered(self, replied: Any, outcome: Answer | NoAnswer) -> None:
        self.log.outcomes.append(outcome)
        super()._row_answered(replied, outcome)

    def _bulk_answered(self, rows: Any, replied: Any, outcome: Answer | NoAnswer) -> None:
        self.log.outcomes.append(outcome)
        super()._bulk_answered(rows, replied, outcome)
