"""What `doctor` says of the clock of this host: how far it is from those of the servers it talks to."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from daemon.batchctl.checks.findings import Finding, ok, warn
from daemon.batchctl.console.printing import format_duration

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
MOST_OFF_S = 5.0
"""A Date header has whole seconds, and its answer took some time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherClock:
    """A clock elsewhere, `ahead_s` seconds ahead of this one, negative where it is behind."""

    whose: str
    ahead_s: float

    @property
    def named(self) -> str:
        """Whose clock it is; one of this host proves nothing, and says so."""
        return f"{self.whose} (this host itself)" if self.whose in LOOPBACK else self.whose


def clock_of_answer(whose: str, date: str, *, asked_at: datetime) -> OtherClock | None:
    """Return the clock that a Date header (RFC 9110, 6.6.1) shows; None where it shows none.

    `asked_at` is the time here when it was asked; the answer has just come.
    """
    with contextlib.suppress(TypeError, ValueError):
        # The header is of some moment of its second, and of some moment between question and answer.
        there = parsedate_to_datetime(date) + timedelta(seconds=0.5)
        there = there if there.tzinfo else there.replace(tzinfo=UTC)
        here = asked_at + (datetime.now(tz=UTC) - asked_at) / 2
        return OtherClock(whose=whose, ahead_s=(there - here) / timedelta(seconds=1))
    return None


def clock_finding(clocks: Sequence[OtherClock]) -> Finding | None:
    """Return what the clocks say of ours; None where there is none to compare it with."""
    if not clocks:
        return None
    far = [each for each in clocks if abs(each.ahead_s) > MOST_OFF_S]
    if not far:
        whose = ", ".join(dict.fromkeys(each.named for each in clocks))
        return ok("clock", f"as that of {whose}, within {MOST_OFF_S:g} s")
    found = ", ".join(
        f"{format_duration(abs(each.ahead_s))} {'behind' if each.ahead_s > 0 else 'ahead of'} that of {each.whose}"
        for each in far
    )
    todo = "set it by NTP (timedatectl set-ntp true): certificates, tokens and times in logs and manifests go by it"
    return warn("clock", f"this host is {found}", todo)
