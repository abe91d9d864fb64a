"""One answer for many rows: matched for certain, or not at all."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from activities.api.mapping.answer_plan import AnswerPlan, Judged
from activities.api.mapping.bulk_plan import BulkJudged, BulkPlan
from workflows.api_spec import AnswerRule, ApiSpec, BulkSpec, InvalidSpec

ROWS = [{"email": "a@x"}, {"email": "b@x"}, {"email": "c@x"}]
NOT_FOUND = Judged("not_found", "not_found")


def plan(*rules: AnswerRule, take: str = "", **bulk: Any) -> BulkPlan:
    given = BulkSpec(**{"url": "https://h/", "size": 3, "body": "rows", "results": "matches", **bulk})
    spec = ApiSpec(name="people", url="https://h/", rules=list(rules), take=take, bulk=given)
    compiled = BulkPlan.compile(spec, AnswerPlan.compile(spec))
    assert compiled is not None
    return compiled


def judged(bulk: BulkPlan, answer: Any, rows: list[dict[str, str]] = ROWS, status: int = 200) -> BulkJudged:
    return bulk.judge(status, orjson.dumps(answer), rows)


def done(**added: Any) -> Judged:
    return Judged("done", added=added)


def test_answers_are_matched_by_position_and_null_is_not_found() -> None:
    found = judged(plan(take="{t: title}"), {"matches": [{"title": "x"}, None, {"title": "z"}]})
    assert found == BulkJudged(Judged("done"), (done(t="x"), NOT_FOUND, done(t="z")))


@pytest.mark.parametrize("answer", [{"matches": [{}, {}]}, {"matches": [{}] * 4}, {"matches": {}}, {}, [], None])
def test_where_results_and_rows_do_not_agree_nothing_is_taken(answer: Any) -> None:
    found = judged(plan(), answer)
    assert found.call[:2] == ("retry", "bad_response")
    assert found.rows == (None, None, None)


def test_answers_are_matched_by_key_in_any_order_and_a_missing_one_is_not_found() -> None:
    bulk = plan(match_item="q", match_row="email", take="{v: v}")
    found = judged(bulk, {"matches": [{"q": "c@x", "v": 3}, None, {"q": "a@x", "v": 1}, {"q": "other"}]})
    assert found.rows == (done(v=1), NOT_FOUND, done(v=3))
    assert judged(bulk, {"matches": []}).rows == (NOT_FOUND,) * 3


def test_rows_of_the_same_key_get_the_same_answer_and_the_first_item_of_a_key_counts() -> None:
    bulk = plan(match_item="q", match_row="email", take="{v: v}")
    rows = [{"email": "a@x"}, {"email": "a@x"}]
    assert judged(bulk, {"matches": [{"q": "a@x", "v": 1}, {"q": "a@x", "v": 2}]}, rows).rows == (done(v=1), done(v=1))


def test_a_row_without_a_key_is_called_singly() -> None:
    bulk = plan(match_item="q", match_row="email", take="{v: v}")
    rows = [{"email": ""}, {}, {"email": "a@x"}]
    assert judged(bulk, {"matches": [{"q": "a@x", "v": 1}]}, rows).rows == (None, None, done(v=1))


def test_keys_may_be_numbers_on_one_side() -> None:
    bulk = plan(match_item="id", match_row="id", take="{v: v}")
    assert judged(bulk, {"matches": [{"id": 7, "v": 1}]}, [{"id": "7"}]).rows == (done(v=1),)


def test_an_answer_none_of_whose_items_belongs_to_a_row_is_not_believed() -> None:
    bulk = plan(match_item="mail", match_row="email")
    found = judged(bulk, {"matches": [{"q": "a@x"}, {"q": "b@x"}]})
    assert found.call[:2] == ("retry", "bad_response")
    assert found.rows == (None, None, None)


@pytest.mark.parametrize(
    ("status", "then"), [(500, "retry"), (429, "retry"), (401, "refused"), (404, "fallback"), (402, "pause")]
)
def test_what_the_call_as_a_whole_means_is_about_no_row(status: int, then: str) -> None:
    found = judged(plan(AnswerRule(then="pause", status=402)), {}, status=status)
    assert found.call.then == then
    assert found.rows == (None, None, None)


def test_a_rule_without_a_status_holds_for_one_item_too() -> None:
    bulk = plan(
        AnswerRule(then="not_found", when="code == `404`"),
        AnswerRule(then="fallback", when="code == `400`", code="bad_mail"),
        AnswerRule(then="retry", when="code == `500`"),
    )
    found = judged(bulk, {"matches": [{"code": 404}, {"code": 400}, {"code": 500}]})
    assert [each and each[:2] for each in found.rows] == [("not_found", "not_found"), ("fallback", "bad_mail"), None]
    assert found.call.then == "done"


def test_an_item_that_speaks_of_the_whole_api_speaks_for_the_call_and_the_answers_beside_it_are_kept() -> None:
    bulk = plan(AnswerRule(then="wait", when="over_limit", wait_s=60), take="{v: v}")
    found = judged(bulk, {"matches": [{"v": 1}, {"over_limit": True}, {"v": 3}]})
    assert (found.call.then, found.call.wait_s) == ("wait", 60)
    assert found.rows == (done(v=1), None, done(v=3))


@pytest.mark.parametrize(
    ("bulk", "key"),
    [
        ({"match_item": "q"}, "bulk.match"),
        ({"size": 0}, "bulk.size"),
        ({"results": "a b"}, "bulk.results"),
        ({"match_item": "a b", "match_row": "q"}, "bulk.match.item"),
    ],
)
def test_a_bulk_section_that_cannot_be_used_names_the_key(bulk: dict[str, Any], key: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        plan(**bulk)
    assert refused.value.key == key
