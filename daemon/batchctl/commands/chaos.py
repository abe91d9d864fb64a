"""`chaos`: a batch in a folder of its own, with everything killed every few seconds, and what came of it."""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from daemon.batchctl.arguments import add_json, seconds
from daemon.batchctl.chaos.cleaner import Cleaner
from daemon.batchctl.chaos.display import chaos_display
from daemon.batchctl.chaos.judgement import Judgement, judge
from daemon.batchctl.chaos.ports import own_port
from daemon.batchctl.chaos.programs import end_all
from daemon.batchctl.chaos.site import Site
from daemon.batchctl.chaos.story import Story, Wishes
from daemon.batchctl.commands.proof import summary, verdict_document
from daemon.batchctl.console.printing import counted, format_duration, put, put_facts, put_json, say
from daemon.batchctl.exit_codes import DONE, FAILED
from daemon.batchctl.settings_in_use import SettingsInUse
from daemon.temporal.server_program import HOW_TO_INSTALL, server_program
from workflows.errors import SettingsError

FEWEST_ROWS, MOST_ROWS = 100, 200_000
MOST_SEEDS = 100_000
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def add_chaos(parser: argparse.ArgumentParser) -> None:
    """Declare `chaos`."""
    parser.add_argument("--rows", metavar="N", type=_rows, default=10_000, help="rows of the batch (default: 10000)")
    parser.add_argument(
        "--seconds",
        metavar="S",
        type=seconds,
        default=25.0,
        help="about how long the rows would take if nothing were killed; sets how slow the API is (default: 25)",
    )
    parser.add_argument(
        "--every",
        metavar="S",
        type=seconds,
        default=1.5,
        help="about how long everything runs between two kills (default: 1.5)",
    )
    parser.add_argument("--seed", metavar="N", type=int, help="repeat the file and the order of the kills of a run")
    parser.add_argument("--keep", action="store_true", help="leave the folder where it is, and name it")
    add_json(parser)


def run_chaos(_: SettingsInUse | None, parsed: argparse.Namespace) -> int:
    """Run it; exit code 1 where anything is not as promised, and then the folder stays as evidence.

    Raises:
        SettingsError: the Temporal server or the mock API is not installed.
        ChaosFailed: something does not start, or the batch does not go on; the folder stays.
    """
    _check_installed()
    seed = random.randrange(MOST_SEEDS) if parsed.seed is None else parsed.seed  # noqa: S311 - no secret
    wishes = Wishes(rows=parsed.rows, seconds=parsed.seconds, every_s=parsed.every, seed=seed)
    with _interrupted_by_signals(), _own_folder(keep=parsed.keep) as folder, own_port() as port:
        site = Site(root=folder.path, rows=wishes.rows, server_port=port)
        if not parsed.json:
            goes = "" if folder.keep else ", which goes at the end"
            put(f"{counted(wishes.rows, 'row')}, seed {seed}, in {site.root}{goes}")
        judgement, took_s = _told(site, wishes, quiet=parsed.json)
        problems = judgement.problems()
        folder.keep = folder.keep or bool(problems)
        if parsed.json:
            kept = str(folder.path) if folder.keep else None
            put_json(_document(wishes, judgement, took_s, kept))
        else:
            _put(judgement, took_s, problems)
    return FAILED if problems else DONE


def _check_installed() -> None:
    if server_program() is None:
        raise SettingsError(f"chaos runs a Temporal server of its own, which is not installed; {HOW_TO_INSTALL}")
    if find_spec("mock_api") is None:
        raise SettingsError("chaos calls the mock API, which is not here; install batchd as a whole, or use its clone")


class _Folder:
    """Where everything of a run lies, and whether it stays."""

    def __init__(self, path: Path, *, keep: bool) -> None:
        self.path, self.keep = path, keep


@contextmanager
def _own_folder(*, keep: bool) -> Iterator[_Folder]:
    """Yield a new folder, which goes at the end; where something went wrong it stays, and is named."""
    folder = _Folder(Path(tempfile.mkdtemp(prefix="batchd-chaos-")).resolve(), keep=keep)
    cleaner = Cleaner(folder.path)
    try:
        yield folder
    except Exception:
        folder.keep = True
        raise
    finally:
        cleaner.end(keep=folder.keep)
        if folder.keep:
            say(f"kept {folder.path}; its batch: batchctl --config {folder.path}/batchd.toml status users.csv")


@contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """Let the first signal that ends this process interrupt it, and no further one disturb how it cleans up."""

    def interrupt(*_: object) -> NoReturn:
        for each in ENDINGS:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    heeded = [each for each in ENDINGS if signal.getsignal(each) is not signal.SIG_IGN]  # as nohup(1) has it
    before = {each: signal.signal(each, interrupt) for each in heeded}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _told(site: Site, wishes: Wishes, *, quiet: bool) -> tuple[Judgement, float]:
    """Run the story and judge it; whatever happens, no process of it is left. Return also how long it took."""
    with chaos_display(sys.stdout, wishes.rows, quiet=quiet) as display:
        story = Story(site, wishes, display)
        try:
            ended, calls = story.run()
            took_s = story.took_s
        finally:
            end_all(site.root, *story.programs())
    return judge(site, ended, calls, story.strikes), took_s


def _put(judgement: Judgement, took_s: float, problems: list[str]) -> None:
    calls, (median_s, longest_s) = judgement.calls, judgement.recoveries_s
    stops = len(judgement.strikes) - judgement.kills
    put("")
    put_facts(
        [
            ("rows in", f"{judgement.rows_in:,}"),
            ("rows out", f"{judgement.rows_out:,}: {judgement.enriched:,} enriched, {judgement.fallback:,} fallback"),
            ("lost", f"{judgement.lost:,}"),
            ("doubled", f"{judgement.doubled:,}"),
            ("calls", f"{calls.made:,}, of which the API failed {calls.failed:,}"),
            (
                "repeated",
                f"{calls.repeated_after_kills:,} calls that a kill cut off; at most {calls.most_repeats:,} may be",
            ),
            ("kills", f"{judgement.kills:,}, and {counted(stops, 'stop')}, in {format_duration(took_s)}"),
            ("goes on", f"after {median_s:.1f} s (median), {longest_s:.1f} s (longest)"),
            ("verify", summary(judgement.verdict)),
            ("checker", "; ".join(judgement.findings) or "every rule holds"),
        ]
    )
    put("")
    put("FAILED: " + "; ".join(problems) if problems else "PASSED: every row is there, once")


def _document(wishes: Wishes, judgement: Judgement, took_s: float, kept: str | None) -> dict[str, Any]:
    problems, judged = judgement.problems(), asdict(judgement)
    judged.pop("verdict")
    about = {"ok": not problems, "problems": problems, **asdict(wishes), "took_s": round(took_s, 2), "folder": kept}
    return {**about, **judged, "verify": verdict_document(judgement.verdict)}


def _rows(text: str) -> int:
    if text.isascii() and text.isdigit() and FEWEST_ROWS <= int(text) <= MOST_ROWS:
        return int(text)
    raise argparse.ArgumentTypeError(f"must be a number of rows, {FEWEST_ROWS} to {MOST_ROWS:,}, it is {text!a}")
