"""`config check`, `config show` and `reload`: what is wrong with the configuration, what it says, and that it hold."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import Any

from daemon.batchctl.arguments import add_json
from daemon.batchctl.console.printing import counted, put, put_json, say
from daemon.batchctl.console.table import Column, put_table
from daemon.batchctl.examples import examples_of
from daemon.batchctl.exit_codes import DONE, FAILED, USAGE
from daemon.config.api_spec import secrets_of
from daemon.config.arguments import Parser
from daemon.config.checks.mistakes import dotted
from daemon.config.configuration import Configuration, load_configuration
from daemon.config.findings import Finding, WrongConfiguration
from daemon.config.settings import Settings
from daemon.config.values import Value, values_of
from daemon.control.client import ask_all

ACTIONS = {
    "check": "every mistake in the configuration, without the network; exit code 2 for one",
    "show": "what holds now, defaults included; a secret is only where it comes from",
}
FILE_HELP = "the file; left out: BATCH_CONFIG, ./batchd.toml, /etc/batchd/batchd.toml, or else the BATCH_* variables"
ORIGIN_TAIL = 6
"""Cells of an origin that are never cut: its line."""


def add_config(parser: argparse.ArgumentParser) -> None:
    """Declare `config check` and `config show`."""
    actions = parser.add_subparsers(dest="action", metavar="action", required=True, parser_class=Parser)
    for name, help_text in ACTIONS.items():
        description = help_text[0].upper() + help_text[1:] + "."
        action = actions.add_parser(name, help=help_text, description=description, epilog=examples_of(f"config {name}"))
        action.add_argument("file", metavar="FILE", nargs="?", type=Path, help=FILE_HELP)
        add_json(action)
        if name == "show":
            action.add_argument("--origin", action="store_true", help="where each value comes from")


def run_config(_: Settings | None, parsed: argparse.Namespace) -> int:
    """Check or show, and return the exit code.

    Raises:
        SettingsError: the configuration that should be shown is wrong.
    """
    return _check(parsed) if parsed.action == "check" else _show(parsed)


def add_reload(parser: argparse.ArgumentParser) -> None:
    """Declare `reload`."""
    add_json(parser)


def run_reload(_: Settings | None, parsed: argparse.Namespace) -> int:
    """Let each service of the state folder that runs on this host load its configuration anew.

    Exit code 2 where the file is wrong and nothing has changed, 1 where none runs or one failed.
    """
    try:
        state_dir = _loaded(parsed, files=False).service.state_dir.absolute()
    except WrongConfiguration as error:  # the service would refuse it too
        _put_findings(error.findings, "nothing has changed: mend them all, then reload again")
        return USAGE
    answers = ask_all(state_dir, {"command": "reload"})
    if parsed.json:
        put_json({"state_dir": str(state_dir), "services": answers})
    elif not answers:
        say(f"no batchd is ready on the state folder {state_dir} on this host; start batchd run, or wait until it is")
    else:
        for each in answers:
            _put_answer(each)
    outcomes = {each.get("outcome") for each in answers}
    return DONE if outcomes == {"done"} else USAGE if "refused" in outcomes else FAILED


def _put_answer(answer: dict[str, Any]) -> None:
    """Print what one service says."""
    if "error" in answer:
        say(f"a batchd {answer['error']}")
        return
    who = f"batchd {answer['service']} (process {answer['pid']})"
    if answer["outcome"] == "done":
        changes = [f"{key.replace('_', ' ')}: {', '.join(names)}" for key, names in answer["changes"].items()]
        put(f"{who}: reloaded {answer['file']}; {'; '.join(changes) or 'nothing differs'}")
    elif answer["outcome"] == "refused":
        findings = tuple(Finding(**each) for each in answer["findings"])
        _put_findings(findings, f"nothing has changed in {who}: mend them all, then reload again")
    else:
        say(f"{who}: the reload failed halfway; see its log, and restart batchd")


def _check(parsed: argparse.Namespace) -> int:
    """Print every mistake; exit code 2 for one. The network is not used."""
    try:
        configuration = _loaded(parsed)
    except WrongConfiguration as error:
        if parsed.json:
            put_json({"ok": False, "errors": [asdict(each) for each in error.findings], "warnings": []})
        else:
            _put_findings(error.findings)
        return USAGE
    warnings = _warnings(configuration)
    if parsed.json:
        counts = {"feeds": len(configuration.feeds), "apis": len(configuration.apis)}
        put_json({"ok": True, "errors": [], "warnings": warnings, **counts})
        return DONE
    for each in warnings:
        say(each)
    name = configuration.file.name if configuration.file else "BATCH_* variables"
    put(f"{name}: {counted(len(configuration.feeds), 'feed')}, {counted(len(configuration.apis), 'API')}")
    return DONE


def _show(parsed: argparse.Namespace) -> int:
    """Print every value that holds, with `--origin` also where it comes from."""
    configuration = _loaded(parsed, files=False)
    values = values_of(configuration)
    if parsed.json:
        put_json(_document(configuration, values, origin=parsed.origin))
        return DONE
    columns = [Column(heading="KEY", kind="name", least=14, tail=10), Column(heading="VALUE", kind="sentence")]
    rows = [[dotted(each.path), each.text()] for each in values]
    if parsed.origin:
        columns.append(Column(heading="FROM", kind="name", tail=ORIGIN_TAIL, left_out=1))
        rows = [[*row, each.origin] for row, each in zip(rows, values, strict=True)]
    put_table(columns, rows)
    return DONE


def _loaded(parsed: argparse.Namespace, *, files: bool = True) -> Configuration:
    return load_configuration(getattr(parsed, "file", None) or getattr(parsed, "config", None), os.environ, files=files)


def _put_findings(findings: tuple[Finding, ...], todo: str = "mend them all, then check again") -> None:
    """Write each mistake: one line into a file or a pipe, its place above it in a window that is narrower."""
    window = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    for each in findings:
        if not window or len(str(each)) <= window:
            put(str(each))
            continue
        put(each.place())
        wide = max(window - 2, 1)
        for line in textwrap.wrap(each.sentence(), wide, break_on_hyphens=False):
            put(f"  {line}")
    say(f"{counted(len(findings), 'mistake')}; {todo}")


def _warnings(configuration: Configuration) -> list[str]:
    """Return what works, and may not be meant."""
    secrets = {each for api in configuration.apis.values() for each in secrets_of(api).values()}
    open_files = {each.warning() for each in secrets} - {""}
    unset = {
        f"{each.env} is not set here; batchd must have it" for each in secrets if each.env not in {None, *os.environ}
    }
    used = {feed.api for feed in configuration.feeds.values()}
    unused = {f"no feed uses [api.{name}]" for name in configuration.apis.keys() - used}
    return sorted(open_files | unset | unused)


def _document(configuration: Configuration, values: tuple[Value, ...], *, origin: bool) -> dict[str, Any]:
    document: dict[str, Any] = {
        "file": configuration.file.name if configuration.file else None,
        "config_sha256": configuration.config_sha256 or None,
        "service": {},
        "api": {},
        "feed": {},
    }
    for each in values:
        table: Any = document
        *steps, last = each.path
        for step, then in zip(steps, each.path[1:], strict=True):
            table = table.setdefault(step, [] if isinstance(then, int) else {})
        if isinstance(last, int):
            table.append(each.plain)
        else:
            table[last] = each.plain
    if origin:
        document["origins"] = {dotted(each.path): each.origin for each in values}
    return document
