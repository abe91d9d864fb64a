"""A file that is read line by line and hashed on the way, so that what was read is what is vouched for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator


class HashedLines:
    """Lines of a file, hashed as they are read."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        for raw in self._lines:
            self._digest.update(raw)
            self.size_bytes += len(raw)
            yield raw

    def are(self, *, size_bytes: int, sha256: str) -> bool:
        """Read what is left, and tell whether the whole file is the one of this size and digest."""
        for _ in self:
            pass
        return (self.size_bytes, self._digest.hexdigest()) == (size_bytes, sha256)
