"""Ready markers: a small file beside the real one that says it is whole, and may say how long and what it is.

Lines of `size=123`, `rows=45`, `sha256=<hex>` (or with a colon), the same as a JSON object, or a line of `sha256sum`.
What is there is verified; anything else is passed over, and an empty marker only says "ready".
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from activities.source.source_file import SourceFile
from workflows.models import CsvOptions, Cursor

MAX_MARKER_BYTES = 4_096
PAGE_ROWS = 10_000
_FACT = re.compile(r"^\s*(size|bytes|rows|records|sha256)\s*[=:]\s*([0-9a-fA-F]+)\s*$", re.MULTILINE | re.IGNORECASE)
_SHA256SUM = re.compile(r"^\s*([0-9a-fA-F]{64})(?:\s|$)", re.MULTILINE)
_NAMES = {"bytes": "size", "records": "rows"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What a ready marker says about its file; None where it is silent."""

    size_bytes: int | None = None
    rows: int | None = None
    sha256: str | None = None


def promise_in(marker: Path) -> Promise:
    """Read a marker.

    Raises:
        OSError: it is gone, or no file that may be read.
    """
    fd = os.open(marker, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        text = os.read(fd, MAX_MARKER_BYTES).decode("utf-8", "replace")
    finally:
        os.close(fd)
    facts = _facts(text)
    size, rows, sha256 = (facts.get(name) for name in ("size", "rows", "sha256"))
    return Promise(
        size_bytes=int(size) if size and size.isdecimal() else None,
        rows=int(rows) if rows and rows.isdecimal() else None,
        sha256=sha256,
    )


def broken_promise(promise: Promise, *, size_bytes: int, sha256: str, path: Path, csv: CsvOptions) -> str:
    """Return what a file is not that its marker says, or nothing. Rows are counted only where a number is named."""
    if promise.size_bytes not in {None, size_bytes}:
        return f"its ready marker says {promise.size_bytes} bytes, the file has {size_bytes}"
    if promise.sha256 not in {None, sha256}:
        return f"its ready marker says sha256 {promise.sha256}, the file has {sha256}"
    if promise.rows is not None:
        rows = _rows(path, csv)
        if rows != promise.rows:
            return f"its ready marker says {promise.rows} rows, the file has {rows}"
    return ""


def _facts(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):  # no JSON, or nested so deep that it is no marker of anybody's
        found = dict(_FACT.findall(text))
    if not isinstance(found, dict):
        found = {}
    plain = {str(key).lower(): str(value).lower() for key, value in found.items() if not isinstance(value, dict | list)}
    facts = {_NAMES.get(key, key): value for key, value in plain.items()}
    bare = _SHA256SUM.search(text)
    return facts if "sha256" in facts or not bare else {**facts, "sha256": bare[1].lower()}


def _rows(path: Path, csv: CsvOptions) -> int:
    rows = 0
    cursor: Cursor | None = Cursor()
    with SourceFile.open(path, csv) as source:
        while cursor is not None:
            found = source.find_pages(cursor, page_rows=PAGE_ROWS, max_pages=1)
            rows += sum(page.records for page in found.pages)
            cursor = found.next
    return rows
