"""What answers of a described API mean: judged by its rules, in the same words as those of every other API."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from activities.api.credentials.auth import CredentialsRefused, CredentialsUnavailable
from activities.api.mapping.answer_plan import AnswerPlan, Judged
from activities.api.mapping.bulk_plan import BulkPlan
from activities.api.mapping.exact_numbers import writable
from activities.api.options import ApiOptions
from activities.api.replies import Meaning, Reply, retry_after_s
from activities.api.transport.base import Answer, NoAnswer
from activities.api.transport.replies import public_address, reply_without_answer, unpacked_body
from workflows.api_spec import ApiSpec
from workflows.errors import BatchdError, SettingsError

MISSING_SECRET_WAIT_S = 15.0
"""How soon a worker that lacks a secret looks for it again."""

_UNREADABLE = b"?"
"""Stands for a body that cannot be unpacked: as little JSON as that."""

_MEANINGS = {
    "done": Meaning.DONE,
    "not_found": Meaning.NOT_FOUND,
    "retry": Meaning.RETRY,
    "fallback": Meaning.FALLBACK,
    "refused": Meaning.REFUSED,
    "pause": Meaning.PAUSE,
    "wait": Meaning.WAIT,
}


class DescribedReplies:
    """From answers to replies, for one description."""

    def __init__(self, spec: ApiSpec, options: ApiOptions) -> None:
        """Compile the rules.

        Raises:
            SettingsError: the description cannot be used.
        """
        self._answers = AnswerPlan.compile(spec)
        self._bulk_answers = BulkPlan.compile(spec, self._answers)
        self._address = public_address(spec.url)
        self._options = options

    def of_row(self, answer: Answer) -> Reply:
        """Return what the answer to one row means."""
        judged = self._answers.judge(answer.status, self._body_of(answer), self._asked_s(answer))
        return self._reply(judged, answer)

    def of_bulk(self, answer: Answer, rows: Sequence[Mapping[str, str]]) -> tuple[Reply, list[Reply | None]]:
        """Return what the answer to a bulk call means, and for each row; None where it is to be called singly."""
        assert self._bulk_answers is not None, "a bulk call was made"  # noqa: S101 - for mypy
        judged = self._bulk_answers.judge(answer.status, self._body_of(answer), rows, self._asked_s(answer))
        return self._reply(judged.call, answer), [each and self._reply(each, answer) for each in judged.rows]

    def without_answer(self, outcome: NoAnswer) -> Reply:
        """Return what it means that there was no answer."""
        return reply_without_answer(outcome, self._address, self._options)

    def _body_of(self, answer: Answer) -> bytes | None:
        try:
            return unpacked_body(answer, self._options)
        except ValueError:
            return _UNREADABLE

    def _asked_s(self, answer: Answer) -> float | None:
        return retry_after_s(answer.retry_after, time.time(), self._options.max_wait_s)

    def _reply(self, judged: Judged, answer: Answer) -> Reply:
        return Reply(
            _MEANINGS[judged.then],
            str(answer.status),
            judged.code,
            answer=None if judged.added is None else writable(judged.added),
            retry_after_s=judged.wait_s,
            latency_ms=answer.latency_ms,
            detail=self._detail(judged, answer.status),
            by_rule=judged.rule_number is not None,
        )

    def _detail(self, judged: Judged, status: int) -> str:
        if judged.then == "refused":
            return (
                f"the API at {self._address} answered {status}: it does not accept the credentials; "
                f"{self._options.advice.credentials}"
            )
        if judged.then == "pause":
            return (
                f"{judged.code}: the API at {self._address} answered {status} ({judged.detail}); correct what it "
                "means, then resume"
            )
        if judged.then == "wait":
            return f"{judged.code}: the API at {self._address} answered {status} ({judged.detail})"
        return judged.detail


def reply_without_credentials(api: str, error: BatchdError) -> Reply:
    """Return what it means that no call can be made: a secret is not there, or a token is not given out."""
    if isinstance(error, CredentialsRefused):
        return Reply(Meaning.PAUSE, "credentials", "credentials", detail=str(error), sent=False)
    wait_s = error.retry_after_s if isinstance(error, CredentialsUnavailable) else MISSING_SECRET_WAIT_S
    detail = f"this worker cannot call the API {api}: {error}" if isinstance(error, SettingsError) else str(error)
    return Reply(Meaning.WAIT, "credentials", "credentials", retry_after_s=wait_s, detail=detail, sent=False)
