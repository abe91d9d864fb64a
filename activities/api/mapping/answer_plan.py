"""What an answer makes of a row: the rules of the API in their order, then the table of `replies.py`; then `take`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from activities.api.mapping.exact_numbers import loads
from activities.api.mapping.expression_compiler import is_true
from activities.api.mapping.expressions import Expression, ExpressionFailed, compile_expression
from activities.api.mapping.take import CannotTake, Take, compile_take
from activities.api.replies import Meaning, meaning_of_status
from workflows.api_spec import AnswerRule, ApiSpec, InvalidSpec, Then, at_key

DEFAULT_WAIT_S = 60.0
"""How long `wait` waits where neither the API nor the rule says."""

_STATUSES = range(100, 600)


class Judged(NamedTuple):
    """What an answer makes of a row.

    `refused` is an answer of the table alone: the credentials, or this row. `code` is the error of a fallback row or
    the word of a pause, "" for `done`. `added` is what `done` adds to the row. `wait_s` is how long to wait, where the
    API or the rule says. `rule_number` is that of the rule that held, from 1; None where the table spoke.
    """

    then: Then | Literal["refused"]
    code: str = ""
    added: dict[str, Any] | None = None
    wait_s: float | None = None
    rule_number: int | None = None
    detail: str = ""


_DONE = Judged("done")


class Document:
    """The body of an answer, read when it is first asked for."""

    __slots__ = ("_read", "_value", "body")

    def __init__(self, body: bytes | None) -> None:
        """Take `body`, None for one that was too large to be read."""
        self.body = body
        self._read = False
        self._value: Any = None

    @property
    def value(self) -> Any:
        """Return the value of the JSON document, None of an empty body too. Raises ValueError where it is none."""
        if not self._read:
            if self.body is None:
                raise ValueError("it is too large to be read")
            self._value = loads(self.body) if self.body.strip() else None
            self._read = True
        return self._value

    def unreadable(self) -> Judged | None:
        """Return what it makes of a row that the body cannot be read; None where it can."""
        try:
            _ = self.value
        except ValueError:
            if self.body is None:
                return Judged("retry", "too_large", detail="the body of the answer is larger than is allowed")
            return Judged("retry", "bad_response", detail="the body of the answer is no JSON")
        return None


@dataclass(frozen=True, slots=True)
class _Rule:
    status: int | None
    when: Expression | None
    wait_s: float | None
    judged: Judged

    def holds(self, document: Document) -> bool:
        """Return whether the condition over the answer holds; over one that is empty or no JSON it does not."""
        if self.when is None:
            return True
        try:
            return document.value is not None and is_true(self.when.search(document.value))
        except (ValueError, ExpressionFailed):
            return False

    def judge(self, retry_after_s: float | None) -> Judged:
        if self.judged.then == "wait":
            return self.judged._replace(wait_s=self.wait_s if retry_after_s is None else retry_after_s)
        return self.judged._replace(wait_s=retry_after_s) if self.judged.then == "retry" else self.judged


@dataclass(frozen=True, slots=True)
class AnswerPlan:
    """How answers of one API are judged."""

    _rules: tuple[_Rule, ...]
    _item_rules: tuple[_Rule, ...]
    """Those that ask for no status: they hold for one item of a bulk answer too."""
    _take: Take
    _takes: bool

    @classmethod
    def compile(cls, spec: ApiSpec) -> AnswerPlan:
        """Return the plan for `spec`.

        Raises:
            InvalidSpec: a rule or `take` cannot be used; the first reason.
        """
        rules = tuple(_rule(number, rule) for number, rule in enumerate(spec.rules, 1))
        return cls(
            rules, tuple(each for each in rules if each.status is None), compile_take(spec.take), bool(spec.take)
        )

    def judge(self, status: int, body: bytes | None, retry_after_s: float | None = None) -> Judged:
        """Return what an answer makes of its row; `body` is None where it was too large."""
        document = Document(body)
        judged = self.verdict(status, document, retry_after_s)
        return self._taken(document, judged) if judged.then == "done" else judged

    def verdict(self, status: int, document: Document, retry_after_s: float | None = None) -> Judged:
        """Return what an answer means as a whole, before anything is taken from it."""
        for rule in self._rules:
            if (rule.status is None or rule.status == status) and rule.holds(document):
                return rule.judge(retry_after_s)
        return _by_table(status, retry_after_s)

    def judge_item(self, item: Any) -> Judged:
        """Return what one item of a bulk answer makes of its row; null is not found."""
        if item is None:
            return Judged("not_found", "not_found")
        document = Document(b"")
        document._value, document._read = item, True  # noqa: SLF001 - read with the whole answer
        for rule in self._item_rules:
            if rule.holds(document):
                judged = rule.judge(None)
                return self._taken(document, judged) if judged.then == "done" else judged
        return self._taken(document, _DONE)

    def _taken(self, document: Document, judged: Judged) -> Judged:
        """Return `judged` with what is kept of the answer. A rule that says `done` needs a body only to take from."""
        if (unreadable := document.unreadable()) is not None:
            enough = judged.rule_number is not None and not self._takes
            return judged._replace(added={}) if enough else unreadable._replace(rule_number=judged.rule_number)
        try:
            return Judged("done", "", self._take(document.value), None, judged.rule_number, judged.detail)
        except CannotTake as error:
            return Judged("fallback", "bad_response", rule_number=judged.rule_number, detail=str(error))


def _by_table(status: int, retry_after_s: float | None) -> Judged:
    meaning = meaning_of_status(status)
    if meaning is Meaning.DONE:
        return _DONE
    detail = f"the API answered {status}"
    if meaning is Meaning.RETRY:
        return Judged("retry", f"http_{status}", wait_s=retry_after_s, detail=detail)
    then: Literal["refused", "fallback"] = "refused" if meaning is Meaning.REFUSED else "fallback"
    return Judged(then, f"http_{status}", detail=detail)


def _rule(number: int, rule: AnswerRule) -> _Rule:
    key = f"answer.rules[{number - 1}]"
    if rule.status is not None and rule.status not in _STATUSES:
        raise InvalidSpec(f"{key}.status", f"{rule.status} is no status of HTTP: 100 to 599")
    when = None
    if rule.when:
        with at_key(f"{key}.when"):
            when = compile_expression(rule.when, over="answer")
    code = rule.code or ("not_found" if rule.then == "not_found" else f"rule_{number}")
    detail = f"rule {number} held: {_condition(rule)}"
    judged = Judged(rule.then, "" if rule.then == "done" else code, rule_number=number, detail=detail)
    return _Rule(rule.status, when, DEFAULT_WAIT_S if rule.wait_s is None else rule.wait_s, judged)


def _condition(rule: AnswerRule) -> str:
    conditions: Sequence[str] = [f"status {rule.status}"] if rule.status is not None else []
    return ", ".join([*conditions, *([rule.when] if rule.when else [])]) or "any answer"
