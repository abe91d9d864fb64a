"""On which line each key of a TOML document stands, which `tomllib` does not say.

Works on text that `tomllib` has read without an error, so it follows the grammar (toml.io, 1.0.0) and checks none of
it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from typing import TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]
"""Keys from the top of the document; a number is a place in an array, from 0."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}(?!")'
    r"|'''.*?'{3,5}(?!')"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n]+")


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line, from 1, of every table, key and element of an array in a TOML document that can be read.

    A table that is opened in more than one place has the line of the first.
    """
    return _Scan(text).lines


class _Scan:
    def __init__(self, text: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._text, self._at = text.replace("\r\n", "\n"), 0
        self._line, self._counted_to = 1, 0
        self._tables: dict[KeyPath, int] = {}
        base: KeyPath = ()
        while self._skip_blank():
            if self._text[self._at] == "[":
                base = self._header()
            else:
                self._key_and_value(base)

    def _skip_blank(self) -> bool:
        self._take(_BLANK)
        return self._at < len(self._text)

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise ValueError("no TOML that tomllib has read")
        self._at = found.end()
        return found[0]

    def _record(self, path: KeyPath, start: int) -> None:
        self._line += self._text.count("\n", self._counted_to, start)
        self._counted_to = start
        for end in range(1, len(path) + 1):
            self.lines.setdefault(path[:end], self._line)

    def _header(self) -> KeyPath:
        start = self._at
        many = self._text.startswith("[[", start)
        self._at += 2 if many else 1
        path = self._within_arrays(self._dotted_key(), to_end=not many)
        self._at += 2 if many else 1
        if many:
            self._tables[path] = self._tables.get(path, -1) + 1
            path = (*path, self._tables[path])
        self._record(path, start)
        return path

    def _within_arrays(self, keys: tuple[str, ...], *, to_end: bool) -> KeyPath:
        """Return the path of a table in the last table of each array of tables that it leads through."""
        path: KeyPath = ()
        for index, key in enumerate(keys):
            path = (*path, key)
            if path in self._tables and (to_end or index < len(keys) - 1):
                path = (*path, self._tables[path])
        return path

    def _dotted_key(self) -> tuple[str, ...]:
        keys: list[str] = []
        while True:
            self._skip_blank()
            quoted = self._text[self._at] in "\"'"
            part = self._take(_STRING if quoted else _BARE)
            keys.append(tomllib.loads(f"key = {part}")["key"] if quoted else part)
            self._skip_blank()
            if self._text[self._at] != ".":
                return tuple(keys)
            self._at += 1

    def _key_and_value(self, base: KeyPath) -> None:
        start = self._at
        path = (*base, *self._dotted_key())
        self._record(path, start)
        self._at += 1  # the equals sign
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        self._skip_blank()
        first = self._text[self._at]
        if first == "[":
            self._each("]", lambda index: self._element((*path, index)))
        elif first == "{":
            self._each("}", lambda _: self._key_and_value(path))
        else:
            self._take(_STRING if first in "\"'" else _SCALAR)

    def _each(self, end: str, item: Callable[[int], None]) -> None:
        self._at += 1
        index = 0
        while self._skip_blank() and self._text[self._at] != end:
            item(index)
            index += 1
            self._skip_blank()
            self._at += self._text[self._at] == ","
        self._at += 1

    def _element(self, path: KeyPath) -> None:
        self._record(path, self._at)
        self._value(path)
