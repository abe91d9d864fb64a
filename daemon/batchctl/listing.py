"""`list`: the batches, newest first, and with `--all` the files that are none yet or none any more."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import asdict
from itertools import islice
from typing import Any, get_args

from activities.receipts import Receipt
from daemon.batchctl.desk import Desk
from daemon.batchctl.exits import DONE, UNREACHABLE
from daemon.batchctl.options import add_json, command
from daemon.batchctl.status_document import document_of
from daemon.batchctl.status_report import ENDED, Known, StatusReport, report_of
from daemon.batchctl.words import put, put_json, put_table, say, shown_bytes, shown_time
from daemon.explain import waiting_files
from daemon.settings import Settings
from workflows.errors import OutputRefused, TemporalUnreachable
from workflows.models import State

SHOWN = 50
ASKED_AT_ONCE = 8


def add_commands(commands: Any) -> None:
    """Add `list`."""
    listing = command(commands, "list", run_list, help_text="list the batches, newest first")
    listing.add_argument("--state", choices=get_args(State), help="only batches in this state")
    listing.add_argument("--all", action="store_true", help="also files that wait, settle or were refused")
    listing.add_argument("--limit", metavar="N", type=int, default=SHOWN, help=f"at most N batches ({SHOWN}); 0: all")
    add_json(listing)


async def run_list(settings: Settings, parsed: argparse.Namespace) -> int:
    """Print the batches. Temporal is asked only about those that have not ended."""
    desk = Desk(settings)
    reports, code = await _reports(desk, parsed.state, parsed.limit)
    files = waiting_files(settings) if parsed.all else []
    if parsed.json:
        put_json({"batches": [_document(each) for each in reports], "files": [asdict(each) for each in files]})
        return code
    if not reports and not files:
        say("no batches; drop a file into the inbox")
    if reports:
        put_table(
            ["BATCH", "FILE", "SIZE", "STATE", "DONE", "ROWS", "FALLBACK", "REJECTED", "STARTED"],
            [_row(each) for each in reports],
            right=frozenset({2, 4, 5, 6, 7}),
        )
    if reports and files:
        put("")
    if files:
        put_table(["FILE", "STATE", "WHY"], [[each.name, each.state, each.why] for each in files])
    return code


async def _reports(desk: Desk, state: State | None, limit: int) -> tuple[list[StatusReport], int]:
    """Return the batches in `state`, newest first, and the exit code: 3 where the state of one could not be learnt."""
    wanted = [each for each in desk.receipts.newest_first() if _may_be(each, state)] if state else None
    newest = wanted if wanted is not None else list(islice(desk.receipts.newest_first(), limit or None))
    room = asyncio.Semaphore(ASKED_AT_ONCE)
    code = DONE
    if any(not each.ended for each in newest):
        try:
            await desk.live()
        except TemporalUnreachable as error:
            say(f"{error}; of batches that have not ended, the last known state is shown")
            code = UNREACHABLE

    async def report(receipt: Receipt) -> StatusReport:
        if receipt.ended or code == UNREACHABLE:
            return from_receipt(desk, receipt)
        async with room:
            try:
                return await desk.report(receipt.id)
            except OutputRefused as error:
                say(str(error))
                return from_receipt(desk, receipt)

    reports = await asyncio.gather(*(report(each) for each in newest))
    matching = [each for each in reports if state is None or each.state == state]
    return matching[: limit or None], code


def _may_be(receipt: Receipt, state: State) -> bool:
    """Tell whether a batch can be in `state`, by its receipt alone."""
    return receipt.state == state if receipt.ended or state in ENDED else True


def from_receipt(desk: Desk, receipt: Receipt) -> StatusReport:
    """Return the state of a batch from its receipt alone; no file of its output is read."""
    return report_of(Known(id=receipt.id, receipt=receipt, output_dir=desk.output_dir(receipt.id, receipt)))


def _document(report: StatusReport) -> dict[str, Any]:
    """Return the fields of `status --json` that a list can afford."""
    left_out = {"run_id", "manifest"}
    return {key: value for key, value in document_of(report).items() if key not in left_out}


def _row(report: StatusReport) -> list[str]:
    rows = report.rows
    size = report.source["bytes"]
    return [
        report.id,
        report.source["name"] or "-",
        "-" if size is None else shown_bytes(size),
        f"waiting ({report.waiting_on})" if report.waiting_on else report.state,
        f"{100 * report.progress:.0f} %",
        f"{rows.done:,}",
        f"{rows.fallback:,}",
        f"{rows.rejected:,}",
        shown_time(report.started_at),
    ]
