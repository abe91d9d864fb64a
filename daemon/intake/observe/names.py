"""What the name of an entry alone says: ignored, a ready marker, not of the pattern, or a file to be taken."""

from __future__ import annotations

import fnmatch
import re
from typing import Literal

from activities.file_source import ARCHIVE, FAILED
from activities.workspace import PROCESSING
from daemon.config.settings import Settings
from workflows.ids import displayed

DUPLICATES = "duplicates"

FOLDERS = (PROCESSING, ARCHIVE, FAILED, DUPLICATES)
"""What batchd keeps in an inbox."""

OWN_FOLDERS = frozenset({ARCHIVE.encode(), FAILED.encode(), DUPLICATES.encode()})
UNFINISHED = (b".part", b".partial", b".filepart", b".tmp", b".crdownload", b".swp", b"~")
"""Endings that uploaders and editors give a file until it is whole."""

NameKind = Literal["ignored", "own", "marker", "mismatch", "wanted"]


class Names:
    """Sorts names by the settings. Names are bytes, as the file system has them."""

    def __init__(self, settings: Settings) -> None:
        self._pattern = re.compile(fnmatch.translate(settings.pattern), re.IGNORECASE)
        before, _, after = settings.ready_marker.partition("{name}")
        self._marked = bool(settings.ready_marker)
        self._before, self._after = before.encode(), after.encode()

    def kind(self, name: bytes) -> NameKind:
        """Return what kind of name this is."""
        if name in OWN_FOLDERS:
            return "own"
        if self._is_marker(name):
            return "marker"
        if name.startswith(b".") or name.lower().endswith(UNFINISHED):
            return "ignored"
        return "wanted" if self._matches(name) else "mismatch"

    def marker_of(self, name: bytes) -> bytes | None:
        """Return the name of the ready marker that `name` needs; None where none is needed."""
        return self._before + name + self._after if self._marked else None

    def marked_by(self, marker: bytes) -> bytes:
        """Return the name that a ready marker speaks for."""
        return marker[len(self._before) : len(marker) - len(self._after)]

    def _is_marker(self, name: bytes) -> bool:
        if not self._marked or not name.startswith(self._before) or not name.endswith(self._after):
            return False
        return len(self._before) + len(self._after) < len(name) and self._matches(self.marked_by(name))

    def _matches(self, name: bytes) -> bool:
        return self._pattern.fullmatch(displayed(name)) is not None
