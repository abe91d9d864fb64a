"""Hold the reader against a folder of CSV files from elsewhere: `make corpus CORPUS=folder`.

The folder may hold `csv-spectrum/` (`csvs/*.csv`, each with the rows it must give in `json/`) and any other CSV files,
of which none may crash or hang the reader, and which must read the same in pages as whole.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from csv_pages import PAGE_SIZES, read_in_pages

from activities.source.source_file import Record, SourceFile
from workflows.errors import InvalidCsv
from workflows.models import CsvOptions

ERRATA = {"location_coordinates": {"Contact Phone Number": "2095257564"}}
"""Expected rows that contradict their own CSV file: the file's value, which is what a reader must give."""


def main(folder: Path) -> int:
    """Print one line per file; 0 where all is as it should be."""
    files = sorted(each for each in folder.rglob("*.csv") if each.is_file())
    verdicts = [_verdict(each) for each in files]
    for file, verdict in zip(files, verdicts, strict=True):
        sys.stdout.write(f"{verdict:<40} {file.relative_to(folder)}\n")
    wrong = sum(verdict.startswith("WRONG") for verdict in verdicts)
    sys.stdout.write(f"{len(files)} files, {wrong} wrong\n")
    return 1 if wrong or not files else 0


def _verdict(file: Path) -> str:
    try:
        whole = read_in_pages(file, 1_000_000)
    except InvalidCsv as refused:
        return f"refused: {str(refused).removeprefix(file.name + ': ')[:30]}"
    if any(read_in_pages(file, size) != whole for size in PAGE_SIZES):
        return "WRONG: pages differ from the whole"
    expected = file.parent.parent / "json" / f"{file.stem}.json"
    if file.parent.name == "csvs" and _rows(file) != _expected_rows(expected):
        return "WRONG: not the expected rows"
    return f"{len(whole)} records, {sum(not isinstance(row, Record) for row in whole)} rejected"


def _expected_rows(file: Path) -> list[dict[str, str]]:
    found = json.loads(file.read_text("utf-8"))
    rows = found if isinstance(found, list) else [found]
    return [row | ERRATA.get(file.stem, {}) for row in rows]


def _rows(file: Path) -> list[dict[str, str]]:
    with SourceFile.open(file, CsvOptions()) as source:
        names = source.dialect.columns
    rows = read_in_pages(file, 2)
    return [dict(zip(names, row.values, strict=True)) if isinstance(row, Record) else {} for row in rows]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
