"""Whether a file is UTF-8 or cp1252, where neither a mark nor the setting says it."""

from __future__ import annotations

from activities.source.encoding import Encoding
from activities.source.high_bytes import HighBytes

_ASCII = bytes(range(0x80))
_LEAD_BYTES = ((0xF0, 4), (0xE0, 3), (0xC0, 2))
_MAX_CHAR_BYTES = 4
_REPLACEMENT = "\ufffd"
_RARE = 0.1


class Utf8Scan:
    """Finds out whether a whole file is UTF-8 or cp1252, from all of its bytes, block by block.

    UTF-8 where its valid multi-byte characters outnumber the broken bytes (pure ASCII included), else cp1252. A sample
    would not do: the first accent of a file may stand behind any sample. ASCII costs next to nothing; memory is for one
    block.
    """

    def __init__(self) -> None:
        self._cut = b""
        self._wide = self._broken = 0
        self.high_bytes = HighBytes()

    @property
    def is_ascii(self) -> bool:
        """Whether there are ASCII characters alone."""
        return not (self._wide or self.is_broken)

    @property
    def is_broken(self) -> bool:
        """Whether some bytes are not UTF-8."""
        return bool(self._broken or self._cut)

    @property
    def has_both(self) -> bool:
        """Whether there are valid multi-byte characters and broken bytes, neither of them a rare exception."""
        return bool(self._broken) and self._wide > _RARE * self._broken

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

    def found(self) -> Encoding:
        """Return the encoding of the whole file, all of which has been fed, with what speaks for it."""
        name = self.encoding()
        if name == "cp1252":
            return Encoding(name, decided_by="the file is not UTF-8; this is what such files mostly are")
        if self.is_ascii:
            return Encoding(name, decided_by="the file has ASCII characters alone")
        most = "nearly all characters outside ASCII are" if self.is_broken else "all of the file is"
        return Encoding(name, decided_by=f"{most} valid in it")

    def _count(self, content: bytes) -> None:
        wide_bytes = len(content.translate(None, _ASCII))
        ascii_chars = len(content) - wide_bytes
        try:
            self._wide += len(content.decode()) - ascii_chars
        except UnicodeDecodeError:
            text = content.decode("utf-8", "replace")
            broken = text.count(_REPLACEMENT) - content.count(_REPLACEMENT.encode())
            self._broken += broken
            self.high_bytes.count(content)
            self._wide += len(text) - ascii_chars - broken


def guessed_by_sample(sample: bytes, *, whole: bool) -> Encoding:
    """Return `utf-8` or `cp1252`, by a sample that is the `whole` file or its beginning."""
    scan = Utf8Scan()
    scan.feed(sample)
    return Encoding(scan.encoding(cut=not whole))


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
