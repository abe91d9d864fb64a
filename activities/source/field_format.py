"""By which marks records and fields are told apart, and which rows are accepted."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_QUOTE = '"'
MOST_DELIMITER_CHARS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldFormat:
    r"""How the fields of a file are written.

    `delimiters` is one, of one or more characters, or several where any of them separates. `quote` is one character, or
    empty where nothing quotes. `escape` is empty where a quote inside a quoted field is doubled; else it is the
    character that takes the meaning of the next one away (a quote, itself, a line end, the beginning of a delimiter),
    and is text before anything else.
    """

    delimiters: tuple[str, ...]
    quote: str = DEFAULT_QUOTE
    escape: str = ""

    @property
    def delimiter(self) -> str:
        """The only delimiter, or the first of several."""
        return self.delimiters[0]

    @property
    def is_plain(self) -> bool:
        """Whether it is what most files have: double quotes, doubled inside, and a delimiter of one character."""
        return self == FieldFormat(delimiters=self.delimiters) and len(self.delimiters) == len(self.delimiter) == 1

    @property
    def longest_delimiter(self) -> int:
        """Characters of the longest delimiter."""
        return max(map(len, self.delimiters))


def can_separate(delimiter: str) -> bool:
    """Return whether fields may be separated by it: some characters that are no letters, digits or line ends."""
    return 1 <= len(delimiter) <= MOST_DELIMITER_CHARS and not any(
        each.isalnum() or each in "\r\n\0" for each in delimiter
    )
