"""A whole result as one stream, in source order: CSV for spreadsheets and databases, JSON lines for programs.

Rejected records are not rows and stand only in their own files. The newest generation counts.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal

import orjson

from activities.disk.directory import Directory
from activities.disk.errors import disk_errors
from activities.disk.hashing import HashedBlocks
from activities.exact_json import loads
from activities.manifest.reader import digest_of, newest_generation, read_manifest, saved_pages
from activities.manifest.retried_page import damaged
from activities.output.chunk_format import elements_of
from activities.output.names import manifest_name
from activities.output.output_folder import OutputFolder
from activities.output.page_journal import FileFacts, SavedPage

Format = Literal["csv", "jsonl"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_PLAIN_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_OWN_COLUMNS = ("_row", "enriched")
_ROWS_AT_ONCE = 1_000


def export_rows(directory: Path, out: BinaryIO, fmt: Format, *, formula_safe: bool = False) -> int:
    r"""Write every row of the newest generation to `out` and return how many there are.

    As CSV (UTF-8, RFC 4180 with CRLF): the source's columns, `_row`, `enriched`, then what the API added by name, and
    `error` last where there are fallback rows; a value that is no text is written as JSON, a number digit for digit.
    As JSON lines: each row as it stands in its chunk. Memory is bounded; CSV reads every chunk twice, since its header
    must name every column.

    Args:
        directory: the output folder.
        out: where to.
        fmt: `csv` or `jsonl`.
        formula_safe: in CSV, put `'` before a cell that a spreadsheet would run as a formula (it starts with one of
            `= + - @`, tab or CR, and is no plain number).

    Raises:
        OutputRefused: there is no finished result, or a chunk is missing or not what the manifest says. The latter
            is known only when the chunk has been read, so some of its rows may have been written.
    """
    with OutputFolder.existing(directory) as folder:
        generation = newest_generation(folder) or 1
        manifest = read_manifest(folder, generation)
        if digest_of(manifest) != manifest["integrity"]["digest"]:
            raise damaged(folder, manifest_name(generation))
        rows = _Rows(folder, saved_pages(manifest))
        if fmt == "jsonl":
            return _write_lines(rows, out)
        return _write_table(rows, manifest["dialect"]["columns"], out, formula_safe=formula_safe)


class _Rows:
    """The rows of a result, as often as they are asked for."""

    def __init__(self, folder: Directory, pages: Sequence[SavedPage]) -> None:
        self._folder = folder
        self._pages = pages

    def raw(self) -> Iterator[bytes]:
        """Yield each row as the bytes it is in its chunk."""
        for saved in self._pages:
            yield from self._elements(saved.chunk)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for saved in self._pages:
            for raw in self._elements(saved.chunk):
                row = _parsed(raw)
                if row is None:
                    raise damaged(self._folder, saved.chunk.file)
                yield row

    def _elements(self, chunk: FileFacts) -> Iterator[bytes]:
        """Yield the rows of a chunk; at its end it must have been the file that the manifest lists."""
        file = self._folder.reading(chunk.file) if self._folder.size_bytes(chunk.file) == chunk.bytes else None
        if file is None:
            raise damaged(self._folder, chunk.file)
        with file, disk_errors(f"reading {self._folder.path / chunk.file}"):
            lines = HashedBlocks(file)
            try:
                yield from elements_of(lines)
            except ValueError as error:
                raise damaged(self._folder, chunk.file) from error
            if not lines.are(size_bytes=chunk.bytes, sha256=chunk.sha256):
                raise damaged(self._folder, chunk.file)


def _parsed(raw: bytes) -> dict[str, Any] | None:
    try:
        row = loads(raw)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _write_lines(rows: _Rows, out: BinaryIO) -> int:
    written = 0
    for raw in rows.raw():
        out.write(raw + b"\n")
        written += 1
    return written


def _write_table(rows: _Rows, columns: Sequence[str], out: BinaryIO, *, formula_safe: bool) -> int:
    names = [*columns, *_OWN_COLUMNS, *_added_columns(rows, columns)]
    cell = _formula_safe_cell if formula_safe else _cell
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([cell(name) for name in names])
    written = 0
    for row in rows:
        writer.writerow([cell(row.get(name)) for name in names])
        written += 1
        if written % _ROWS_AT_ONCE == 0:
            _flush(text, out)
    _flush(text, out)
    return written


def _added_columns(rows: _Rows, columns: Sequence[str]) -> list[str]:
    found: dict[str, None] = {}
    for row in rows:
        found.update(dict.fromkeys(row))
    known = {*columns, *_OWN_COLUMNS, "error"}
    return [*sorted(name for name in found if name not in known), *(["error"] if "error" in found else [])]


def _flush(text: io.StringIO, out: BinaryIO) -> None:
    out.write(text.getvalue().encode())
    text.seek(0)
    text.truncate()


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else orjson.dumps(value).decode()


def _formula_safe_cell(value: Any) -> str:
    cell = _cell(value)
    if cell.startswith(_FORMULA) and _PLAIN_NUMBER.fullmatch(cell) is None:
        return f"'{cell}"
    return cell
