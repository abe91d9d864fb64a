"""Durations, rates and file name patterns."""

from __future__ import annotations

import fnmatch
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.config.grammar.globs import overlap
from daemon.config.grammar.quantities import CallRate, call_rates, duration_s, duration_text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("90s", 90), ("10min", 600), ("10m", 600), ("24h", 86_400), ("2d", 172_800), ("1.5h", 5_400)],
)
def test_a_duration_is_read_with_its_unit(text: str, seconds: float) -> None:
    assert duration_s(text) == seconds


@pytest.mark.parametrize("value", ["", "10", 10, "h", "-1s", "1 week", "31d", "0s", True, None, ["1s"], "1h30min"])
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="must be a duration"):
        duration_s(value)


@pytest.mark.parametrize("text", ["24h", "90s", "0.5s", "1min", "1.25s"])
def test_a_duration_is_shown_as_it_is_read(text: str) -> None:
    assert duration_text(duration_s(text)) == text


@pytest.mark.parametrize(
    ("value", "rates"),
    [
        ("10/s", [(10, 1)]),
        ("1000/min", [(1_000, 60)]),
        ("2 / h", [(2, 3_600)]),
        (["10/s", "50000/day"], [(10, 1), (50_000, 86_400)]),
        ([], []),
    ],
)
def test_a_rate_is_calls_in_a_time_and_several_hold_at_once(value: object, rates: list[tuple[float, float]]) -> None:
    assert call_rates(value) == tuple(CallRate(calls=calls, per_s=per_s) for calls, per_s in rates)


@pytest.mark.parametrize(
    "value", ["", "10", 10, "10/minute", "x/s", "0/s", ["10/s", "5/s"], [10], {"s": 1}, "-1/s", "2.5/day"]
)
def test_what_is_no_rate_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="rate"):
        call_rates(value)


@pytest.mark.parametrize("text", ["10/s", "1000/min", "0.5/s", "50000/day"])
def test_a_rate_is_shown_as_it_is_read(text: str) -> None:
    assert str(call_rates(text)[0]) == text


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("*.csv", "*.csv", True),
        ("*.csv", "*.CSV", True),
        ("*.csv", "*.txt", False),
        ("a*.csv", "b*.csv", False),
        ("a*.csv", "*a.csv", True),
        ("a?.csv", "ab*.csv", True),
        ("[a-c]*", "[d-f]*", False),
        ("[!a]*.csv", "a*.csv", False),
        ("[!a]*.csv", "[!b]*.csv", True),
        ("users-*.csv", "users.csv", False),
    ],
)
def test_two_patterns_overlap_where_a_name_matches_both(one: str, other: str, both: bool) -> None:
    assert overlap(one, other) is both
    assert overlap(other, one) is both


_PATTERNS = st.text(st.sampled_from("ab*?"), max_size=6)


@settings(max_examples=60, deadline=None)
@given(_PATTERNS, _PATTERNS, st.text("abc", min_size=1, max_size=6))
def test_patterns_that_share_a_name_are_never_said_to_be_apart(one: str, other: str, name: str) -> None:
    if all(re.compile(fnmatch.translate(each)).fullmatch(name) for each in (one, other)):
        assert overlap(one, other)
