"""`schema`: a Table Schema for a file, proposed from its first rows, as JSON on standard output."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from activities.schema.proposal import Proposal, Proposer
from activities.source.source_file import Record, Rejected, SourceFile
from daemon.batchctl.arguments import add_feed
from daemon.batchctl.console.printing import counted, put_json, say
from daemon.batchctl.exit_codes import DONE
from daemon.batchctl.settings_in_use import SettingsInUse, chosen_feed
from daemon.batchctl.trial.first_rows import obstacles
from daemon.config.configuration import load_configuration
from workflows.models import CsvOptions, Cursor

FIRST_ROWS = 10_000
_ROWS_AT_ONCE = 1_000


def add_schema(parser: argparse.ArgumentParser) -> None:
    """Declare `schema`."""
    parser.add_argument("file", metavar="FILE", type=Path, help="a CSV file, anywhere; it stays where it is")
    add_feed(parser, "the feed it is for; left out: the only one, or that of its folder")
    parser.add_argument(
        "--rows", metavar="N", type=_rows, default=FIRST_ROWS, help="look at so many rows, 0: all (default: 10,000)"
    )


def run_schema(_: SettingsInUse | None, parsed: argparse.Namespace) -> int:
    """Print the schema, and on standard error what it was made from.

    Raises:
        SettingsError: the configuration cannot be used.
        SourceError: the file would be refused.
    """
    configuration = load_configuration(parsed.config, os.environ, files=False)
    settings = configuration.settings_of(chosen_feed(configuration.feeds, parsed.feed, parsed.file))
    for each in obstacles(parsed.file, settings):
        say(f"batchd would not take {parsed.file.name}: {each}")
    proposal, rejected, at_end = _proposed(parsed.file.absolute(), settings.shape().csv, parsed.rows)
    put_json(proposal.descriptor)
    for doubt in proposal.doubts:
        say(doubt)
    say(_summary(proposal, rejected, at_end=at_end))
    return DONE


def _rows(text: str) -> int:
    with contextlib.suppress(ValueError):
        if int(text) >= 0:
            return int(text)
    raise argparse.ArgumentTypeError(f"must be a whole number of rows, 1 or more, or 0 for all, it is {text!a}")


def _proposed(path: Path, options: CsvOptions, most_rows: int) -> tuple[Proposal, int, bool]:
    """Return the proposal, how many records were no valid rows, and whether the whole file was looked at."""
    rejected = looked_at = 0
    with SourceFile.open(path, options) as source:
        proposer = Proposer(source.dialect.columns)
        for record in _records(source):
            if most_rows and looked_at == most_rows:
                return proposer.proposal(), rejected, False
            looked_at += 1
            if isinstance(record, Rejected):
                rejected += 1
            else:
                proposer.look_at(record.values)
    return proposer.proposal(), rejected, True


def _records(source: SourceFile) -> Iterator[Record | Rejected]:
    cursor: Cursor | None = Cursor()
    while cursor is not None:
        found = source.find_pages(cursor, page_rows=_ROWS_AT_ONCE, max_pages=1)
        for page in found.pages:
            yield from source.rows_of(page)
        cursor = found.next


def _summary(proposal: Proposal, rejected: int, *, at_end: bool) -> str:
    columns = counted(len(proposal.descriptor["fields"]), "column")
    rows = f"all of its rows ({proposal.rows:,})" if at_end else f"the first {counted(proposal.rows, 'row')}"
    aside = f"; {counted(rejected, 'record')} among them that no row could be made of" if rejected else ""
    return f"types of {columns} by {rows}{aside}"
