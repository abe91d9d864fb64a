"""What all of the first records of a file share, so that it is sure: a last delimiter, spaces before their quotes."""

from __future__ import annotations

from dataclasses import replace

from activities.source.delimiter import SAMPLE_RECORDS, Sheet
from activities.source.field_format import DEFAULT_QUOTE, FieldFormat
from activities.source.grammar import value_pattern
from activities.source.parser import BadRecord, FieldSplitter, decoded

_SAMPLE_BYTES = 65_536


def regular_fields(sheet: Sheet, delimiter: str) -> FieldFormat:
    """Return how the fields of a file with a header are written, with what its first records share beside the marks."""
    fields = sheet.by(delimiter)
    if _has_spaced_quotes(sheet, fields):
        fields = replace(fields, trim=True)
    return replace(fields, trailing_delimiter=_has_trailing_delimiter(sheet, fields))


def _has_trailing_delimiter(sheet: Sheet, fields: FieldFormat) -> bool:
    """Return whether there are records, and all, the header too, are of one width with an empty field at their end."""
    rows = _rows(fields, _first_texts(sheet, fields, most=1))
    if not rows or len(rows[0]) == 1 or rows[0][-1]:
        return False
    rows = _rows(fields, _first_texts(sheet, fields))
    return len(rows) > 1 and all(len(row) == len(rows[0]) and not row[-1] for row in rows)


def _has_spaced_quotes(sheet: Sheet, fields: FieldFormat) -> bool:
    """Return whether spaces stand before all quotes but those at the start of a record, and nothing else is odd.

    Fields without quotes are then like them, or have no spaces around them.
    """
    if fields.trim or fields.quote != DEFAULT_QUOTE or fields.blanks != "" or fields.delimiter.strip(" ") == "":
        return False
    if not any(fields.quote in each for each in _first_texts(sheet, fields)):
        return False
    trimmed = replace(fields, trim=True)
    texts = _first_texts(sheet, trimmed)
    rows = _rows(replace(trimmed, bare_quotes="reject"), texts)
    if len(rows) < 2 or any(len(row) != len(rows[0]) for row in rows):  # noqa: PLR2004 - a header and a record
        return False
    leads = [each for text in texts for each in _leads(text, trimmed)]
    quoted = {spaced for is_quoted, spaced in leads if is_quoted}
    bare = {spaced for is_quoted, spaced in leads if not is_quoted}
    return quoted == {True} and len(bare) <= 1 and not any(_ends_with_blank(text, trimmed) for text in texts)


def _leads(text: str, fields: FieldFormat) -> list[tuple[bool, bool]]:
    """Return of each field but the first and empty ones whether it is quoted, and whether spaces stand before it."""
    found, at = [], 0
    for each in value_pattern(fields).finditer(text):
        shown = each[0].removesuffix(fields.delimiter)
        if at and shown.strip(fields.blanks):
            found.append((each["quoted"] is not None, shown[0] in fields.blanks))
        at = each.end()
        if not each["delimiter"]:
            break
    return found


def _ends_with_blank(text: str, fields: FieldFormat) -> bool:
    bare = [each["bare"] or "" for each in value_pattern(fields).finditer(text)]
    return any(each.strip(fields.blanks) and each[-1] in fields.blanks for each in bare)


def _first_texts(sheet: Sheet, fields: FieldFormat, most: int = SAMPLE_RECORDS) -> list[str]:
    """Return the header and the first records as texts; none where one of them is not sound."""
    walk = replace(sheet, fields=fields).walk(fields.delimiter)
    texts: list[str] = []
    while len(texts) < most and walk.offset - sheet.start < _SAMPLE_BYTES and walk.find_record():
        walk.pass_record()
        try:
            texts.append("" if walk.fault else decoded(walk.content, sheet.encoding.name))
        except BadRecord:
            return []
        if walk.fault:
            return []
    return texts


def _rows(fields: FieldFormat, texts: list[str]) -> list[list[str]]:
    """Return the values of each text; none where one of them is not sound."""
    splitter = FieldSplitter(fields)
    try:
        return [splitter.split(each) for each in texts]
    except BadRecord:
        return []
