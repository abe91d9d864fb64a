"""One answer for many rows: found in it by an expression, matched to its rows by position or by a key.

What cannot be matched for certain is never taken: those rows are called singly, which costs calls and no wrong row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from activities.api.mapping.answer_plan import AnswerPlan, Document, Judged
from activities.api.mapping.exact_numbers import dumps
from activities.api.mapping.expression_columns import Kind
from activities.api.mapping.expressions import Expression, ExpressionFailed, compile_expression
from workflows.api_spec import ApiSpec, InvalidSpec, at_key

NOT_FOUND = Judged("not_found", "not_found")

_OF_THE_CALL = frozenset({"pause", "wait"})
"""What an item may say that is not about its row."""


class BulkJudged(NamedTuple):
    """What the answer to a bulk call makes of its rows.

    `call` is what it means as a whole: `done`, or what every further call would meet. `rows` has one entry a row, None
    for one that gets a call of its own.
    """

    call: Judged
    rows: tuple[Judged | None, ...]


@dataclass(frozen=True, slots=True)
class BulkPlan:
    """How answers to bulk calls of one API are judged."""

    _answers: AnswerPlan
    _results: Expression
    _match_item: Expression | None
    _match_row: Expression | None

    @classmethod
    def compile(cls, spec: ApiSpec, answers: AnswerPlan) -> BulkPlan | None:
        """Return the plan for `spec`, None where it has no bulk calls.

        Raises:
            InvalidSpec: an expression cannot be used, or one of the two to match by is missing.
        """
        bulk = spec.bulk
        if bulk is None:
            return None
        if bool(bulk.match_item) != bool(bulk.match_row):
            raise InvalidSpec("bulk.match", "give both, item and row, or neither to match by position")
        if bulk.size < 1:
            raise InvalidSpec("bulk.size", f"{bulk.size} rows make no call: 1 or more")
        return cls(
            answers,
            _expression("bulk.results", bulk.results, "answer"),
            _expression("bulk.match.item", bulk.match_item, "answer") if bulk.match_item else None,
            _expression("bulk.match.row", bulk.match_row, "row") if bulk.match_row else None,
        )

    def judge(
        self, status: int, body: bytes | None, rows: Sequence[Mapping[str, str]], retry_after_s: float | None = None
    ) -> BulkJudged:
        """Return what the answer to a call with `rows` makes of them."""
        none = (None,) * len(rows)
        document = Document(body)
        call = self._answers.verdict(status, document, retry_after_s)
        if call.then != "done":
            return BulkJudged(call, none)
        if (unreadable := document.unreadable()) is not None:
            return BulkJudged(unreadable, none)
        results, problem = self._list(document.value)
        if not problem and self._match_row is None and len(results) != len(rows):
            problem = f"the answer has {len(results)} results for {len(rows)} rows"
        if problem:
            return _bad(problem, none)
        if self._match_row is None:
            return _judged(call, [self._answers.judge_item(each) for each in results])
        return self._by_key(call, results, [_key(self._match_row, row) for row in rows])

    def _list(self, answer: Any) -> tuple[list[Any], str]:
        """Return the results in an answer, and what is wrong with them."""
        try:
            results = self._results.search(answer)
        except ExpressionFailed as error:
            return [], f"results: {error}"
        return (results, "") if isinstance(results, list) else ([], "results: it finds no list in the answer")

    def _by_key(self, call: Judged, results: list[Any], keys: list[str | None]) -> BulkJudged:
        """Match by key. The first item of a key counts, and rows of the same key get the same answer."""
        items: dict[str, Any] = {}
        for item in results:
            if (key := _key(self._match_item, item)) is not None:
                items.setdefault(key, item)
        if results and items.keys().isdisjoint(keys):
            return _bad("match: no item of the answer belongs to a row of the call", (None,) * len(keys))
        return _judged(call, [self._of_key(items, key) for key in keys])

    def _of_key(self, items: dict[str, Any], key: str | None) -> Judged | None:
        if key is None:
            return None
        return self._answers.judge_item(items[key]) if key in items else NOT_FOUND


def _judged(call: Judged, rows: Sequence[Judged | None]) -> BulkJudged:
    """Return the answers to rows; where an item speaks of the whole API, it is the call that says so."""
    of_the_call = next((each for each in rows if each is not None and each.then in _OF_THE_CALL), call)
    own_call = _OF_THE_CALL | {"retry"}
    return BulkJudged(of_the_call, tuple(None if each is None or each.then in own_call else each for each in rows))


def _bad(detail: str, rows: tuple[None, ...]) -> BulkJudged:
    return BulkJudged(Judged("retry", "bad_response", detail=detail), rows)


def _key(expression: Expression | None, value: Any) -> str | None:
    """Return what an item or a row is matched by, None for nothing."""
    try:
        found = expression.search(value) if expression is not None else None
    except ExpressionFailed:
        return None
    if isinstance(found, str):
        return found or None
    return dumps(found).decode() if isinstance(found, (int, float)) else None


def _expression(key: str, text: str, over: Kind) -> Expression:
    with at_key(key):
        return compile_expression(text, over=over)
