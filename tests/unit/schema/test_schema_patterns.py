"""Patterns are those of XML Schema, match the whole value, and take time by the length of the value alone."""

from __future__ import annotations

import pytest

from activities.schema.pattern import compile_pattern


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("[a-z-[aeiou]]+", "rhythm", "word"),
        ("[^0-9-[5]]", "a", "1"),
        (r"\p{Lu}\p{Ll}+", "\u00c9mile", "\u00e9mile"),
        (r"\P{L}+", "123", "1a3"),
        (r"\p{IsBasicLatin}+", "abc", "\u00e9"),
        (r"[\p{IsGreek}a]+", "\u03b1a", "b"),
        (r"\P{IsCyrillic}+", "abc", "\u0434"),
        (r"\i\c*", "_name-1.2", "1name"),
        (r"[\i]+", "a:b", "-"),
        (r"\d{3}", "123", "12a"),
        (r"a\.b", "a.b", "axb"),
        ("a.b", "axb", "a\nb"),
        ("a.b", "a-b", "a\rb"),
        (r"[a&&b]+", "a&b", "c"),
        (r"[\[\]]+", "[]", "a"),
        (r"[\-x]+", "-x", "y"),
        ("^a|b$", "b", "ab"),
        ("a|b", "a", "ab"),
        ("", "", "a"),
    ],
)
def test_a_pattern_matches_as_xml_schema_says(pattern: str, matching: str, other: str) -> None:
    fits = compile_pattern(pattern)
    assert fits(matching)
    assert not fits(other)


def test_a_line_end_behind_the_value_is_not_passed_over() -> None:
    assert not compile_pattern("^a$")("a\n")


@pytest.mark.parametrize("pattern", ["(a+)+", "(a|a)*", "(.*a){20}", "([a-z]+)*x"])
def test_a_pattern_that_takes_others_years_is_answered(pattern: str) -> None:
    assert not compile_pattern(pattern)("a" * 50_000 + "!")


@pytest.mark.parametrize("pattern", ["(", "[a", "a{2,1}", r"(?<=a)b", r"(a)\1", "*", r"(\w{1000}){1000}"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        compile_pattern(pattern)
