"""The dialect of a file that is to be claimed: found, and refused where it is doubtful.

What is claimed already is never judged again: its batch ends by the dialect it began with.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

from activities.source.detection.doubt import Check
from activities.source.detection.encodings import check_encoding
from activities.source.detection.first_records import FirstRecords, first_records
from activities.source.detection.formats import check_format
from activities.source.detection.headers import check_header, check_width
from activities.source.detection.quotes import check_quotes
from activities.source.detection.separators import check_separator
from activities.source.dialect import Dialect, find_dialect
from activities.source.encoding import SAMPLE_BYTES, encoding_of
from activities.source.scanner import Window
from activities.source.utf8_scan import Utf8Scan
from workflows.models import CsvOptions

FORMAT_BYTES = 4_096
"""So much of a file shows its format."""


def claimed_dialect(window: Window, options: CsvOptions, scan: Utf8Scan, unchecked: Collection[Check] = ()) -> Dialect:
    """Decide the dialect of a file; `scan` has seen its bytes. Reads its first records.

    Raises:
        DoubtfulDialect: it would most likely be read otherwise than it was written.
        InvalidCsv: as `find_dialect`.
    """
    sample = window.read_at(0, SAMPLE_BYTES)
    encoding = encoding_of(sample, options.encoding, scan.found)
    if "format" not in unchecked:
        check_format(sample[:FORMAT_BYTES].decode(encoding.name, "replace"))
    if options.encoding == "auto" and not encoding.mark_bytes and "encoding" not in unchecked:
        check_encoding(scan)
    dialect = find_dialect(window, options, encoding)
    first = first_records(window, dialect, options.max_record_bytes)
    for name, check in checks_of_records(options):
        if name not in unchecked:
            check(first)
    return dialect


def checks_of_records(options: CsvOptions) -> list[tuple[Check, Callable[[FirstRecords], None]]]:
    """Return the checks that the first records of a file are held to, with their names."""
    checks: list[tuple[Check, Callable[[FirstRecords], None]]] = [
        ("quote", partial(check_quotes, options=options)),
    ]
    if options.has_header:
        checks.append(("header", check_header))
    elif options.column_names:
        checks.append(("header", check_width))
    if options.delimiter == "auto":
        checks.insert(1, ("delimiter", check_separator))
    return checks
