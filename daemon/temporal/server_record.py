"""What a state folder holds of its embedded server: `server.json`, by which others find it, and the lock of its owner.

A record counts only while the process it names runs and serves the database of this very state folder: a record that a
killed daemon left behind must not lead to the server of another installation that took its port since.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from activities.disk.atomic_files import replace_whole
from activities.disk.file_lock import FileLock
from daemon.processes.listeners import command_of

SERVER_FILE = "server.json"
LOCK = "server.lock"
DATABASE = "temporal.db"
DATABASE_OPTION = "--db-filename"
RECORD_MODE = 0o666
"""Less the umask: whoever may enter the state folder may know where the server is."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRecord:
    """Where the embedded server listens (`host:port`), where its web page is, and which process it is."""

    address: str
    ui: str
    pid: int


def server_lock(state_dir: Path) -> FileLock:
    """Return the lock whose holder may start and stop the server; others stand by. It dies with its holder."""

    def warn_unlocked() -> None:
        why = "the file system of the state folder has no locks; let only one 'batchd run' use it"
        logger.warning("server.unlocked", extra={"fields": {"state_dir": str(state_dir), "why": why}})

    return FileLock(state_dir / LOCK, warn_unlocked=warn_unlocked)


def database_of(state_dir: Path) -> Path:
    """Return where the embedded server of a state folder keeps what it knows."""
    return (state_dir / DATABASE).absolute()


def write_record(state_dir: Path, record: ServerRecord) -> None:
    """Record the server of this state folder, whole or not at all."""
    content = json.dumps(asdict(record)) + "\n"
    replace_whole(state_dir / SERVER_FILE, content.encode(), mode=RECORD_MODE, synced=False)


def remove_record(state_dir: Path) -> None:
    """Forget the server of this state folder."""
    (state_dir / SERVER_FILE).unlink(missing_ok=True)


def running_server(state_dir: Path) -> ServerRecord | None:
    """Return the record of the server of this state folder where it runs, else None."""
    try:
        fields = json.loads((state_dir / SERVER_FILE).read_text())
        record = ServerRecord(address=str(fields["address"]), ui=str(fields["ui"]), pid=int(fields["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return record if serves(command_of(record.pid), state_dir) else None


def serves(command: Sequence[str], state_dir: Path) -> bool:
    """Return whether a process with this command line is the embedded server of this state folder."""
    database = served_database(command)
    with contextlib.suppress(OSError):
        return database is not None and database.name == DATABASE and database.parent.samefile(state_dir)
    return False


def served_database(command: Sequence[str]) -> Path | None:
    """Return the database that a command line names; None where it is no such server's."""
    options = dict(pairwise(command))
    return Path(options[DATABASE_OPTION]) if DATABASE_OPTION in options else None
