"""How fast a file is read, beside Python's own csv.reader on the same file, and in how much memory.

`find_pages` and `rows_of` each go over the whole file, so a batch costs both. In pairs, one after the other in one
process, the median of each: python benchmarks/reading.py [MEGABYTES]
"""

from __future__ import annotations

import csv
import gc
import sys
import tempfile
import time
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

from activities.source.source_file import SourceFile
from workflows.models import CsvOptions, Cursor, Page

_MB = 1_000_000
_MIB = 1_048_576
_PAIRS = 5
_PAGE_ROWS = 500
_MOST_PAGES = 1_000_000
_HEADER = "id,name,email,city,note\n"
_ROWS: dict[str, str] = {
    "plain": "{0},Jane Doe,jane.doe{0}@example.com,Zürich,some words about the row\n",
    "quoted": '"{0}","Jane ""J"" Doe","jane.doe{0}@example.com","Zürich","some words, about the row"\n',
    "multi-line": '{0},Jane Doe,jane.doe{0}@example.com,Zürich,"some words\nabout the row, on ""three""\nlines"\n',
}


def reading(megabytes: int = 20) -> list[dict[str, Any]]:
    """Write a file of each kind, and return what was measured with each."""
    with tempfile.TemporaryDirectory(prefix="batchd-bench-") as folder:
        return [_measured(kind, _written(Path(folder), kind, megabytes)) for kind in _ROWS]


def _written(folder: Path, kind: str, megabytes: int) -> Path:
    path, row = folder / f"{kind}.csv", _ROWS[kind]
    rows = megabytes * _MB // len(row.format(100_000).encode())
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(_HEADER)
        file.writelines(row.format(each) for each in range(rows))
    return path


def _measured(kind: str, path: Path) -> dict[str, Any]:
    megabytes = path.stat().st_size / _MB
    with SourceFile.open(path, CsvOptions(delimiter=",", encoding="utf-8")) as source:
        pages = _pages(source)
        ways: dict[str, Callable[[], object]] = {
            "csv_reader": lambda: _by_csv_reader(path),
            "rows_of": lambda: _by_rows(source, pages),
            "find_pages": lambda: _pages(source),
        }
        took: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(_PAIRS):
            for name, way in ways.items():
                took[name].append(_seconds(way))
        peak_mib = round(_peak_bytes(lambda: _by_rows(source, pages)) / _MIB, 1)
    usual = median(took["csv_reader"])
    both = [rows + found for rows, found in zip(took["rows_of"], took["find_pages"], strict=True)]
    return {
        "file": kind,
        **{f"{name}_mb_s": round(megabytes / median(each)) for name, each in took.items()},
        "rows_of_ratio": round(usual / median(took["rows_of"]), 2),
        "find_pages_ratio": round(usual / median(took["find_pages"]), 2),
        "both_ratio": round(usual / median(both), 2),
        "rows_of_peak_mib": peak_mib,
    }


def _pages(source: SourceFile) -> list[Page]:
    return source.find_pages(Cursor(), page_rows=_PAGE_ROWS, max_pages=_MOST_PAGES).pages


def _by_rows(source: SourceFile, pages: list[Page]) -> None:
    _exhaust(chain.from_iterable(source.rows_of(page) for page in pages))


def _by_csv_reader(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        _exhaust(csv.reader(file))


def _exhaust(rows: Iterable[object]) -> None:
    deque(rows, maxlen=0)


def _seconds(way: Callable[[], object]) -> float:
    gc.collect()
    began = time.process_time()
    way()
    return time.process_time() - began


def _peak_bytes(way: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        way()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


if __name__ == "__main__":
    for found in reading(*map(int, sys.argv[1:])):
        sys.stdout.write(f"{found}\n")
