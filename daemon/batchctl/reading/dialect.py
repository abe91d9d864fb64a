"""`dialect`: how a file is written, how sure that is and on what evidence, and the lines of configuration it needs."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from activities.source.detection.doubt import DoubtfulDialect, FeedValue, key_lines
from activities.source.detection.examination import Examination, examine
from activities.source.detection.first_records import FirstRecords
from activities.source.pinned_file import PinnedFile
from daemon.batchctl.arguments import add_json
from daemon.batchctl.console.blocks import Blocks
from daemon.batchctl.console.printing import counted, format_bytes, put_json, write
from daemon.batchctl.console.table import Column, put_table
from daemon.batchctl.exit_codes import DONE, FAILED
from daemon.batchctl.settings_in_use import SettingsInUse, chosen_feed
from daemon.batchctl.trial.dialect_section import DialectSection, dialect_section
from daemon.batchctl.trial.schema_fit import SchemaFit, schema_fit
from daemon.config.configuration import load_configuration
from workflows.errors import InvalidCsv, shortened
from workflows.ids import printable

SHOWN_RECORDS = 5
_SHOWN_CHARS = 32
_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}


def add_dialect(parser: argparse.ArgumentParser) -> None:
    """Declare `dialect`."""
    parser.add_argument("file", metavar="FILE", type=Path, help="a file, anywhere; it stays where it is")
    parser.add_argument("--feed", metavar="F", help="the feed it is for; left out: the only one, or that of its folder")
    add_json(parser)


def run_dialect(_: SettingsInUse | None, parsed: argparse.Namespace) -> int:
    """Show a file; exit code 1 where it would be refused.

    Raises:
        SettingsError: the configuration cannot be used.
        SourceError: the file cannot be read.
    """
    configuration = load_configuration(parsed.config, os.environ, files=False)
    feed = chosen_feed(configuration.feeds, parsed.feed, parsed.file)
    settings = configuration.settings_of(feed)
    window = PinnedFile.open(parsed.file.absolute())
    try:
        found, size_bytes = examine(window, settings.shape().csv), window.size_bytes
        section = dialect_section(window, settings, found)
    finally:
        window.close()
    is_doubtful, fit = bool(found.refusals), schema_fit(found, settings)
    if fit and fit.refusal:
        found = replace(found, refusals=(*found.refusals, fit.refusal))
    doubts = [each for each in found.refusals if isinstance(each, DoubtfulDialect)]
    unchecked = {each for each in doubts if each.check in settings.unchecked}
    is_refused = any(each not in unchecked for each in found.refusals)
    if parsed.json:
        fitting = {"schema": fit.document() if fit else None}
        document = _document(parsed.file, feed, found, unchecked)
        put_json({**document, "refused": is_refused, **_section(section), **fitting})
    else:
        _put(parsed.file.name, size_bytes, found, unchecked, fit)
        if is_doubtful:
            _put_section(section, feed if configuration.file else None)
        if section.found.dialect and section.found.dialect != found.dialect:
            _put_records(section.found, "FIRST RECORDS, READ BY THESE LINES")
    return FAILED if is_refused else DONE


def _put(
    name: str, size_bytes: int, found: Examination, unchecked: set[DoubtfulDialect], fit: SchemaFit | None
) -> None:
    blocks = Blocks()
    blocks.fact("file", f"{name}, {format_bytes(size_bytes)}")
    if found.encoding:
        others = f"; it may be {' or '.join(found.other_encodings)}" if found.other_encodings else ""
        blocks.fact("encoding", f"{found.encoding}: {found.encoding_evidence}{others}")
    if found.dialect and found.first:
        blocks.fact(
            "fields", f"{_SEPARATORS.get(found.dialect.delimiter, found.dialect.delimiter)}: {_fit(found.first)}"
        )
        blocks.fact("quote", found.dialect.quote or "none")
        where = "from the first record" if found.dialect.has_header else "without a header in the file"
        blocks.fact("header", f"{counted(len(found.dialect.columns), 'column')}, {where}")
    if fit and not fit.refusal:
        blocks.fact("schema", fit.sentence())
    for each in found.refusals:
        what, _, todo = str(each).rpartition("; ")
        blocks.label("LEFT OUT" if each in unchecked else "REFUSED", what or todo, style="yellow")
        if what:
            blocks.fact("to do", todo)
    if not found.refusals:
        blocks.fact("certain", "nothing speaks against it")
    _put_records(found, "FIRST RECORDS, AS THEY ARE READ")


def _put_section(section: DialectSection, feed: str | None) -> None:
    """Write what the file needs: for a feed of the configuration file, or as variables where there is none."""
    if not section.keys:
        return
    blocks = Blocks()
    blocks.label("TO PASTE, WHERE THAT IS RIGHT")
    if feed is None:
        lines = [f"BATCH_{key.upper()}={_plain(each)}" for key, each in section.keys.items()]
    else:
        lines = [f"[feed.{feed}]", *key_lines(section.keys)]
    blocks.exact("\n".join(lines))


def _plain(value: FeedValue) -> str:
    return value if isinstance(value, str) else ",".join(value) if isinstance(value, list) else str(value)


def _put_records(found: Examination, label: str) -> None:
    dialect, first = found.dialect, found.first
    if not dialect or not first:
        return
    Blocks().label(label)
    width = len(dialect.columns)
    rows = [
        [shortened(printable(each), _SHOWN_CHARS) for each in row[:width]] + [""] * (width - len(row))
        for row in first.rows[:SHOWN_RECORDS]
    ]
    columns = [
        Column(heading=shortened(printable(name), _SHOWN_CHARS), kind="name", least=6, left_out=width - at if at else 0)
        for at, name in enumerate(dialect.columns)
    ]
    put_table(columns, rows)
    wrong = sum(len(row) != width for row in first.rows[:SHOWN_RECORDS])
    if wrong:
        write(f"{wrong} of these {'has' if wrong == 1 else 'have'} another number of fields\n")


def _fit(first: FirstRecords) -> str:
    rows = first.rows
    fitting = sum(len(row) == len(first.names) for row in rows)
    if not rows:
        return "by the header alone, there are no records"
    return f"{fitting:,} of the first {len(rows):,} records are as wide as the header"


def _section(section: DialectSection) -> dict[str, Any]:
    first = section.found.first
    records = [list(row) for row in first.rows[:SHOWN_RECORDS]] if first else []
    return {"section": key_lines(section.keys), "records_by_section": records}


def _document(file: Path, feed: str, found: Examination, unchecked: set[DoubtfulDialect]) -> dict[str, Any]:
    return {
        "file": file.name,
        "feed": feed,
        "encoding": found.encoding or None,
        "encoding_evidence": found.encoding_evidence or None,
        "other_encodings": list(found.other_encodings),
        "delimiter": found.dialect and found.dialect.delimiter,
        "quote": found.dialect and found.dialect.quote,
        "newline": found.dialect and found.dialect.newline,
        "columns": list(found.dialect.columns) if found.dialect else [],
        "first_records": [list(row) for row in found.first.rows[:SHOWN_RECORDS]] if found.first else [],
        "doubts": [_doubt(each, left_out=each in unchecked) for each in found.refusals],
    }


def _doubt(refusal: InvalidCsv, *, left_out: bool) -> dict[str, Any]:
    what, _, todo = str(refusal).rpartition("; ")
    check = refusal.check if isinstance(refusal, DoubtfulDialect) else None
    return {"check": check, "what": what or todo, "todo": todo if what else "", "left_out": left_out}
