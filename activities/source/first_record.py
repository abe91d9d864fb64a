"""The first record of a file: the names of its columns, or of a file without a header how many there are."""

from __future__ import annotations

from collections.abc import Sequence

from activities.source.field_format import FieldFormat
from activities.source.parser import BadRecord, FieldSplitter, decoded
from activities.source.scanner import Borders
from workflows.errors import InvalidCsv
from workflows.models import CsvOptions


def given_names(walk: Borders, encoding: str, fields: FieldFormat, options: CsvOptions) -> Sequence[str]:
    """Return the names of the columns of a file without a header: as set, or by their positions.

    Raises:
        InvalidCsv: there is no record, or its fields cannot be told.
    """
    if options.column_names:
        if not walk.find_record():
            raise InvalidCsv("the file is empty: there is not one record")
        return options.column_names
    first = header_names(walk, encoding, fields, what="first record")
    return [f"column_{at}" for at in range(1, len(first) + 1)]


def header_names(walk: Borders, encoding: str, fields: FieldFormat, what: str = "header") -> list[str]:
    """Return the fields of the first record, and go past it.

    Raises:
        InvalidCsv: there is none, or its fields cannot be told.
    """
    if not walk.find_record():
        raise InvalidCsv(f"the file is empty: there is not even a {what}")
    walk.pass_record()
    if walk.fault in {"bad_quote", "unclosed_quote"}:
        raise InvalidCsv(f"the {what} has a quote that is not closed; close it, or double it where it is text")
    if walk.fault == "record_too_large":
        raise InvalidCsv(
            f"the {what} is longer than BATCH_MAX_RECORD_BYTES; shorten it, or raise that if this is a CSV file"
        )
    try:
        names = FieldSplitter(fields).split(decoded(walk.content, encoding))
    except BadRecord as bad:
        raise InvalidCsv(f"the {what} cannot be read: {bad.detail}") from None
    return names[:-1] if fields.trailing_delimiter else names
