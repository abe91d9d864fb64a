"""`make mutants`: break a copy of the product in each way that is listed, and see that the proof finds it.

First each finder is held against the copy as it is, where it has to find nothing. Exits 1 where a breakage was not
found, or where there was something to find in the product itself.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from installation import temporal_server

from chaos.fault import Fault, Segment
from chaos.mutants.breakages import MUTANTS, Mutant, Sweep
from chaos.mutants.found import Found, write_found
from chaos.record import Entry
from chaos.runner import Run
from chaos.shrink import MOST_TRIES

ROOT = Path(__file__).resolve().parents[3]
KEPT = ROOT / ".chaos" / "mutants"
COPIED = ("activities", "batchd", "daemon", "mock_api", "workflows")
FOR_TESTS = ("tests", "pyproject.toml")
SEED = 1
MOST_SHOWN = 120


@dataclass(slots=True, kw_only=True)
class Check:
    """Copies in `work`, each for one breakage, and a Temporal server for all of them."""

    work: Path
    temporal: str
    _segments: int = field(default=0)

    def findings(self, mutant: Mutant, *, broken: bool) -> tuple[list[str], tuple[str, ...]]:
        """Return what the finder of a mutant says, in the copy that is broken or in one that is not.

        And beside it the shortest list of faults by which it says so, where the mutant asks for that.
        """
        copy = self.work / f"{mutant.name}-{'broken' if broken else 'sound'}"
        _make_copy(copy, [mutant] if broken else [])
        if isinstance(mutant.found_by, Sweep):
            return self._swept(copy, mutant.found_by, MOST_TRIES if broken and mutant.shortest else 0)
        return _tested(copy, mutant.found_by), ()

    def _swept(self, copy: Path, sweep: Sweep, most_tries: int) -> tuple[list[str], tuple[str, ...]]:
        faults = tuple(Fault(number=number, kind=sweep.kind, line=line) for number, line in enumerate(sweep.lines, 1))
        segment = Segment(name=copy.name, kind=sweep.kind, variant=sweep.variant, seed=SEED, faults=faults)
        entries: list[Entry] = []
        Run(
            work=self.work / "sites",
            kept=KEPT,
            temporal=self.temporal,
            say=lambda _: None,
            note=entries.append,
            env={"PYTHONPATH": str(copy)},
            most_tries=most_tries,
        ).go([segment], 1)
        [entry] = entries
        return entry["findings"], tuple(entry.get("shortest", ()))


def main() -> int:
    """Return 0 where every breakage was found."""
    asked = _parser().parse_args()
    chosen = [each for each in MUTANTS if not asked.only or each.name in asked.only.split()]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, temporal_server(Path(folder)) as address:
        check = Check(work=Path(folder), temporal=address)
        found = list(_all_found(check, chosen))
    if len(found) == len(MUTANTS):
        write_found(found)
    unfound = [each.mutant.name for each in found if not each.said]
    _say(
        f"{len(found) - len(unfound)} of {len(chosen)} breakages were found{': not ' if unfound else ''}{unfound or ''}"
    )
    return 1 if unfound or len(found) < len(chosen) else 0


def _all_found(check: Check, mutants: Iterable[Mutant]) -> Iterable[Found]:
    sound: dict[object, list[str]] = {}
    for mutant in mutants:
        if mutant.found_by not in sound:
            sound[mutant.found_by], _ = check.findings(mutant, broken=False)
        if sound[mutant.found_by]:
            _say(f"{mutant.name}: there is something to find in the product itself: {sound[mutant.found_by]}")
            continue
        said, shortest = check.findings(mutant, broken=True)
        _say(f"{mutant.name}: {f'found: {said[0][:MOST_SHOWN]}' if said else 'NOT FOUND'}")
        if shortest != mutant.shortest:
            _say(f"{mutant.name}: its shortest form is {shortest}, and should be {mutant.shortest}")
            continue
        yield Found(mutant=mutant, said=tuple(said))


def _make_copy(copy: Path, mutants: Iterable[Mutant]) -> None:
    for name in (*COPIED, *FOR_TESTS):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, copy / name)
    for mutant in mutants:
        for edit in mutant.edits:
            path = copy / edit.file
            text = path.read_text()
            assert text.count(edit.old) == 1, f"{mutant.name}: {edit.old!r} is not once in {edit.file}"
            path.write_text(text.replace(edit.old, edit.new))


def _tested(copy: Path, test: str) -> list[str]:
    """Return the names of the tests of a file that fail in the copy."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test]
    env = {**os.environ, "PYTHONPATH": str(copy)}
    done = subprocess.run(command, cwd=copy, env=env, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return []
    failed = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("FAILED ")]
    return [each.rpartition("::")[2] for each in failed] or [done.stdout[-500:] + done.stderr[-500:]]


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - what it is for


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--only", default="", help="names of breakages")
    return parser


if __name__ == "__main__":
    sys.exit(main())
