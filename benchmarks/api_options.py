"""What each option of an API costs: microseconds of CPU a row, without a call.

python benchmarks/api_options.py
"""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable
from typing import Any

import orjson

from activities.api.mapping.answer_plan import AnswerPlan
from activities.api.mapping.bulk_plan import BulkPlan
from activities.api.mapping.request_plan import RequestPlan
from activities.exact_json import loads
from workflows.api_spec import AnswerRule, ApiSpec, BulkSpec

ROW = {"email": "jane.doe@example.com", "first": "Jané", "last": "Döe", "company": "Acme", "city": "New York"}
ROW_JSON = orjson.dumps(ROW)
ANSWER = b'{"status":200,"likelihood":6,"data":{"job_title":"CTO","job_seniority":"cxo","name":"Jane Doe"},"x":[1,2]}'
WITH_REALS = ANSWER.replace(b"[1,2]", b"[40.7128,-74.0060]")
CONTENT = "join('', ['Classify: ', company])"
BODY = f"{{model: 'small', messages: [{{role: 'user', content: {CONTENT}}}]}}"
TAKE = "data.{title: job_title, seniority: job_seniority}"
RULES = [AnswerRule(then="not_found", status=404), AnswerRule(then="wait", when="status == 'OVER_QUERY_LIMIT'")]
BULK = BulkSpec(url="https://h/", size=50, body="{details: rows[*].{mail: email}, keys: keys}", results="matches")


def spec(**options: Any) -> ApiSpec:
    """Return an API with these options."""
    return ApiSpec(**{"name": "bench", "url": "https://h/people", **options})


def request(**options: Any) -> Callable[[], object]:
    """Return what makes one request."""
    make = RequestPlan.compile(spec(**options)).request
    return lambda: make(ROW, ROW_JSON, "key")


def answer(body: bytes = ANSWER, **options: Any) -> Callable[[], object]:
    """Return what judges one answer."""
    judge = AnswerPlan.compile(spec(**options)).judge
    return lambda: judge(200, body)


def bulk() -> Callable[[], object]:
    """Return what makes a bulk request of 50 rows and judges its answer."""
    api = spec(bulk=BULK, take=TAKE)
    make = RequestPlan.compile(api).bulk
    plan = BulkPlan.compile(api, AnswerPlan.compile(api))
    assert make is not None
    assert plan is not None
    rows, answers = [ROW] * 50, b'{"matches":[%b]}' % b",".join([ANSWER] * 50)
    return lambda: (make(rows, ["key"] * 50), plan.judge(200, answers, rows))


def cpu_us(call: Callable[[], object], rows: int = 1) -> float:
    """Return the microseconds of CPU a row, at best: what else the machine does is no cost of ours."""
    turns = 2_000 // rows
    return min(timeit.repeat(call, number=turns, repeat=50, timer=time.process_time)) / turns / rows * 1e6


MEASURED: list[tuple[str, Callable[[], object], int]] = [
    ("request: the row as it is", request(), 1),
    ("request: an address with two columns", request(method="GET", url="https://h/v5{?email,city}"), 1),
    (
        "request: an address with an expression",
        request(method="GET", url="https://h/{?n}", vars={"n": "join(' ', [first, last])"}),
        1,
    ),
    ("request: a body by JMESPath", request(body=BODY), 1),
    ("request: the row as a form", request(encode="form"), 1),
    ("answer: only read as JSON, for comparison", lambda: loads(ANSWER), 1),
    ("answer: the whole object", answer(), 1),
    ("answer: two rules", answer(rules=RULES), 1),
    ("answer: take", answer(take=TAKE), 1),
    ("answer: two rules and take", answer(rules=RULES, take=TAKE), 1),
    ("answer: only read as JSON, with real numbers", lambda: loads(WITH_REALS), 1),
    ("answer: two rules and take, with real numbers", answer(WITH_REALS, rules=RULES, take=TAKE), 1),
    ("bulk: body by JMESPath, 50 rows by position, take", bulk(), 50),
]

if __name__ == "__main__":
    for name, call, rows in MEASURED:
        print(f"{cpu_us(call, rows):7.2f} µs  {name}")
