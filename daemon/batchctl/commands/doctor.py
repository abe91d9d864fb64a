"""`doctor`: everything batchd needs, checked one by one, with what to do where it is not there."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict

from daemon.batchctl.arguments import add_json
from daemon.batchctl.checks.host import host_checks
from daemon.batchctl.checks.outside import outside_checks
from daemon.batchctl.console.printing import put_json
from daemon.batchctl.console.table import Column, put_table
from daemon.batchctl.exit_codes import DONE, FAILED
from daemon.config.configuration import load_configuration
from daemon.config.settings import Settings


def add_doctor(parser: argparse.ArgumentParser) -> None:
    """Declare `doctor`."""
    add_json(parser)


async def run_doctor(settings: Settings, parsed: argparse.Namespace) -> int:
    """Print every finding; exit code 1 where one is FAIL. Wrong settings never get here: they are exit code 2."""
    configuration = load_configuration(parsed.config, os.environ, files=False)
    findings = [*host_checks(settings), *await outside_checks(settings, configuration)]
    if parsed.json:
        put_json(
            {"ok": not any(each.level == "FAIL" for each in findings), "checks": [asdict(each) for each in findings]}
        )
    else:
        put_table(
            [Column(heading=""), Column(heading="CHECK"), Column(heading="FOUND", kind="sentence")],
            [[each.level, each.check, each.as_text()] for each in findings],
        )
    return FAILED if any(each.level == "FAIL" for each in findings) else DONE
