"""Answers as people read them, and what each makes of its row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import orjson

from activities.api.mapping.exact_numbers import loads, writable
from activities.api.replies import CERTIFICATE, UNSENT, Meaning, Reply
from activities.api.transport.base import Answer
from activities.api.transport.replies import unpacked_body
from activities.output.chunk_format import element, failed_element
from daemon.batchctl.trial.first_rows import FirstRows
from daemon.batchctl.trial.masking import Masking
from daemon.batchctl.trial.recorded_calls import Heard
from daemon.batchctl.trial.tried_api import RuleText, TriedApi
from workflows.models import NOT_FOUND

MOST_BODY_CHARS = 65_536
STOPPING = frozenset({Meaning.PAUSE, Meaning.WAIT})


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownAnswer:
    """What came back: the status, or a word where there was none, and the body, without secrets.

    `calls` is how often it was asked: twice where a secret had changed. `detail` says why there is no answer.
    """

    status: str
    latency_ms: float | None = None
    size_bytes: int | None = None
    body: str = ""
    calls: int = 1
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is made of a row: `then` as a rule would say it, or `refused`; a sentence; and what decided it.

    `rule` is None where that was the table. `is_final`: the API has done for the row what it can. `goes_on`: the rows
    after it would be called too.
    """

    then: str
    code: str
    sentence: str
    by: str = ""
    rule: RuleText | None = None
    is_final: bool = False
    goes_on: bool = True


def shown_answer(heard: Heard, api: TriedApi, masking: Masking) -> ShownAnswer:
    """Return an answer, or why there is none."""
    reply, answer = heard.reply, heard.answer
    if answer is None or not reply.status.isdigit():
        return ShownAnswer(status=reply.status, calls=heard.calls, detail=masking.masked(reply.detail))
    return ShownAnswer(
        status=reply.status,
        latency_ms=round(answer.latency_ms, 1),
        size_bytes=len(answer.body) if answer.body is not None else None,
        body=_body(answer, api, masking),
        calls=heard.calls,
    )


def pretty(body: bytes | str) -> str:
    """Return a JSON document with one value to a line, numbers digit for digit; anything else as it is."""
    raw = body.encode() if isinstance(body, str) else body
    try:
        return orjson.dumps(writable(loads(raw)), option=orjson.OPT_INDENT_2).decode()
    except (ValueError, TypeError):
        return raw.decode(errors="replace")


def outcome_of_reply(heard: Heard, api: TriedApi, masking: Masking) -> Outcome:
    """Return what a reply makes of its row, and of the batch."""
    reply = heard.reply
    rule = api.rules[heard.rule - 1] if heard.rule is not None and heard.rule <= len(api.rules) else None
    stops = reply.meaning in STOPPING or reply.status == CERTIFICATE
    return Outcome(
        then="pause" if reply.status == CERTIFICATE else reply.meaning.value,
        code=reply.code,
        sentence=masking.masked(_sentence(reply, api)),
        by=_by(reply, rule, api),
        rule=rule,
        is_final=reply.is_good,
        goes_on=not stops,
    )


def _by(reply: Reply, rule: RuleText | None, api: TriedApi) -> str:
    if rule:
        return f"by rule {rule.number} ({rule.origin}): {rule.text}"
    if not reply.status.isdigit():
        return ""
    return f"by the table of docs/api.md: {'no rule holds' if api.rules else 'there are no rules'}"


def chunk_row(reply: Reply, number: int, rows: FirstRows, api: TriedApi, masking: Masking) -> str:
    """Return a row as it would stand in the chunk; empty where there would be none before somebody acts."""
    source = rows.source_of_number(number)
    body = orjson.dumps(source)
    if reply.meaning is Meaning.DONE:
        added = rows.rows().news(source, reply.answer or {})
        return masking.masked(element(body, source, number, added).decode())
    if reply.meaning in STOPPING or reply.status == CERTIFICATE:
        return ""
    error = NOT_FOUND if reply.meaning is Meaning.NOT_FOUND else reply.code
    return masking.masked(failed_element(body, source, number, error, api.spec.fallback).decode())


def _body(answer: Answer, api: TriedApi, masking: Masking) -> str:
    try:
        body = unpacked_body(answer, api.options)
    except ValueError as error:
        return f"({error})"
    if body is None:
        return f"(larger than {api.options.max_body_bytes:,} bytes, and not read)"
    return masking.masked(pretty(body))[:MOST_BODY_CHARS]


def _sentence(reply: Reply, api: TriedApi) -> str:
    if reply.status == CERTIFICATE:
        return _pauses(reply, api)
    if reply.status == UNSENT:
        return f"a fallback row ({reply.code}) without a call: {reply.detail}"
    sentences: dict[Meaning, Callable[[Reply, TriedApi], str]] = {
        Meaning.DONE: _done,
        Meaning.NOT_FOUND: lambda *_: "not found: it is never called again",
        Meaning.PAUSE: _pauses,
        Meaning.WAIT: lambda reply, _: (
            f"the batch waits {reply.retry_after_s or 0:g} s, then asks again: {reply.detail}"
        ),
        Meaning.RETRY: _retried,
        Meaning.REFUSED: lambda reply, _: f"a fallback row ({reply.code}); where every row is refused the batch pauses",
        Meaning.FALLBACK: _fallback,
    }
    return sentences[reply.meaning](reply, api)


def _pauses(reply: Reply, _: TriedApi) -> str:
    return f"the batch pauses{_why(reply)}"


def _waits(reply: Reply, _: TriedApi) -> str:
    return f"the batch waits {reply.retry_after_s or 0:g} s, then asks again{_why(reply)}"


def _why(reply: Reply) -> str:
    """Return why, where that is not what stands in the place of an answer."""
    return f": {reply.detail}" if reply.detail and reply.status.isdigit() else ""


def _done(reply: Reply, api: TriedApi) -> str:
    empty = api.spec.take and not any(value is not None for value in (reply.answer or {}).values())
    return "enriched, but 'take' finds nothing in this answer" if empty else "enriched"


def _fallback(reply: Reply, _: TriedApi) -> str:
    pauses = "; where every row gets this answer the batch pauses" if reply.may_be_settings else ""
    why = f": {reply.detail}" if reply.code == "bad_response" else ""
    return f"a fallback row ({reply.code}){why}{pauses}"


def _retried(reply: Reply, api: TriedApi) -> str:
    wait = f" after {reply.retry_after_s:g} s" if reply.retry_after_s else ""
    down = "; while the API is down the batch waits" if api.options.outage == "wait" else ""
    return f"called again{wait}, {api.options.attempts} calls in all, then a fallback row ({reply.code}){down}"
