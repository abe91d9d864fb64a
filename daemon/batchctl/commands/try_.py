"""`try`: the first rows of a file as requests, and with `--send` what the API makes of them. Writes nothing."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from daemon.batchctl.arguments import add_json
from daemon.batchctl.console.blocks import Blocks
from daemon.batchctl.console.printing import put_json, say
from daemon.batchctl.exit_codes import DONE, FAILED
from daemon.batchctl.settings_in_use import SettingsInUse, chosen_feed
from daemon.batchctl.trial.answers import Outcome, ShownAnswer, pretty
from daemon.batchctl.trial.first_rows import FirstRows, first_rows, obstacles
from daemon.batchctl.trial.trial import Step, check_columns, steps_sent, steps_unsent
from daemon.batchctl.trial.tried_api import TriedApi, tried_api
from daemon.config.configuration import load_configuration

FIRST_ROWS = 3
MOST_ROWS = 100
BODY_LINES = 24
"""So many lines of an answer are shown."""

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


def add_try(parser: argparse.ArgumentParser) -> None:
    """Declare `try`."""
    parser.add_argument("file", metavar="FILE", type=Path, help="a CSV file, anywhere; it stays where it is")
    parser.add_argument("--feed", metavar="F", help="the feed it is for; left out: the only one, or that of its folder")
    parser.add_argument("--rows", metavar="N", type=_rows, default=FIRST_ROWS, help="so many rows (default: 3)")
    parser.add_argument("--send", action="store_true", help="call the API with these rows, and show what it answers")
    add_json(parser)


async def run_try(_: SettingsInUse | None, parsed: argparse.Namespace) -> int:
    """Show the rows; exit code 1 where one would fall back, or let its batch pause or wait.

    Raises:
        SettingsError: the configuration cannot be used.
        SourceError: the file would be refused.
    """
    logging.getLogger("activities").addHandler(logging.NullHandler())  # what it would say is shown with its row
    configuration = load_configuration(parsed.config, os.environ, files=parsed.send)
    feed = chosen_feed(configuration.feeds, parsed.feed, parsed.file)
    api = tried_api(configuration, configuration.feeds[feed].api)
    settings = configuration.settings_of(feed)
    for each in obstacles(parsed.file, settings):
        say(f"batchd would not take {parsed.file.name}: {each}")
    rows = first_rows(parsed.file, settings, parsed.rows)
    check_columns(rows, api, settings)
    steps: list[Step] = []
    blocks = None if parsed.json else Blocks()
    if blocks:
        _put_head(blocks, feed, rows, api)
    async for step in steps_sent(rows, api) if parsed.send else steps_unsent(rows, api):
        steps.append(step)
        if blocks:
            _put_step(blocks, step)
    if parsed.json:
        put_json(_document(feed, rows, api, steps, sent=parsed.send))
    else:
        say(_summary(rows, steps, sent=parsed.send))
    return DONE if all(each.is_good for each in steps) else FAILED


def _rows(text: str) -> int:
    with contextlib.suppress(ValueError):
        if 1 <= int(text) <= MOST_ROWS:
            return int(text)
    raise argparse.ArgumentTypeError(f"must be a whole number of rows, 1 to {MOST_ROWS:,}, it is {text!a}")


def _put_head(blocks: Blocks, feed: str, rows: FirstRows, api: TriedApi) -> None:
    delimiter = DELIMITERS.get(rows.delimiter, rows.delimiter)
    blocks.fact("file", f"{rows.file} ({rows.encoding}, {delimiter}): {', '.join(rows.columns)}")
    blocks.fact("feed", feed)
    if rows.schema:
        blocks.fact("schema", "records that break it are rejected, the others are sent typed")
    blocks.fact("api", f"{api.spec.name}: {api.spec.method} {api.spec.url}")
    if api.spec.bulk:
        blocks.fact("bulk", f"POST {api.spec.bulk.url}, {api.bulk_size} rows a call")
    blocks.fact("over", api.over)
    if api.token:
        blocks.fact("token", api.token.sentence)
        blocks.label("AS CURL")
        blocks.pasted((api.token.curl,))


def _put_step(blocks: Blocks, step: Step) -> None:
    blocks.heading(_title(step))
    if step.rejected:
        blocks.fact("REJECTED", step.rejected, style="yellow")
    if step.request:
        request = step.request
        blocks.exact(f"{request.method} {request.address}", "bold")
        blocks.exact("\n".join(f"{name}: {value}" for name, value in request.headers))
        if request.body:
            blocks.exact(f"\n{pretty(request.body)}")
        blocks.label("AS CURL")
        blocks.pasted(request.curl)
    if step.answer:
        _put_answer(blocks, step.answer)
    if step.outcome:
        _put_outcome(blocks, step.outcome)
    if step.element:
        blocks.label("IN THE FILE OF REJECTED RECORDS" if step.rejected else "IN THE CHUNK")
        blocks.exact(step.element)


def _title(step: Step) -> str:
    if step.is_bulk:
        first, last = step.rows[0], step.rows[-1]
        return f"rows {first} to {last}, one call" if first != last else f"row {first}, one call"
    return f"{'record' if step.rejected else 'row'} {step.rows[0]}, line {step.line}"


def _put_answer(blocks: Blocks, answer: ShownAnswer) -> None:
    took = f" in {answer.latency_ms:,.0f} ms" if answer.latency_ms is not None else ""
    size = f", {answer.size_bytes:,} bytes" if answer.size_bytes is not None else ""
    again = ", asked twice: a secret or a token was read again" if answer.calls > 1 else ""
    if answer.detail:
        blocks.label("ANSWER", f"none ({answer.status}): {answer.detail}", "red")
        return
    blocks.label("ANSWER", f"{answer.status}{took}{size}{again}")
    if answer.body:
        blocks.shortened(answer.body, BODY_LINES)


def _put_outcome(blocks: Blocks, outcome: Outcome) -> None:
    blocks.label("OUTCOME", outcome.sentence, "green" if outcome.is_final else "red")
    if outcome.by:
        blocks.fact("", outcome.by)


def _summary(rows: FirstRows, steps: Sequence[Step], *, sent: bool) -> str:
    rejected = sum(bool(each.rejected) for each in steps)
    valid = len(rows.records) - rejected
    counted = f"{valid} row{'' if valid == 1 else 's'}" + (f", {rejected} rejected" if rejected else "")
    if not rows.records:
        return "the file has a header and no row"
    if not sent:
        return f"{counted}; nothing was sent: add --send to call the API with them"
    made = Counter(each.outcome.then or "not sent" for each in steps if each.outcome and not each.is_bulk)
    return f"{counted}: " + ", ".join(f"{count} {then.replace('_', ' ')}" for then, count in made.items())


def _document(feed: str, rows: FirstRows, api: TriedApi, steps: Sequence[Step], *, sent: bool) -> dict[str, Any]:
    return {
        "ok": all(each.is_good for each in steps),
        "sent": sent,
        "file": rows.file,
        "encoding": rows.encoding,
        "delimiter": rows.delimiter,
        "columns": rows.columns,
        "feed": feed,
        "api": api.spec.name,
        "method": api.spec.method,
        "url": api.spec.url,
        "over": api.over,
        "token": asdict(api.token) if api.token else None,
        "steps": [_step_document(each) for each in steps],
    }


def _step_document(step: Step) -> dict[str, Any]:
    document = asdict(step)
    if step.request:
        document["request"]["curl"] = " ".join(step.request.curl)
    return document
