"""How a row becomes a request: address, vars, body, form, bulk; and what a cell can never do."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.api.mapping.address import RowCannotBeSent, compile_address
from activities.api.mapping.request_plan import RequestPlan
from activities.api.transport.base import Request
from workflows.api_spec import ApiSpec, BulkSpec, InvalidSpec
from workflows.errors import SettingsError

ROW = {"email": "a@b.c", "first": "Ada", "last": "Lovelace", "company": "Acme & Söhne", "empty": ""}
CELLS = st.text(st.characters(exclude_categories=["Cs"]))


def spec(**given: Any) -> ApiSpec:
    return ApiSpec(**{"name": "people", "url": "https://api.example.com/people", **given})


def sent(api: ApiSpec, row: dict[str, str] = ROW, secrets: dict[str, str] | None = None) -> Request:
    return RequestPlan.compile(api, secrets).request(row, orjson.dumps(row), "key-1")


def test_without_options_the_row_is_posted_as_it_is_under_its_key() -> None:
    assert sent(spec()) == Request(b"POST", b"/people", orjson.dumps(ROW), "key-1")


def test_a_get_has_its_columns_in_the_address_and_no_body() -> None:
    api = spec(method="GET", url="https://api.example.com:8443/v5{/company}/enrich{?email,empty,missing}")
    plan = RequestPlan.compile(api)
    assert plan.origin == "https://api.example.com:8443"
    assert sent(api) == Request(b"GET", b"/v5/Acme%20%26%20S%C3%B6hne/enrich?email=a%40b.c", b"", "key-1")


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://h", b"/"),
        ("http://h{?email}", b"/?email=a%40b.c"),
        ("http://h?x=1{&email}", b"/?x=1&email=a%40b.c"),
        ("http://h{/empty}", b"/"),
        ("http://h{/empty}{?first}", b"/?first=Ada"),
        ("http://h{/first}", b"/Ada"),
        ("http://[::1]:80/a b", b"/a%20b"),
    ],
)
def test_a_target_begins_with_a_slash_whatever_falls_away(url: str, target: bytes) -> None:
    assert sent(spec(url=url)).target == target


def test_a_variable_may_be_an_expression_over_the_row_or_a_secret() -> None:
    api = spec(
        method="GET",
        url="https://api.example.com/find{?name,key}",
        vars={"name": "join(' ', [first, last])", "unused": "gone"},
        secret_vars=["key"],
    )
    plan = RequestPlan.compile(api, {"key": "s3cr&t"})
    assert plan.request(ROW, b"", "k").target == b"/find?name=Ada%20Lovelace&key=s3cr%26t"
    assert plan.needed_columns == ("first", "last")


def test_the_body_is_what_the_expression_makes_of_the_row() -> None:
    content = "join('', ['Classify: ', company])"
    api = spec(body=f"{{model: 'small', messages: [{{role: 'user', content: {content}}}], n: to_number(first)}}")
    body = orjson.loads(sent(api, {"company": "Acme", "first": "0.10"}).body)
    assert body == {"model": "small", "messages": [{"role": "user", "content": "Classify: Acme"}], "n": 0.1}
    assert b'"n":0.10}' in sent(api, {"company": "Acme", "first": "0.10"}).body
    assert RequestPlan.compile(api).needed_columns == ("company", "first")


def test_a_form_holds_the_row_or_a_flat_object() -> None:
    assert parse_qs(sent(spec(encode="form")).body.decode()) == {k: [v] for k, v in ROW.items() if v}
    api = spec(encode="form", body="{q: company, n: `3`, ok: `true`, gone: missing}")
    assert sent(api).body == b"q=Acme+%26+S%C3%B6hne&n=3&ok=true"
    assert RequestPlan.compile(api).headers == (("Content-Type", "application/x-www-form-urlencoded"),)


@pytest.mark.parametrize(
    ("options", "code", "detail"),
    [
        ({"body": "{q: [first]}", "encode": "form"}, "bad_request_body", "the field q is a list"),
        ({"body": "{q: {a: first}}", "encode": "form"}, "bad_request_body", "the field q is an object"),
        ({"body": "first", "encode": "form"}, "bad_request_body", "made of an object"),
        ({"body": "missing"}, "bad_request_body", "finds nothing"),
        ({"body": "{a: sum(first)}"}, "bad_request", r"body: sum\(\) takes array-number, and was given string"),
        ({"body": r'`"\ud800"`'}, "bad_request_body", "cannot be written"),
        ({"url": "http://h/{v}", "vars": {"v": "abs(first)"}}, "bad_request", r"vars.v: abs\(\) takes number"),
        ({"url": "http://h/{v}", "vars": {"v": r'`"\ud800"`'}}, "bad_request", "half a character"),
    ],
)
def test_a_row_that_cannot_be_sent_says_why_and_stops_nothing_else(
    options: dict[str, Any], code: str, detail: str
) -> None:
    with pytest.raises(RowCannotBeSent, match=detail) as refused:
        sent(spec(**options))
    assert refused.value.code == code
    assert "Ada" not in str(refused.value)


@pytest.mark.parametrize("cell", ["..", ".", "%2e%2E"])
@pytest.mark.parametrize("url", ["http://h/a/{x}/b", "http://h/a{/x}", "http://h{/x}", "http://h/a/{+x}{?y}"])
def test_no_cell_climbs_out_of_its_path(url: str, cell: str) -> None:
    if cell.startswith("%") and "+" not in url:
        assert b"%252e%252E" in sent(spec(url=url), {"x": cell}).target
    else:
        with pytest.raises(RowCannotBeSent, match=r"a segment \. or \.\."):
            sent(spec(url=url), {"x": cell})


def test_a_dot_that_is_no_segment_of_its_own_is_sent() -> None:
    assert sent(spec(url="http://h/.well-known/{x}{?y}"), {"x": ".a..b", "y": ".."}).target == (
        b"/.well-known/.a..b?y=.."
    )


def test_a_reserved_variable_cannot_begin_a_fragment() -> None:
    with pytest.raises(RowCannotBeSent, match="fragment"):
        sent(spec(url="http://h/{+x}"), {"x": "a#b"})


def test_a_reserved_variable_cannot_look_like_a_host() -> None:
    with pytest.raises(RowCannotBeSent, match="where a host may stand"):
        sent(spec(url="http://h/{+x}"), {"x": "/evil.example/a"})


@given(CELLS, CELLS)
def test_no_cell_changes_the_origin_or_the_segments_or_breaks_the_line(one: str, two: str) -> None:
    api = spec(url="https://api.example.com/a/{x}/b{;y}{?x,y}")
    try:
        target = sent(api, {"x": one, "y": two}).target.decode()
    except RowCannotBeSent:
        assert one in {".", ".."}
        return
    parts = urlsplit(RequestPlan.compile(api).origin + target)
    assert (parts.scheme, parts.netloc, parts.fragment) == ("https", "api.example.com", "")
    assert parts.path.count("/") == 3
    assert re.fullmatch("[!-~]+", target)
    wanted = [(name, each) for name, each in (("x", one), ("y", two)) if each]
    assert parse_qsl(parts.query, keep_blank_values=True) == wanted


@given(CELLS)
def test_no_cell_in_a_reserved_variable_changes_the_origin_or_breaks_the_line(cell: str) -> None:
    try:
        target = sent(spec(url="https://api.example.com/{+x}"), {"x": cell}).target.decode()
    except RowCannotBeSent:
        return
    assert re.match("/(?!/)", target)
    assert re.fullmatch("[!-~]+", target)
    assert "#" not in target


@given(st.dictionaries(st.text("abc", min_size=1), CELLS, max_size=4))
def test_a_form_says_what_the_row_says(row: dict[str, str]) -> None:
    body = sent(spec(encode="form"), row).body.decode()
    assert parse_qsl(body, keep_blank_values=True) == list(row.items())


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://{host}/a", "host part"),
        ("https://api.{x}.com/a", "host part"),
        ("https://api.example.com{x}", "host part"),
        ("https://api.example.com{+path}", "host part"),
        ("https://api.example.com:{port}/", "host part"),
        ("{scheme}://api.example.com/", "scheme and host never"),
        ("{+base}/a", "scheme and host never"),
        ("ftp://api.example.com/", "http:// or https://"),
        ("https:///a", "no host"),
        ("https://a b/", "no host"),
        ("https://h:99999/", "no host"),
        ("https://user:pw@h/", "in auth"),
        ("https://h//a", "write one /"),
        ("https://h/a#b", "fragment"),
        ("https://h/a{#b}", "fragment"),
        ("https://h/a/../b", "segment"),
        ("https://h/a{b*}", "at character 14"),
    ],
)
def test_an_address_that_cannot_be_used_says_why(url: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(problem)):
        compile_address(url)


@pytest.mark.parametrize(
    ("options", "key", "problem"),
    [
        ({"headers": {"X-A": "a\r\nX-B: c"}}, "headers.X-A", "line break"),
        ({"headers": {"X-A": "a\0"}}, "headers.X-A", "control character"),
        ({"headers": {"X-A": "€"}}, "headers.X-A", "Latin-1"),
        ({"headers": {"X A": "a"}}, "headers.X A", "cannot be the name"),
        ({"headers": {"X-A": "a", "x-a": "b"}}, "headers.x-a", "twice"),
        ({"headers": {"Content-Length": "3"}}, "headers.Content-Length", "by batchd itself"),
        ({"headers": {"X-A": "a"}, "secret_headers": ["x-a"]}, "headers.x-a", "twice"),
        ({"secret_headers": ["X A"]}, "headers.X A", "cannot be the name"),
        ({"url": "https://h/{k}", "secret_vars": ["k"], "vars": {"k": "x"}}, "vars.k", "not in the configuration"),
        ({"url": "https://h/{k}", "secret_vars": ["k"]}, "vars.k", "not in the configuration"),
        ({"body": "a b"}, "body", "at character 3"),
        ({"body": "a", "method": "GET"}, "body", "has none"),
        ({"url": "https://h/{v}", "vars": {"v": "nope(a)"}}, "vars.v", "no function"),
        ({"url": "https://h/{v*}"}, "url", "explode"),
        ({"bulk": BulkSpec(url="https://h/{x}", size=2, body="rows", results="r")}, "bulk.url", "of one row"),
        ({"bulk": BulkSpec(url="https://h/", size=2, body="rows", results="r"), "encode": "form"}, "encode", "as JSON"),
    ],
)
def test_a_spec_that_cannot_be_used_names_the_key(options: dict[str, Any], key: str, problem: str) -> None:
    with pytest.raises(InvalidSpec, match=re.escape(problem)) as refused:
        RequestPlan.compile(spec(**options))
    assert refused.value.key == key


def test_what_is_in_a_header_that_cannot_be_sent_is_not_shown() -> None:
    with pytest.raises(InvalidSpec) as refused:
        RequestPlan.compile(spec(headers={"X-Key": "hunter2\nX-B: c"}))
    assert "hunter2" not in str(refused.value)


def test_a_bulk_call_holds_its_rows_and_their_keys_as_the_expression_says() -> None:
    bulk = BulkSpec(
        url="https://bulk.example.com/match{?key}",
        size=2,
        body="{details: rows[*].{mail: email}, keys: keys}",
        results="matches",
        match_item="email",
        match_row="company",
    )
    api = spec(bulk=bulk, secret_vars=["key"], url="https://api.example.com/{last}")
    plan = RequestPlan.compile(api, {"key": "k"})
    assert plan.bulk is not None
    call = plan.bulk([ROW, {"email": "x@y.z"}], ["k1", "k2"])
    assert (call.method, call.target, call.key) == (b"POST", b"/match?key=k", "")
    assert orjson.loads(call.body) == {"details": [{"mail": "a@b.c"}, {"mail": "x@y.z"}], "keys": ["k1", "k2"]}
    assert plan.bulk_origin == "https://bulk.example.com"
    assert plan.needed_columns == ("last", "email", "company")
