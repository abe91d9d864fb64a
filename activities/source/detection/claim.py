"""The dialect of a file that is to be claimed: found, and refused where it is doubtful.

What is claimed already is never judged again: its batch ends by the dialect it began with.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from activities.source.detection.doubt import Check
from activities.source.detection.encodings import check_encoding
from activities.source.detection.first_records import first_records
from activities.source.detection.formats import check_format
from activities.source.detection.headers import check_header, check_separator
from activities.source.detection.quotes import check_quotes
from activities.source.dialect import Dialect, find_dialect
from activities.source.encoding import SAMPLE_BYTES, Utf8Scan, encoding_of
from activities.source.scanner import Window
from workflows.models import CsvOptions

_FORMAT_BYTES = 4_096


def claimed_dialect(window: Window, options: CsvOptions, scan: Utf8Scan, unchecked: Collection[Check] = ()) -> Dialect:
    """Decide the dialect of a file; `scan` has seen its bytes. Reads its first records.

    Raises:
        DoubtfulDialect: it would most likely be read otherwise than it was written.
        InvalidCsv: as `find_dialect`.
    """
    sample = window.read_at(0, SAMPLE_BYTES)
    encoding = encoding_of(sample, options.encoding, scan.encoding)
    if "format" not in unchecked:
        check_format(sample[:_FORMAT_BYTES].decode(encoding.name, "replace"))
    if options.encoding == "auto" and not encoding.mark_bytes and "encoding" not in unchecked:
        check_encoding(scan)
    dialect = find_dialect(window, replace(options, encoding=encoding.name))
    first = first_records(window, dialect, options.max_record_bytes)
    if "quote" not in unchecked:
        check_quotes(first)
    if options.delimiter == "auto" and "delimiter" not in unchecked:
        check_separator(first)
    if "header" not in unchecked:
        check_header(first)
    return dialect
