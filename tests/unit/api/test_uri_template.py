"""Addresses with variables: the published cases of RFC 6570, and what batchd refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.api.mapping.exact_numbers import ExactFloat
from activities.api.mapping.uri_template import InvalidTemplate, compile_template, variables

PUBLISHED = Path(__file__).with_name("uritemplate")
"""Cases of https://github.com/uri-templates/uritemplate-test, with their licence."""

MODIFIER = re.compile(r"\{[^}]*(?:\*|:\d)[^}]*\}")


def published(*names: str) -> Iterator[tuple[str, dict[str, Any], Any]]:
    for name in names:
        for group in json.loads((PUBLISHED / name).read_text()).values():
            for template, expected in group["testcases"]:
                yield template, group["variables"], expected


EXAMPLES = list(published("spec-examples.json", "spec-examples-by-section.json", "extended-tests.json"))
UP_TO_LEVEL_3 = [each for each in EXAMPLES if not MODIFIER.search(each[0])]
LEVEL_4 = [each[0] for each in EXAMPLES if MODIFIER.search(each[0])]


@pytest.mark.parametrize(("template", "values", "expected"), UP_TO_LEVEL_3)
def test_every_published_example_without_a_modifier_holds(template: str, values: dict[str, Any], expected: Any) -> None:
    expanded = compile_template(template, keep_empty=True).expand(values)
    assert expanded in (expected if isinstance(expected, list) else [expected])


@pytest.mark.parametrize("template", LEVEL_4)
def test_every_published_example_with_a_modifier_is_refused_by_name(template: str) -> None:
    with pytest.raises(InvalidTemplate, match=r"the (explode modifier \*|prefix modifier :\d+) \(RFC 6570 level 4\)"):
        compile_template(template)


@pytest.mark.parametrize("template", [each[0] for each in published("negative-tests.json")])
def test_every_published_template_that_is_wrong_is_refused(template: str) -> None:
    with pytest.raises(InvalidTemplate, match="at character"):
        compile_template(template)


@pytest.mark.parametrize(
    ("template", "position", "problem"),
    [
        ("/a{b", 3, "{ has no }"),
        ("/a}b", 3, "} has no {"),
        ("/a{b*}", 5, "the explode modifier *"),
        ("/a{b,c:12}", 7, "the prefix modifier :12"),
        ("/{first name}", 8, "in vars"),
        ("/{}", 3, "no name of a variable"),
        ("/{!b}", 3, "the operator ! is reserved"),
        ("/a\r\nb", 3, "control character"),
    ],
)
def test_a_refusal_says_what_is_wrong_and_where(template: str, position: int, problem: str) -> None:
    with pytest.raises(InvalidTemplate) as refused:
        compile_template(template)
    assert refused.value.position == position
    assert problem in str(refused.value)


def test_an_empty_or_missing_value_falls_away() -> None:
    expand = compile_template("/people{?email,name}{&page}").expand
    assert expand({"email": "", "name": "Ada"}) == "/people?name=Ada"
    assert expand({"email": "", "name": None}) == "/people"


def test_literals_are_encoded_beforehand() -> None:
    assert compile_template("/straße 1%20b/100%").expand({}) == "/stra%C3%9Fe%201%20b/100%25"


def test_numbers_and_truth_values_stand_as_json_writes_them() -> None:
    expand = compile_template("{?a,b,c}").expand
    assert expand({"a": 12, "b": True, "c": ExactFloat("0.10")}) == "?a=12&b=true&c=0.10"


def test_the_variables_are_those_of_all_expressions_in_order() -> None:
    assert variables("/a/{x}{?y,last.name}{&x}") == ("x", "y", "last.name")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_value_comes_out_as_it_went_in_and_cannot_change_the_structure(cell: str) -> None:
    expanded = compile_template("/a/{x}/b?c={x}").expand({"x": cell})
    assert re.fullmatch(r"/a/[A-Za-z0-9\-._~%]*/b\?c=[A-Za-z0-9\-._~%]*", expanded)
    assert unquote(expanded) == f"/a/{cell}/b?c={cell}"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_reserved_expansion_lets_nothing_through_but_characters_of_an_address(cell: str) -> None:
    assert re.fullmatch(r"[!-~]*", compile_template("{+x}").expand({"x": cell}))
