"""How a service is, in one line: for `systemctl status`, where people look first."""

from __future__ import annotations

from collections.abc import Sequence

from daemon.intake.inbox_now import InboxNow

WAITING = ("settling", "held", "queued", "starting")
"""The states of files that are still to become a batch."""


def inboxes_line(inboxes: Sequence[InboxNow]) -> str:
    """Return how the inboxes are: batches under way, files that wait, inboxes that are not there."""
    seen = [each.files for each in inboxes if each.files is not None]
    if not inboxes:
        return "another batchd works the inbox"
    under_way = sum(files["claimed"] for files in seen)
    waiting = sum(files[state] for files in seen for state in WAITING)
    unseen = [each.feed or "default" for each in inboxes if each.files is None]
    away = f", inbox of {' and '.join(unseen[:3])} cannot be read" if unseen else ""
    return f"{_counted(under_way, 'batch', 'batches')} under way, {_counted(waiting, 'file')} waiting{away}"


def workers_line(ready: int, workers: int) -> str:
    """Return how many worker processes are ready."""
    return f"{ready} of {_counted(workers, 'worker')} ready"


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
