"""Which failpoints a worker and a daemon pass, how often in one batch of three pages, and where a system call may fail.

`test_chaos_runner.py` holds the two lists together against the list of the product: each place is in one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

_MOST = 3
"""Passes of one place that are aimed at, one by one; further ones are as these."""

WORKER: Mapping[str, int] = {
    "activity.done": 9,
    "folder.make.before": 7,
    "folder.make.after": 1,
    "marker.before": 1,
    "marker.after": 1,
    "file.write.before": 6,
    "file.write": 6,
    "file.write.after": 6,
    "file.sync.before": 6,
    "file.sync.after": 6,
    "link.before": 7,
    "link.after": 7,
    "folder.sync.before": 8,
    "folder.sync.after": 8,
    "page.read": 3,
    "connect.before": 4,
    "call.sent": 24,
    "call.answered": 24,
    "part.write.before": 24,
    "part.write.after": 24,
    "journal.write.before": 3,
    "journal.write.after": 3,
    "part.remove.before": 3,
    "part.remove.after": 3,
    "manifest.link.before": 1,
    "manifest.link.after": 1,
    "tidy.remove": 3,
    "receipt.open.before": 2,
    "receipt.write.before": 1,
    "receipt.rename.before": 1,
    "receipt.renamed": 1,
    "receipt.written": 1,
    "new_file.open.before": 1,
    "new_file.sync.before": 1,
    "names.sync.before": 4,
    "move.before": 1,
    "filing.begun": 1,
    "filing.reasoned": 1,
    "filing.moved": 1,
    "filing.synced": 1,
    "filing.closed": 1,
    "filing.done": 1,
}

DAEMON: Mapping[str, int] = {
    "take.begun": 2,
    "identify.open": 2,
    "identity.link.before": 1,
    "claim.folder_made": 1,
    "claim.receipted": 1,
    "claim.renamed": 1,
    "claim.marker_moved": 1,
    "claim.synced": 1,
    "refusal.reasoned": 1,
    "refusal.moved": 1,
    "duplicate.receipted": 1,
    "duplicate.moved": 1,
    "launch.begun": 1,
    "launch.started": 1,
    "launch.receipted": 1,
    "receipt.open.before": 3,
    "receipt.write.before": 1,
    "receipt.rename.before": 1,
    "receipt.renamed": 1,
    "receipt.written": 1,
    "reason.write.before": 1,
    "reason.written": 1,
    "new_file.open.before": 3,
    "new_file.sync.before": 3,
    "names.sync.before": 3,
    "move.before": 3,
}

ELSEWHERE: Mapping[str, str] = {
    "control.write.before": "passed by a pause: the kind `pause`",
    "control.written": "passed by a pause: the kind `pause`",
    "part.sync.before": "passed while a page takes longer than a heartbeat: the variant `long-pages`",
}

OF_CONTENT = frozenset({"identity.link.before", "claim.marker_moved"})
"""Passed only where identity is by content, or where files have ready markers: the variant `content`."""

WORKER_CALLS: Mapping[str, tuple[str, ...]] = {
    "folder.make.before": ("EIO", "ENOSPC"),
    "marker.before": ("EIO", "ENOSPC"),
    "file.write.before": ("EIO", "ENOSPC", "EMFILE"),
    "file.write": ("EIO", "ENOSPC"),
    "file.sync.before": ("EIO", "ENOSPC"),
    "link.before": ("EIO", "ENOSPC"),
    "folder.sync.before": ("EIO",),
    "connect.before": ("EMFILE", "ECONNREFUSED"),
    "part.write.before": ("EIO", "ENOSPC"),
    "journal.write.before": ("EIO", "ENOSPC"),
    "manifest.link.before": ("EIO", "ENOSPC"),
    "receipt.open.before": ("EIO", "EMFILE"),
    "receipt.write.before": ("EIO", "ENOSPC", "EMFILE"),
    "receipt.rename.before": ("EIO",),
    "new_file.open.before": ("EIO", "ENOSPC", "EMFILE"),
    "new_file.sync.before": ("EIO", "ENOSPC"),
    "names.sync.before": ("EIO",),
    "move.before": ("EIO", "ENOSPC"),
}
"""Where a system call of a worker may fail, and of what."""

DAEMON_CALLS: Mapping[str, tuple[str, ...]] = {
    "identify.open": ("EIO", "EMFILE"),
    "identity.link.before": ("EIO", "ENOSPC"),
    "receipt.open.before": ("EIO", "EMFILE"),
    "receipt.write.before": ("EIO", "ENOSPC", "EMFILE"),
    "receipt.rename.before": ("EIO",),
    "reason.write.before": ("EIO", "ENOSPC"),
    "new_file.open.before": ("EIO", "ENOSPC", "EMFILE"),
    "new_file.sync.before": ("EIO", "ENOSPC"),
    "names.sync.before": ("EIO",),
    "move.before": ("EIO", "ENOSPC"),
}

WRITES = ("file.write", "part.write.before", "journal.write.before")
"""Where half of what is to be written can be written."""


def passes(places: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Yield each place with each pass that is aimed at, from 1; of many passes the last one too."""
    for place, count in places.items():
        yield from ((place, nth) for nth in range(1, min(count, _MOST) + 1))
        if count > _MOST:
            yield place, count
