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
    and is text before anything else. A line that begins with `comment` is no record. With `trim`, spaces and tabs
    around values and quotes are left out. A quote inside an unquoted field is text, unless `bare_quotes` is `reject`. A
    record of fewer fields than the header is rejected, unless `short_rows` is `pad`: then the missing ones are empty.
    With `trailing_delimiter` each record has one more, empty field at its end, which is none.
    """

    delimiters: tuple[str, ...]
    quote: str = DEFAULT_QUOTE
    escape: str = ""
    comment: str = ""
    trim: bool = False
    bare_quotes: str = "accept"
    short_rows: str = "reject"
    trailing_delimiter: bool = False

    @property
    def delimiter(self) -> str:
        """The only delimiter, or the first of several."""
        return self.delimiters[0]

    @property
    def is_plain(self) -> bool:
        """Whether it is what most files have: double quotes, doubled inside, and a delimiter of one character."""
        return self == FieldFormat(delimiters=self.delimiters) and len(self.delimiters) == len(self.delimiter) == 1

    @property
    def blanks(self) -> str:
        """What is left out around values: spaces and tabs that do not separate, or nothing."""
        return "".join(each for each in " \t" if each not in self.delimiters) if self.trim else ""

    @property
    def longest_delimiter(self) -> int:
        """Characters of the longest delimiter."""
        return max(map(len, self.delimiters))


def can_separate(delimiter: str) -> bool:
    """Return whether fields may be separated by it: some characters that are no letters, digits or line ends."""
    return 1 <= len(delimiter) <= MOST_DELIMITER_CHARS and not any(
        each.isalnum() or each in "\r\n\0" for each in delimiter
    )
