"""What an answer makes of its row: rules, the table, and what is kept."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from activities.api.mapping.answer_plan import AnswerPlan, Judged
from activities.api.mapping.exact_numbers import dumps
from activities.api.replies import Meaning, meaning_of_status
from workflows.api_spec import AnswerRule, ApiSpec, InvalidSpec


def plan(*rules: AnswerRule, take: str = "") -> AnswerPlan:
    return AnswerPlan.compile(ApiSpec(name="people", url="https://h/", rules=list(rules), take=take))


def judged(answers: AnswerPlan, status: int, answer: Any, retry_after_s: float | None = None) -> Judged:
    return answers.judge(status, orjson.dumps(answer), retry_after_s)


@pytest.mark.parametrize("status", range(100, 600))
def test_without_options_a_status_means_what_the_table_says(status: int) -> None:
    found = plan().judge(status, b'{"a":1}', 3.0)
    expected = {
        Meaning.DONE: ("done", "", {"a": 1}, None),
        Meaning.RETRY: ("retry", f"http_{status}", None, 3.0),
        Meaning.FALLBACK: ("fallback", f"http_{status}", None, None),
        Meaning.REFUSED: ("refused", f"http_{status}", None, None),
    }
    assert found[:4] == expected[meaning_of_status(status)]
    assert found.rule_number is None


@pytest.mark.parametrize(
    ("body", "code"), [(b"<html>", "bad_response"), (b'{"a":', "bad_response"), (None, "too_large")]
)
def test_an_answer_that_cannot_be_read_is_tried_again(body: bytes | None, code: str) -> None:
    assert plan().judge(200, body)[:2] == ("retry", code)
    assert plan(take="a").judge(200, body)[:2] == ("retry", code)


@pytest.mark.parametrize("body", [b"", b" \r\n", b"[]", b"null", b"[1]"])
def test_an_answer_without_an_object_is_an_answer_that_adds_nothing(body: bytes) -> None:
    assert plan().judge(200, body) == Judged("done", added={})
    assert plan(take="data.{t: title}").judge(204, body) == Judged("done", added={})


def test_the_first_rule_that_holds_speaks_before_the_table() -> None:
    answers = plan(
        AnswerRule(then="not_found", status=404),
        AnswerRule(then="pause", status=402, code="credits_gone"),
        AnswerRule(then="not_found", when="status == 'ZERO_RESULTS'"),
        AnswerRule(then="fallback", status=200, when="error"),
        AnswerRule(then="retry", when="error"),
    )
    assert judged(answers, 404, {"error": "x"})[:2] == ("not_found", "not_found")
    assert judged(answers, 402, {})[:2] == ("pause", "credits_gone")
    assert judged(answers, 200, {"status": "ZERO_RESULTS", "error": "x"}).rule_number == 3
    assert judged(answers, 200, {"error": "x"})[:2] == ("fallback", "rule_4")
    assert judged(answers, 500, {"error": "x"}, 2.0) == Judged(
        "retry", "rule_5", wait_s=2.0, rule_number=5, detail="rule 5 held: error"
    )
    assert judged(answers, 500, {"error": ""})[:2] == ("retry", "http_500")
    assert judged(answers, 200, {"a": 1}) == Judged("done", added={"a": 1})


@pytest.mark.parametrize("body", [b"<html>", b"", b'{"n": 1}', None])
def test_a_condition_over_an_answer_that_cannot_be_read_or_compared_does_not_hold(body: bytes | None) -> None:
    answers = plan(AnswerRule(then="pause", when="sum(n) > `1`"), AnswerRule(then="pause", when="!n"))
    assert answers.judge(404, body)[:2] == ("fallback", "http_404")


def test_a_rule_without_a_condition_holds_for_every_answer_that_came_to_it() -> None:
    answers = plan(AnswerRule(then="done", status=200), AnswerRule(then="pause", code="strange"))
    assert judged(answers, 200, {}).then == "done"
    assert answers.judge(503, None)[:2] == ("pause", "strange")


def test_wait_lasts_as_long_as_the_api_says_else_as_the_rule_says() -> None:
    answers = plan(
        AnswerRule(then="wait", when="status == 'OVER_QUERY_LIMIT'", wait_s=3600), AnswerRule(then="wait", status=429)
    )
    assert judged(answers, 200, {"status": "OVER_QUERY_LIMIT"})[:4] == ("wait", "rule_1", None, 3600)
    assert judged(answers, 200, {"status": "OVER_QUERY_LIMIT"}, 7200.0).wait_s == 7200
    assert judged(answers, 429, {}).wait_s == 60


def test_numbers_of_an_answer_are_compared_and_kept_digit_for_digit() -> None:
    answers = plan(AnswerRule(then="fallback", when="price > `100`"), take="{price: price, id: id}")
    kept = answers.judge(200, b'{"price": 10.90, "id": 12345678901234567890123, "x": 0.1}').added
    assert dumps(kept) == b'{"price":10.90,"id":12345678901234567890123}'
    assert answers.judge(200, b'{"price": 100.000000000000001}').then == "done"
    assert answers.judge(200, b'{"price": 100.5}').then == "fallback"
    whole = plan().judge(200, b'{"price": 10.90}').added
    assert dumps(whole) == b'{"price":10.90}'


@pytest.mark.parametrize(
    ("take", "added"),
    [
        ("data.{title: job, gone: x}", {"title": "CTO", "gone": None}),
        ("data", {"job": "CTO", "tags": [{"n": 1}, {"n": 2}]}),
        ("data.job", {"job": "CTO"}),
        ("data.tags[*].n", {"n": [1, 2]}),
        ("data.tags[1]", {"n": 2}),
        ("data.tags[*].n | [0]", {"n": 1}),
        ("data.nothing", {}),
        ("data.nothing || data.job", {"nothing": "CTO"}),
        ("{n: length(data.tags)}", {"n": 2}),
        ("merge({a: `1`}, {b: `2`})", {"a": 1, "b": 2}),
        ("@", {"data": {"job": "CTO", "tags": [{"n": 1}, {"n": 2}]}}),
    ],
)
def test_what_is_taken_has_its_own_names_or_that_of_the_last_field(take: str, added: dict[str, Any]) -> None:
    answer = {"data": {"job": "CTO", "tags": [{"n": 1}, {"n": 2}]}}
    assert judged(plan(take=take), 200, answer) == Judged("done", added=added)


@pytest.mark.parametrize("take", ["join(',', tags)", "[a, b]", "`1`", "a == b", "length(@)", "[*]", "!a"])
def test_a_take_whose_result_can_have_no_name_is_refused(take: str) -> None:
    with pytest.raises(InvalidSpec, match=r"answer.take: what it finds has no name: write \{name: "):
        plan(take=take)


@pytest.mark.parametrize(("take", "answer"), [("@", [1]), ("{n: sum(n)}", {"n": "x"}), ("not_null(`1`)", {})])
def test_a_take_that_does_not_fit_the_answer_makes_a_fallback_row_and_no_further_call(take: str, answer: Any) -> None:
    found = judged(plan(take=take), 200, answer)
    assert found[:2] == ("fallback", "bad_response")
    assert found.detail.startswith("take: ")


def test_a_rule_that_says_done_needs_a_body_only_to_take_from() -> None:
    done = AnswerRule(then="done", status=409)
    assert plan(done).judge(409, b"exists already")[:3] == ("done", "", {})
    assert plan(done).judge(409, b'{"a":1}').added == {"a": 1}
    assert plan(done, take="a").judge(409, b'{"a":1}').added == {"a": 1}
    assert plan(done, take="a").judge(409, b"exists already")[:2] == ("retry", "bad_response")


@pytest.mark.parametrize(
    ("rule", "key"),
    [
        (AnswerRule(then="done", status=42), "answer.rules[0].status"),
        (AnswerRule(then="done", when="a ="), "answer.rules[0].when"),
    ],
)
def test_a_rule_that_cannot_be_used_is_named_by_its_key(rule: AnswerRule, key: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        plan(rule)
    assert refused.value.key == key
