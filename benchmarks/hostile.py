"""A gigabyte with an unclosed quote and a field of 100 MB in it: what reading it costs, and how little it takes along.

The reader alone, page by page as the activities use it:
PYTHONPATH=tests/support python benchmarks/hostile.py [MEGABYTES [PAGE_ROWS]]
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from activities.source.source_file import Record, SourceFile
from workflows.models import CsvOptions, Cursor

MEGABYTE = 1_000_000
PLAIN_ROW = b"17,Anna Meier,Main Street 1,anna@example.org,2026-01-01\n"
ROW = b'17,"Anna ""Annie"" Meier","Main Street 1, 10115 Berlin",anna@example.org,2026-01-01\n'


def hostile(megabytes: int = 1_000, page_rows: int = 500) -> dict[str, Any]:
    """Write such a file, find its pages, read every row; memory is the peak of this process."""
    with tempfile.TemporaryDirectory(prefix="batchd-bench-") as folder:
        file = Path(folder) / "hostile.csv"
        rows = _write(file, megabytes)
        before_mib = _peak_rss_mib()
        began, began_cpu = time.perf_counter(), time.process_time()
        records, rejected = _read(file, page_rows)
        took_s, took_cpu_s = time.perf_counter() - began, time.process_time() - began_cpu
        return {
            "megabytes": megabytes,
            "rows_written": rows,
            "records": records,
            "rejected": rejected,
            "mb_per_s": round(megabytes / took_s),
            "mb_per_cpu_s": round(megabytes / took_cpu_s),
            "rss_growth_mib": round(_peak_rss_mib() - before_mib, 1),
        }


def _write(file: Path, megabytes: int) -> int:
    """Write the file; return the number of sound rows in it."""
    half = (megabytes - 100) // 2
    quoted, plain = MEGABYTE // len(ROW), MEGABYTE // len(PLAIN_ROW)
    with file.open("wb") as out:
        out.write(b"id,name,address,email,since\n")
        for _ in range(half):
            out.write(ROW * quoted)
        out.write(b'17,"a quote that nobody closes,x,y,z\n')
        for _ in range(half):
            out.write(PLAIN_ROW * plain)
        out.write(b"17,")
        for _ in range(100):
            out.write(b"x" * MEGABYTE)
        out.write(b",x,y,z\n" + PLAIN_ROW)
    return half * (quoted + plain) + 1


def _read(file: Path, page_rows: int) -> tuple[int, list[tuple[int, str]]]:
    records, rejected = 0, []
    with SourceFile.open(file, CsvOptions()) as source:
        cursor: Cursor | None = Cursor()
        while cursor is not None:
            found = source.find_pages(cursor, page_rows=page_rows, max_pages=4)
            for page in found.pages:
                for row in source.read_page(page):
                    if isinstance(row, Record):
                        records += 1
                    else:
                        rejected.append((row.number, row.reason))
            cursor = found.next
    return records, rejected


def _peak_rss_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024


if __name__ == "__main__":
    print(hostile(*map(int, sys.argv[1:])))
