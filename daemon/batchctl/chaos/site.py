"""An installation in a folder of its own: what lies where, its configuration, the environment of its programs."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from activities.output.names import generation_of_data
from daemon.batchctl.chaos.users import NAME
from daemon.processes.child import plain_environment

IN_FLIGHT = 32
"""Most calls of the API at once, and so the most that one kill can have made again."""

HEARTBEAT_TIMEOUT_S = 2
LARGEST_PAGE, SMALLEST_PAGE = 100, 10
PAGES = 100
"""Pages that a batch is wanted to have: the smaller they are, the sooner each is saved."""

CONFIGURATION = """\
[service]
output_root = "out"
state_dir = "state"
server_port = {server_port}
server_ui_port = 0
heartbeat_timeout_s = {heartbeat_timeout_s}
rescan_s = 1
log_format = "json"

[api.mock]
url = "{api}/enrich"
concurrency = {in_flight}
attempts = 5

[api.mock.answer]
take = "{{region: region}}"

[feed.users]
inbox = "inbox"
settle_s = 0.2
page_rows = {page_rows}
pages_in_flight = 4
"""


def mark_of(root: Path) -> tuple[str, str]:
    """Return the variable that every process of the installation in `root` has with this value, and no other process.

    What our parent hands on to programs of others is not much; this is of it.
    """
    return "TMPDIR", str(root / "tmp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Folders and settings of one installation, for one file of `rows` records."""

    root: Path
    rows: int
    server_port: int

    @property
    def file(self) -> Path:
        """Where the file of users is dropped."""
        return self.root / "inbox" / NAME

    @property
    def state_dir(self) -> Path:
        """Where the receipts and the database of the server are."""
        return self.root / "state"

    @property
    def configuration(self) -> Path:
        """The `batchd.toml`."""
        return self.root / "batchd.toml"

    @property
    def page_rows(self) -> int:
        """Records of a page."""
        return min(max(self.rows // PAGES, SMALLEST_PAGE), LARGEST_PAGE)

    def prepare(self, api: str) -> None:
        """Make the folders, and the configuration for an API at the address `api`."""
        for folder in ("inbox", "out", "tmp"):
            (self.root / folder).mkdir(exist_ok=True)
        self.state_dir.mkdir(mode=0o700, exist_ok=True)
        written = CONFIGURATION.format(
            api=api,
            server_port=self.server_port,
            heartbeat_timeout_s=HEARTBEAT_TIMEOUT_S,
            in_flight=IN_FLIGHT,
            page_rows=self.page_rows,
        )
        self.configuration.write_text(written)

    def environment(self, **more: str) -> dict[str, str]:
        """Return what a program of this installation is started with: nothing of what is set for other ones."""
        name, value = mark_of(self.root)
        own = {name: value, "BATCH_CONFIG": str(self.configuration), "XDG_CONFIG_HOME": str(self.root / "none")}
        return {**plain_environment(), **own, **more}

    def is_filed(self) -> bool:
        """Return whether no file is claimed any more."""
        return not any((self.root / "inbox" / ".processing").glob("[!.]*"))

    def result(self) -> Path | None:
        """Return the output folder, once there is one."""
        return next((self.root / "out").glob("batch-*"), None)

    def rows_on_disk(self) -> int:
        """Return how many rows lie in the output folder: those of saved chunks, and those of the pages being worked."""
        folder = self.result()
        if folder is None:
            return 0
        names = os.listdir(folder)  # noqa: PTH208 - names are all it takes
        chunks = {name for name in names if name.startswith("chunk-") and generation_of_data(name)}
        rows = len(chunks) * self.page_rows
        for name in names:
            if name.startswith(".part-") and f"chunk-{name.removeprefix('.part-')}.json" not in chunks:
                with contextlib.suppress(FileNotFoundError):  # its chunk was saved in between
                    content = (folder / name).read_bytes()
                    rows += content.count(b"\n") - content.count(b"tolerated\t")
        return min(rows, self.rows)
