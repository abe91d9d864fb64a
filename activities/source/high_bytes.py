"""Counts in text that is not UTF-8 what speaks against cp1252, its usual encoding otherwise.

Five bytes mean nothing in cp1252; long runs of bytes above 0x7F are no words in a Western language; and there are signs
(quotes, currencies, capitals) that never stand inside a lower-case word, where other encodings have their accents.
"""

from __future__ import annotations

import re

_ASCII = bytes(range(0x80))
_UNDEFINED = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_RUN = re.compile(rb"[\x80-\xff]{3,}")
_ODD = re.compile(
    rb"[a-z](?:[\x82\x84\x88\x8a\x8c\x8e\x98\x9f]"
    rb"|[\x80\x83\x86\x87\x89\x8b\x93\x94\x9b\xa1-\xa6\xa8\xac\xaf\xb1-\xb3\xb6\xb8\xb9\xbb-\xd6\xd8-\xde\xf7](?=[a-z]))"
)
_ACCENT = re.compile(rb"[a-z][\x9a\x9c\x9e\xdf-\xf6\xf8-\xff]")
_MOST_BYTES = 4_194_304
_AROUND_BYTES = 16
_LONG_RUN = 4
_FEW_ODD = 0.2
_RUN_SHARE = 0.5


class HighBytes:
    """What was counted so far. `excerpt` is a word that speaks against cp1252, as bytes; empty where none does."""

    def __init__(self) -> None:
        self.undefined = self.odd = self.accents = 0
        self.excerpt = b""
        self._high = self._in_runs = self._longest = self._counted = 0

    def count(self, content: bytes) -> None:
        """Take a part of the text; what comes behind the first 4 MiB is passed over."""
        if self._counted >= _MOST_BYTES:
            return
        self._counted += len(content)
        self._high += len(content.translate(None, _ASCII))
        runs = [len(run) for run in _RUN.findall(content)]
        self._in_runs += sum(runs)
        self._longest = max([self._longest, *runs])
        self.undefined += len(_UNDEFINED.findall(content))
        self.odd += len(_ODD.findall(content))
        self.accents += len(_ACCENT.findall(content))
        if not self.excerpt:
            self.excerpt = _excerpt(content)

    @property
    def has_runs(self) -> bool:
        """Whether most bytes above 0x7F stand in runs, some of them long."""
        return self._longest >= _LONG_RUN and self._in_runs >= _RUN_SHARE * self._high

    @property
    def has_odd_signs(self) -> bool:
        """Whether signs stand inside words, and not just here and there beside accents."""
        return self.odd > _FEW_ODD * (self.odd + self.accents)


def _excerpt(content: bytes) -> bytes:
    found = _UNDEFINED.search(content) or _ODD.search(content) or _RUN.search(content)
    if found is None:
        return b""
    start, end = found.span()
    before = re.split(rb"[^A-Za-z\x80-\xff ]", content[max(0, start - _AROUND_BYTES) : start])[-1]
    behind = re.split(rb"[^A-Za-z\x80-\xff ]", content[end : end + _AROUND_BYTES])[0]
    return bytes(before + content[start:end] + behind).strip()
