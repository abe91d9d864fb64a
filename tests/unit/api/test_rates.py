"""Rates as a configuration states them."""

from __future__ import annotations

import pytest

from activities.api.quota.rates import Rates, Window, parsed_rates
from workflows.errors import SettingsError


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ("10/s", Rates(10)),
        ("0.5/s", Rates(0.5)),
        ("1000/min", Rates(0, (Window(1_000, 60),))),
        (["10/s", "50000/day", "600 / h"], Rates(10, (Window(600, 3_600), Window(50_000, 86_400)))),
        (["9/min", "7/min", "3/s", "2/s"], Rates(2, (Window(7, 60),))),
        ([], Rates()),
    ],
)
def test_rates_of_a_second_are_smoothed_and_longer_ones_counted(texts: str | list[str], expected: Rates) -> None:
    assert parsed_rates(texts) == expected


@pytest.mark.parametrize("text", ["", "10", "10/", "0/s", "-1/s", "1e3/s", "10/m", "10/hour", "2.5/day", "٣/s"])
def test_what_is_no_rate_is_refused_by_its_text(text: str) -> None:
    with pytest.raises(SettingsError, match=r"rate '.*'"):
        parsed_rates([text])


def test_a_window_reads_as_it_is_written() -> None:
    assert [str(each) for each in parsed_rates(["5/min", "7/day", "6/h"]).windows] == ["5/min", "6/h", "7/day"]
