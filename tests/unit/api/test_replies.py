"""What a status, a Retry-After and an address mean, without a socket."""

from __future__ import annotations

import pytest

from activities.api.options import LONGEST_HELD_S
from activities.api.replies import Meaning, meaning_of_status, retry_after_s
from activities.api.transport.replies import public_address


@pytest.mark.parametrize(
    ("statuses", "meaning"),
    [
        ((200, 201, 202, 299), Meaning.DONE),
        ((400, 404, 405, 409, 410, 413, 415, 422, 301, 304), Meaning.FALLBACK),
        ((401, 403), Meaning.REFUSED),
        ((408, 425, 429, 500, 502, 503, 504, 599), Meaning.RETRY),
    ],
)
def test_each_status_has_one_meaning(statuses: tuple[int, ...], meaning: Meaning) -> None:
    assert {meaning_of_status(each) for each in statuses} == {meaning}


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("7", 7.0),
        ("0", 0.0),
        ("0.5", 0.5),
        ("1e9", LONGEST_HELD_S),
        ("-3", None),
        ("soon", None),
        ("nan", None),
        ("Thu, 01 Jan 1970 00:00:30 GMT", 20.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_HELD_S),
    ],
)
def test_retry_after_is_read_as_seconds_and_as_a_date_within_reason(header: str | None, expected: float | None) -> None:
    assert retry_after_s(header, now_s=10.0, most_s=LONGEST_HELD_S) == expected


def test_an_address_is_shown_without_what_may_be_secret() -> None:
    assert (
        public_address("https://user:pass@api.example.org:8443/v1/enrich?token=x")
        == "https://api.example.org:8443/v1/enrich"
    )


def test_the_template_of_an_address_is_shown_without_its_query() -> None:
    assert public_address("https://api.example.org/{id}/enrich{?email}") == "https://api.example.org/{id}/enrich"
