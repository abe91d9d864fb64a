"""Quotes that are written otherwise than they are read: single ones, escaped ones, ones behind a space."""

from __future__ import annotations

import re

from activities.source.detection.doubt import DoubtfulDialect, FeedValue
from activities.source.detection.first_records import FirstRecords
from activities.source.field_format import DEFAULT_QUOTE
from workflows.models import CsvOptions

_HALF = 0.5
_LEAST = 2


def check_quotes(first: FirstRecords, options: CsvOptions) -> None:
    """Check the quotes of the first records, as far as the options do not say how they are written.

    Raises:
        DoubtfulDialect: they are written in a way that is not read so.
    """
    texts = [each for each in (first.header, *first.texts) if each]
    if not any(each in text for text in texts for each in "'\"\\"):
        return
    if options.quote == "auto":
        _check_single_quotes(first, texts)
    if first.fields.quote == DEFAULT_QUOTE and not first.fields.trim:
        _check_spaces(first, texts)
    if not options.escape:
        _check_escaped_quotes(first, texts)
        _check_escaped_delimiters(first)


def _check_single_quotes(first: FirstRecords, texts: list[str]) -> None:
    delimiter = re.escape(first.delimiter)
    if len(first.names) > 1 and all(re.fullmatch("'[^']+'", each.strip()) for each in first.names):
        raise _doubt("single quotes stand around its names", 'write double quotes (") around them, or none', quote="'")
    if _most(texts, re.compile(rf"(?:^|{delimiter})'(?:[^']|'')*'(?={delimiter}|$)"), opening=f"(?:^|{delimiter})'"):
        raise _doubt("single quotes stand around its fields", 'write double quotes (") around them', quote="'")


def _check_spaces(first: FirstRecords, texts: list[str]) -> None:
    delimiter = re.escape(first.delimiter)
    behind_space = re.compile(rf'{delimiter} +"(?:[^"]|"")*" *(?={delimiter}|$)')
    if _most(texts, behind_space, opening=rf'{delimiter} +"'):
        raise _doubt(
            "spaces stand before its opening quotes", "take the spaces between separators and quotes out", trim=True
        )


def _check_escaped_quotes(first: FirstRecords, texts: list[str]) -> None:
    delimiter = re.escape(first.delimiter)
    escaped = [
        text for text, row in zip(first.texts, first.rows, strict=True) if not row and re.search(r'[^\\]\\"', text)
    ]
    if escaped and not any('""' in re.sub(rf'(?:^|{delimiter})""(?={delimiter}|$)', "", each) for each in texts):
        raise _doubt("backslashes stand before the quotes inside its fields", 'double those quotes ("")', escape="\\")


def _most(texts: list[str], field: re.Pattern[str], *, opening: str) -> bool:
    """Return whether most records have such fields, and hardly one begins like one and is none."""
    having = sum(field.search(each) is not None for each in texts)
    fields = sum(len(field.findall(each)) for each in texts)
    begun = sum(len(re.findall(opening, each)) for each in texts)
    return having >= max(_LEAST, _HALF * len(texts)) and fields >= 0.9 * begun


def _check_escaped_delimiters(first: FirstRecords) -> None:
    escaped = [
        (row, count)
        for text, row in zip(first.texts, first.rows, strict=True)
        if '"' not in text and (count := text.count("\\" + first.delimiter))
    ]
    if escaped and all(len(row) - count == len(first.names) for row, count in escaped):
        raise _doubt(
            "backslashes stand before the separators inside its fields", "put such fields in double quotes", escape="\\"
        )


def _doubt(what: str, todo: str, **keys: FeedValue) -> DoubtfulDialect:
    return DoubtfulDialect("quote", what, logged=what, todo=todo, keys=keys)
