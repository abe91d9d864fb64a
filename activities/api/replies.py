"""What an answer of the API means for a row, in one table.

The codes here are those in fallback rows and in the manifest. Sources: RFC 9110 section 15 (status codes), RFC 6585
(429), and the practice that a request which the server says is wrong does not become right by repeating it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any


class Meaning(Enum):
    """What to do with the row."""

    DONE = "done"
    RETRY = "retry"
    NOT_FOUND = "not_found"
    FALLBACK = "fallback"
    REFUSED = "refused"
    PAUSE = "pause"
    WAIT = "wait"


RETRIED_STATUSES = frozenset({408, 425, 429})
"""Client errors that are about the moment, not about the row."""

REFUSED_STATUSES = frozenset({401, 403})
"""The credentials are at fault, so that every row fails alike and the batch pauses; or it is this row alone."""

ROW_STATUSES = frozenset({"400", "409", "413", "422"})
"""Client errors that are about what a row holds. Any other may be the settings' fault, and so for every row."""

SLOW_DOWN_STATUSES = frozenset({"429", "503"})
"""The API says that it has too much to do: longer backoff, fewer calls at once."""

BUSY = "429"
"""The API asks for patience."""

STALE = "stale"
"""A call that went out on a connection which the server had just closed: it never saw it, and no attempt is counted."""

UNSENT = "unsent"
"""A call that was not made: the row cannot be made a request of. It is no call."""

CERTIFICATE = "certificate"
"""A call that was not made: one side does not accept the certificate of the other, or lack of one."""


@dataclass(slots=True)
class Reply:
    """The outcome of one call. Not frozen, which would cost as much as everything else about it.

    `status` is the number as text, or `timeout`, `connect` and the like where there was none. `code` is what a fallback
    row would say. `latency_ms` is that of the whole call, where there was an answer. `sent` is False where the API
    never saw the call. `by_rule`: an answer rule of the configuration gave the meaning.
    """

    meaning: Meaning
    status: str
    code: str
    answer: dict[str, Any] | None = field(default=None, repr=False)
    retry_after_s: float | None = None
    latency_ms: float = 0.0
    detail: str = ""
    sent: bool = True
    by_rule: bool = False

    @property
    def is_good(self) -> bool:
        """Whether the API did for the row what it can."""
        return self.meaning is Meaning.DONE or self.meaning is Meaning.NOT_FOUND

    @property
    def is_failure(self) -> bool:
        """Whether the API could not do it now, and may later."""
        return self.meaning is Meaning.RETRY or self.meaning is Meaning.WAIT

    @property
    def slow_down(self) -> bool:
        """Whether the API said that it has too much to do."""
        return self.status in SLOW_DOWN_STATUSES

    @property
    def may_be_settings(self) -> bool:
        """Whether the API would give this answer to every row where the address or the credentials are wrong."""
        if self.meaning is Meaning.REFUSED:
            return True
        by_status = self.meaning is Meaning.FALLBACK and not self.by_rule and self.status != UNSENT
        return by_status and self.status not in ROW_STATUSES


def meaning_of_status(status: int) -> Meaning:
    """Return what a status code means; a 2xx is DONE only if its body is a JSON object."""
    if 200 <= status < 300:  # noqa: PLR2004 - the class of success
        return Meaning.DONE
    if status in REFUSED_STATUSES:
        return Meaning.REFUSED
    if status in RETRIED_STATUSES or status >= 500:  # noqa: PLR2004 - the class of server errors
        return Meaning.RETRY
    return Meaning.FALLBACK


def retry_after_s(header: str | None, now_s: float, most_s: float) -> float | None:
    """Return the seconds a Retry-After header asks for, 0 to `most_s`; None where it is missing or makes no sense.

    Both forms of RFC 9110 section 10.2.3 are read: seconds, and a date. `now_s` is seconds since the epoch.
    """
    if header is None:
        return None
    text = header.strip()
    try:
        wanted = float(text)
    except ValueError:
        try:
            wanted = parsedate_to_datetime(text).timestamp() - now_s
        except (ValueError, OverflowError):
            return None
    if wanted != wanted or wanted < 0:  # noqa: PLR0124 - NaN alone differs from itself
        return None
    return min(wanted, most_s)
