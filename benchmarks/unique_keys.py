"""What it costs to find the rows that repeat a key of a schema, before the first call: time, memory, disk.

`prepare_batch` alone, twice: once for its time, once traced for its memory. Every hundredth row of the file repeats the
key of the row before it: PYTHONPATH=tests/support python benchmarks/unique_keys.py [ROWS]
"""

from __future__ import annotations

import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

from schema_site import PEOPLE, SchemaSite

_MIB = 1_048_576


def unique_keys(rows: int = 1_000_000) -> dict[str, Any]:
    """Write such a file and prepare its batch. Memory is the peak of what Python allocates meanwhile."""
    with tempfile.TemporaryDirectory(prefix="batchd-bench-") as folder:
        ids = (row - (row % 100 == 0) for row in range(1, rows + 1))
        lines = (f"{each},a{each}@example.com,{20 + each % 50},{each}.50\n" for each in ids)
        site = SchemaSite(Path(folder), f"id,email,age,paid\n{''.join(lines)}", PEOPLE)
        began_cpu = time.process_time()
        found = site.prepared()
        took_s = time.process_time() - began_cpu
        kept = site.folder / ".duplicates"
        seen = {"rows": rows, "duplicates": found.duplicates, "us_a_row": round(took_s / rows * 1e6, 1)}
        seen["kept_kib"] = kept.stat().st_blocks // 2
        kept.unlink()
        tracemalloc.start()
        site.prepared()
        seen["peak_mib"] = round(tracemalloc.get_traced_memory()[1] / _MIB, 1)
        return seen


if __name__ == "__main__":
    sys.stdout.write(f"{unique_keys(*map(int, sys.argv[1:]))}\n")
