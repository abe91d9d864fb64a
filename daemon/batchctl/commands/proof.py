"""`verify` and `export`: a result checked and written out from its folder alone, without Temporal or batchd."""

from __future__ import annotations

import argparse
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, BinaryIO

from activities.disk.atomic_files import removed_after
from daemon.batchctl.arguments import add_id, add_json
from daemon.batchctl.console.printing import format_bytes, put, put_json, say, standard_output
from daemon.batchctl.exit_codes import DONE, FAILED, NoSuchBatch
from daemon.batchctl.settings_in_use import SettingsInUse
from daemon.batchctl.state.resolve import offline
from daemon.batchctl.state.session import Session
from daemon.results.export import Format, export_rows
from daemon.results.verdict import Check, Verdict
from daemon.results.verify import verify
from workflows.errors import SettingsError, shortened
from workflows.models import Counts

ID_OR_DIR = "batch (id, beginning or file name), or a folder with a result"


def add_verify(parser: argparse.ArgumentParser) -> None:
    """Declare `verify`."""
    add_id(parser, help_text=ID_OR_DIR, metavar="ID|DIR")
    parser.add_argument("--source", metavar="FILE", type=Path, help="compare every cell with this source too")
    add_json(parser)


def add_export(parser: argparse.ArgumentParser) -> None:
    """Declare `export`."""
    add_id(parser, help_text=ID_OR_DIR, metavar="ID|DIR")
    form = parser.add_mutually_exclusive_group(required=True)
    form.add_argument("--csv", dest="form", action="store_const", const="csv", help="as CSV")
    form.add_argument("--jsonl", dest="form", action="store_const", const="jsonl", help="as one JSON object a line")
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="a file, replaced when the export is whole, or a pipe or device; standard output by default",
    )
    parser.add_argument(
        "--formula-safe", action="store_true", help="in CSV, disarm cells that a spreadsheet would run as a formula"
    )


def run_verify(in_use: SettingsInUse, parsed: argparse.Namespace) -> int:
    """Print every check; exit code 1 where the proof does not hold."""
    verdict = verify(result_folder(in_use, parsed.id), source=parsed.source)
    if parsed.json:
        put_json(verdict_document(verdict))
    else:
        for check in verdict.checks:
            put(_format_check(check))
        put(summary(verdict))
    return DONE if verdict.ok else FAILED


def run_export(in_use: SettingsInUse, parsed: argparse.Namespace) -> int:
    """Write the rows to standard output or to a file."""
    folder = result_folder(in_use, parsed.id)
    form: Format = parsed.form
    with standard_output() if parsed.output is None else output_file(parsed.output) as out:
        rows = export_rows(folder, out, form, formula_safe=parsed.formula_safe)
    say(f"{rows:,} rows" + (f" in {parsed.output}" if parsed.output else ""))
    return DONE


def result_folder(in_use: SettingsInUse, name: str) -> Path:
    """Return the folder that `name` means: itself, or the output folder of that batch.

    Raises:
        NoSuchBatch: it is neither.
    """
    if os.path.isdir(name):  # noqa: PTH112 - an empty name is no folder, and one that is too long no error
        return Path(name)
    if "/" in name or not name:
        raise NoSuchBatch(f"no batch {shortened(ascii(name), 120)}: there is no such folder, or it may not be read")
    session = Session(in_use)
    identity = offline(session, name)
    return session.output_dir(identity, session.receipts.read(identity))


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """Return what `verify --json` prints."""
    return {key: value for key, value in asdict(verdict).items() if key != "not_found" or value}


def _format_check(check: Check) -> str:
    mark = "FAIL" if not check.ok else "WARN" if check.warning else "ok"
    return f"{mark:<5} {check.name}" + (f": {check.detail}" if check.detail else "")


def summary(verdict: Verdict) -> str:
    """Return the last line of `verify`."""
    if not verdict.ok:
        failed = len(verdict.failed())
        return f"NOT VERIFIED: {failed} of {len(verdict.checks)} checks failed in {verdict.directory}"
    counts = Counts(**{each.name: getattr(verdict, each.name) for each in fields(Counts) if each.name != "by_error"})
    rows = " + ".join(f"{rows:,} {outcome}" for outcome, rows in counts.outcomes().items())
    files = f"{verdict.files:,} files, {format_bytes(verdict.bytes)} in {verdict.directory}"
    return f"VERIFIED: {verdict.records:,} records = {rows}; {files}"


@contextmanager
def output_file(name: str) -> Iterator[BinaryIO]:
    """Yield a pipe or device, or a file that appears, behind links, only when the block has ended well.

    Raises:
        SettingsError: it is no name of a file.
        OSError: it cannot be written; `filename` is `name`.
    """
    try:
        there = _existing(name)
        in_place = there is not None and not stat.S_ISREG(there.st_mode)
        with Path(name).open("wb") if in_place else _replaced(name, there) as out:
            yield out
    except OSError as error:
        raise OSError(error.errno, error.strerror, name) from error


def _existing(name: str) -> os.stat_result | None:
    if not name:
        raise SettingsError("export: --output is empty; give the name of a file")
    try:
        there = os.stat(name)  # noqa: PTH116 - a Path would drop the slash at the end
    except FileNotFoundError:
        there = None
    if name.endswith("/") or (there and stat.S_ISDIR(there.st_mode)):
        raise SettingsError(f"export: --output {name} is a folder; give the name of a file in it")
    return there


@contextmanager
def _replaced(name: str, there: os.stat_result | None) -> Iterator[BinaryIO]:
    """Write beside what the name leads to, and put it in its place when it is whole and durable."""
    target = Path(os.path.realpath(name))
    hidden = target.with_name(f".export-{os.getpid()}-{secrets.token_hex(4)}.part")
    with removed_after(hidden):
        with hidden.open("xb") as out:
            if there:
                os.fchmod(out.fileno(), stat.S_IMODE(there.st_mode))
            yield out
            out.flush()
            os.fsync(out.fileno())
        hidden.replace(target)
