"""`explain`: why a file has not been taken, or what became of it."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from daemon import explain as explaining
from daemon.batchctl.exits import DONE
from daemon.batchctl.options import add_json, command
from daemon.batchctl.words import put_facts, put_json
from daemon.settings import Settings


def add_commands(commands: Any) -> None:
    """Add `explain`."""
    explain = command(commands, "explain", run_explain, help_text="show every rule of intake for a file, and its fate")
    explain.add_argument("file", metavar="FILE", help="name of a file in the inbox, or its path")
    add_json(explain)


def run_explain(settings: Settings, parsed: argparse.Namespace) -> int:
    """Print every rule in order: passed or not, and what would make it pass."""
    explanation = explaining.explain(settings, Path(parsed.file).name)
    if parsed.json:
        put_json(asdict(explanation))
    else:
        put_facts([])
    return DONE
