"""Whether a whole file is UTF-8 or cp1252, told from all of its bytes, block by block.

UTF-8 where its valid multi-byte characters outnumber the broken bytes (pure ASCII included), else cp1252. A sample
would not do: the first accent of a file may stand behind any sample.
"""

from __future__ import annotations

_ASCII = bytes(range(0x80))
_LEAD_BYTES = ((0xF0, 4), (0xE0, 3), (0xC0, 2))
_MAX_CHAR_BYTES = 4
_REPLACEMENT = "\ufffd"


class Utf8Scan:
    """Counts what speaks for UTF-8 and what against it. ASCII costs next to nothing, in memory for one block."""

    def __init__(self) -> None:
        self._cut = b""
        self._wide = self._broken = 0

    def feed(self, block: bytes) -> None:
        """Take the next block of the file; blocks may cut characters anywhere."""
        if not self._cut and block.isascii():
            return
        content = self._cut + block
        whole = len(content) - _cut_bytes(content)
        self._cut = content[whole:]
        self._count(content[:whole])

    def encoding(self, *, cut: bool = False) -> str:
        """Return `utf-8` or `cp1252`, by all blocks so far.

        A character that their end cuts is a broken one, unless they are known to be `cut` themselves.
        """
        broken = self._broken + (bool(self._cut) and not cut)
        return "utf-8" if not broken or self._wide > broken else "cp1252"

    def _count(self, content: bytes) -> None:
        wide_bytes = len(content.translate(None, _ASCII))
        ascii_chars = len(content) - wide_bytes
        try:
            self._wide += len(content.decode()) - ascii_chars
        except UnicodeDecodeError:
            text = content.decode("utf-8", "replace")
            broken = text.count(_REPLACEMENT) - content.count(_REPLACEMENT.encode())
            self._broken += broken
            self._wide += len(text) - ascii_chars - broken


def _cut_bytes(content: bytes) -> int:
    """Return how many bytes at the end are the beginning of a character that goes on in the next block."""
    for count in range(1, min(_MAX_CHAR_BYTES, len(content) + 1)):
        byte = content[-count]
        if byte >= 0xC0:  # noqa: PLR2004 - from here on, lead bytes
            wanted = next(length for lead, length in _LEAD_BYTES if byte >= lead)
            return count if count < wanted else 0
        if byte < 0x80:  # noqa: PLR2004 - ASCII
            break
    return 0
