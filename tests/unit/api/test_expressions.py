"""JMESPath, compiled: it finds what the library finds, and its numbers come out digit for digit."""

from __future__ import annotations

import json
from typing import Any

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError

from activities.api.mapping.exact_numbers import dumps, loads
from activities.api.mapping.expressions import ExpressionFailed, InvalidExpression, columns, compile_expression

VALUE = {
    "a": {"b": [{"c": 1, "d": "x"}, {"c": 3, "d": "y"}, {"d": None}], "e": {}, "f": "text"},
    "b": [[1, 2], 3, [[4]], "x", None, True],
    "c": "",
    "d": 2.5,
    "people": [{"name": "Ada", "age": 36}, {"name": "Bob", "age": 12}, {"name": "Cy", "age": 0}],
}

SAME_AS_THE_LIBRARY = """
@ | a | a.b | a.b[0] | a.b[-1].d | a.b[9] | a.b[*].c | a.b[].d | b[] | b[][] | b[1:3] | b[::-1] | a.* | *.f | a.*.c
people[?age > `12`].name | people[?age >= `12` && name != 'Bob'] | people[?!age] | people[*].[name, age]
people[*].{n: name, older: age > `20`} | a.{x: f, y: e, z: nothing.at.all} | nothing.{x: y} | nothing.[x]
c || a.f | c && a.f | !c | !d | d == `2.5` | d != `2` | d < `3` | a.b[0].c == `true` | a.e == `{}` | b[5] == `1`
join(', ', people[*].name) | sort_by(people, &age)[0].name | max_by(people, &age).name | map(&age, people)
length(people) | sum(people[*].age) | avg(people[*].age) | type(d) | type(b) | type(nothing) | keys(a.e)
not_null(nothing, c, d) | to_number('12') | to_number('x') | to_string(d) | to_string(a.b[0]) | merge(a.e, a.b[0])
contains(a.f, 'ex') | contains(b, `3`) | starts_with(a.f, 't') | reverse(a.f) | sort(people[*].name) | abs(`-3`)
ceil(d) | floor(d) | min(people[*].age) | values(a.b[0]) | to_array(d) | `[1, {"a": 2}]` | 'raw' | people[0].name
a.b | [0].c
""".replace("\n", " | ").split(" | ")


@pytest.mark.parametrize("text", [each for each in SAME_AS_THE_LIBRARY if each])
def test_a_compiled_expression_finds_what_the_library_finds(text: str) -> None:
    assert compile_expression(text).search(VALUE) == jmespath.search(text, VALUE)


NAMES = st.sampled_from(["a", "b", "c", "d", "@", "`1`", "'x'", "people"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("xyz", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=12,
)
EXPRESSIONS = st.recursive(
    NAMES,
    lambda inner: st.one_of(
        st.builds("{0}.{1}".format, inner, st.sampled_from(["a", "b", "*", "[a, b]", "{x: a}", "length(@)"])),
        st.builds("{0}{1}".format, inner, st.sampled_from(["[0]", "[-1]", "[*]", "[]", "[1:]", "[?a]", "[?b == `1`]"])),
        st.builds("({0} {1} {2})".format, inner, st.sampled_from(["||", "&&", "|", "=="]), inner),
        st.builds("!{0}".format, inner),
        st.builds("[{0}, {1}]".format, inner, inner),
        st.builds("{{x: {0}}}".format, inner),
        st.builds("not_null({0}, {1})".format, inner, inner),
    ),
    max_leaves=6,
)


@given(EXPRESSIONS, JSON)
def test_any_expression_over_any_value_finds_what_the_library_finds(text: str, value: Any) -> None:
    try:
        expected = jmespath.search(text, value)
    except JMESPathError:
        with pytest.raises((ExpressionFailed, InvalidExpression)):
            compile_expression(text).search(value)
    else:
        assert json.dumps(compile_expression(text).search(value)) == json.dumps(expected)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("price > `10`", True),
        ("price < big", True),
        ("big == `12345678901234567890123`", True),
        ("type(price)", "number"),
        ("type(big)", "number"),
        ("sum([price, `1`])", 11.9),
        ("max([price, `1`]) == price", True),
        ("length(sort_by(items, &p))", 3),
        ("'x' > price", None),
    ],
)
def test_any_number_of_an_answer_can_be_compared_and_added(text: str, found: Any) -> None:
    answer = loads(b'{"price": 10.90, "big": 12345678901234567890123, "items": [{"p": 2.50}, {"p": 1.0}, {"p": -0}]}')
    assert compile_expression(text).search(answer) == found


@pytest.mark.parametrize(
    "number",
    ["10.90", "12345678901234567890123", "-0", "1e400", "0.1000000000000000055", "-1E-7", "9" * 5000, "1.0", "7"],
)
def test_a_number_that_passes_through_is_written_digit_for_digit(number: str) -> None:
    answer = loads(b'{"a": [{"n": %b}], "z": 0.5}' % number.encode())
    written = f'{{"n":{number},"text":"{number}"}}'
    assert dumps(compile_expression("a[0].{n: n, text: to_string(n)}").search(answer)).decode() == written
    of_text = compile_expression("to_number(n)").search({"n": number})
    assert dumps([of_text]).decode() == f"[{number}]"


def test_numbers_are_sorted_by_size_and_keep_their_digits() -> None:
    answer = loads(b'[{"p": 2.50}, {"p": 1.00}, {"p": 3}]')
    assert dumps(compile_expression("sort_by(@, &p)[*].p").search(answer)) == b"[1.00,2.50,3]"


def test_a_whole_number_too_wide_for_64_bits_is_written_whole_also_where_it_was_computed() -> None:
    answer = loads(b'{"n": [12345678901234567890123, 1]}')
    assert dumps(compile_expression("{sum: sum(n), l: `99999999999999999999`}").search(answer)) == (
        b'{"sum":12345678901234567890124,"l":99999999999999999999}'
    )


@pytest.mark.parametrize("text", [" 5", "1_000", "nan", "inf", "+5", "05", "0x1", ""])
def test_to_number_takes_numbers_of_json_only(text: str) -> None:
    assert compile_expression("to_number(n)").search({"n": text}) is None


@pytest.mark.parametrize(
    ("text", "position", "problem"),
    [
        ("a)b", 2, "unexpected ')'"),
        ("{a: b", 6, "ends too early"),
        ("a = b", 3, "Unknown token"),
        ("", 1, "is empty"),
        ("a..b", 3, "unexpected '.'"),
        ("{n: lenght(a)}", 5, "there is no function lenght(); do you mean length()?"),
        ("join(a)", 1, "join() takes 2 arguments, and is given 1"),
        ("not_null()", 1, "takes at least 1"),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_a_caret(text: str, position: int, problem: str) -> None:
    with pytest.raises(InvalidExpression) as refused:
        compile_expression(text)
    assert refused.value.position == position
    lines = str(refused.value).split("\n")
    assert problem in lines[0]
    assert lines[1:] == [f"  {text}", " " * (position + 1) + "^"]


def test_a_function_that_meets_a_wrong_type_says_so_without_the_cell() -> None:
    with pytest.raises(ExpressionFailed, match=r"sum\(\) takes array-number, and was given string") as failed:
        compile_expression("sum(salary)").search({"salary": "confidential"})
    assert "confidential" not in str(failed.value)


@pytest.mark.parametrize("text", ["ceil(n)", "contains('abc', n)", "a[::0]"])
def test_whatever_goes_wrong_in_an_expression_is_one_kind_of_failure(text: str) -> None:
    with pytest.raises(ExpressionFailed):
        compile_expression(text).search({**loads(b'{"n": 1e400}'), "a": [1]})


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{a: x, b: [y, 'z'], c: join(' ', [first, last])}", ("x", "y", "first", "last")),
        ("nickname || name", ("nickname", "name")),
        ("@.x | length(@)", ("x",)),
        ("x.y", ("x",)),
        ('"first name"', ("first name",)),
        ("!(a == 'b') && c > `1`", ("a", "c")),
        ("`{}`", ()),
    ],
)
def test_the_columns_are_the_fields_of_the_row_itself(text: str, named: tuple[str, ...]) -> None:
    assert columns(text) == named


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{details: rows}", ()),
        ("{details: rows[*].{mail: email, n: name}, keys: keys}", ("email", "name")),
        ("rows[].email", ("email",)),
        ("rows[?country == 'DE'] | [*].city", ("country", "city")),
        ("map(&{e: email}, rows)", ("email",)),
        ("sort_by(rows, &age)[0].name", ("age", "name")),
        ("rows[1:].x", ("x",)),
    ],
)
def test_the_columns_of_a_bulk_body_are_those_of_its_rows(text: str, named: tuple[str, ...]) -> None:
    assert compile_expression(text, over="call").columns == named
