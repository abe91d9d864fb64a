"""All that is seen of how a file is written: every doubt, and what speaks for each decision."""

from __future__ import annotations

from dataclasses import dataclass, replace

from activities.source.detection.claim import FORMAT_BYTES, checks_of_records
from activities.source.detection.doubt import DoubtfulDialect
from activities.source.detection.encodings import candidates, check_encoding
from activities.source.detection.first_records import FirstRecords, first_records
from activities.source.detection.formats import check_format
from activities.source.dialect import Dialect, find_dialect
from activities.source.encoding import READABLE, SAMPLE_BYTES, encoding_of
from activities.source.scanner import Window
from activities.source.utf8_scan import Utf8Scan
from workflows.errors import InvalidCsv
from workflows.models import CsvOptions

_BLOCK_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class Examination:
    """What is seen. `refusals` are why the file would be refused, all of them; without one it is certain enough.

    `encoding` is the name of one, with `encoding_evidence`; `other_encodings` are likely ones that may be set. There is
    no `dialect` and no `first` where the file cannot be read at all.
    """

    refusals: tuple[InvalidCsv, ...]
    encoding: str = ""
    encoding_evidence: str = ""
    other_encodings: tuple[str, ...] = ()
    dialect: Dialect | None = None
    first: FirstRecords | None = None


def examine(window: Window, options: CsvOptions) -> Examination:
    """Look at a file, without any check left out. Reads all of its bytes. Blocking.

    Raises:
        SourceError: it cannot be read, or changed meanwhile.
    """
    scan = Utf8Scan()
    for offset in range(0, window.size_bytes, _BLOCK_BYTES):
        scan.feed(window.read_at(offset, _BLOCK_BYTES))
    sample = window.read_at(0, SAMPLE_BYTES)
    refusals: list[InvalidCsv] = []
    try:
        encoding = encoding_of(sample, options.encoding, scan.found)
        check_format(sample[:FORMAT_BYTES].decode(encoding.name, "replace"))
    except InvalidCsv as refused:
        return Examination((refused,))
    guessed = options.encoding == "auto" and not encoding.mark_bytes
    others: tuple[str, ...] = ()
    if guessed:
        try:
            check_encoding(scan)
        except DoubtfulDialect as doubt:
            refusals.append(doubt)
            others = tuple(each for each in candidates(scan) if each in READABLE)
    found = Examination(tuple(refusals), encoding.name, encoding.decided_by, others)
    try:
        dialect = find_dialect(window, options, encoding)
    except InvalidCsv as refused:
        return replace(found, refusals=(*refusals, refused))
    first = first_records(window, dialect, options.max_record_bytes)
    for _, check in checks_of_records(options):
        try:
            check(first)
        except DoubtfulDialect as doubt:
            refusals.append(doubt)
    return replace(found, refusals=tuple(refusals), dialect=dialect, first=first)
