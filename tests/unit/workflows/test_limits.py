"""When a batch stops and asks."""

from __future__ import annotations

import pytest

from workflows.models import Counts, Shape
from workflows.operator_signals import excess


def counts(*, fallback: int = 0, rejected: int = 0, records: int = 1_000) -> Counts:
    enriched = records - fallback - rejected
    return Counts(records=records, enriched=enriched, fallback=fallback, rejected=rejected)


@pytest.mark.parametrize(
    ("limit", "fallback", "records", "asks"),
    [
        ("100%", 1_000, 1_000, False),
        ("5%", 50, 1_000, False),
        ("5%", 51, 1_000, True),
        ("5%", 50, 99, False),
        ("0%", 1, 1_000, True),
        ("10", 10, 1_000, False),
        ("10", 11, 11, True),
        ("0", 1, 1, True),
    ],
)
def test_a_share_counts_after_the_sample_and_a_count_at_once(
    limit: str, fallback: int, records: int, asks: bool
) -> None:
    shape = Shape(max_fallback=limit, limit_sample_rows=100)
    past = excess(shape, counts(fallback=fallback, records=records))
    assert (past is not None) == asks
    assert past is None or f"BATCH_MAX_FALLBACK={limit}" in past.reason


def test_rejected_records_have_a_limit_of_their_own() -> None:
    past = excess(Shape(max_rejected="3"), counts(rejected=4))
    assert past is not None
    assert past.reason == "4 of 1000 rows are rejected, more than BATCH_MAX_REJECTED=3 allows"


def test_a_file_smaller_than_the_sample_is_judged_as_a_whole() -> None:
    shape = Shape(max_fallback="5%", limit_sample_rows=100)
    assert excess(shape, counts(fallback=50, records=99)) is None
    assert excess(shape, counts(fallback=50, records=99), whole=True) is not None


def test_a_limit_that_was_accepted_is_not_asked_about_again_and_the_other_one_is() -> None:
    shape = Shape(max_fallback="3", max_rejected="3")
    past = excess(shape, counts(fallback=4, rejected=4), accepted=["MAX_FALLBACK"])
    assert past is not None
    assert past.limit == "MAX_REJECTED"
