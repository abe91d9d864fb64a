"""`make demo-apis`: three APIs of other shapes, called by configuration alone, against the mock's faces of them.

For each: its section, what goes out for the first row and what comes back, then a whole file as a batch.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo import BIN, free_port_or, say, stop, until_ready

APIS = Path("dummy-data/apis")
NAMES = ("people", "geocode", "chat")
PORT = "3001"
KEY = "demo-key"
"""Any key will do for the mock; it is given by the environment, as a secret is."""


def main() -> None:
    """Run the demo and end with its exit code."""
    if not APIS.is_dir():
        sys.exit(f"demo-apis: {APIS} is not here; run the demo in the folder of the repository")
    os.environ |= dict.fromkeys(("PEOPLE_KEY", "GEOCODER_KEY", "CHAT_KEY"), KEY)
    os.environ["MOCK_API_FAILURE_RATE"] = "0"  # `try` calls once, and a failure would end the demo as failed
    os.environ["MOCK_API_PORT"] = str(free_port_or(int(PORT)))
    for name in [each for each in os.environ if each.startswith("BATCH_")]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="batchd-demo-") as folder:
        codes = [_shown(name, number, Path(folder) / name) for number, name in enumerate(NAMES, 1)]
    sys.exit(max(codes))


def _shown(name: str, number: int, folder: Path) -> int:
    """Show one API; return the exit code of what went wrong, 0 where nothing did."""
    config = _prepared(name, folder)
    source = APIS / f"{name}.csv"
    say(f"\n{'=' * 78}\n{number}. {APIS / name}.toml\n{'=' * 78}\n{config.read_text()}")
    with _service(config, folder):
        say(f"$ batchctl try {source} --rows 1 --send")
        tried = _batchctl(config, "try", str(source), "--rows", "1", "--send")
        say(f"\n$ cp {source} inbox/ && batchctl watch {source.name} && batchctl export {source.name} --csv")
        shutil.copyfile(source, folder / "inbox" / source.name)
        watched = _batchctl(config, "watch", source.name)
        exported = _batchctl(config, "export", source.name, "--csv")
        return tried or watched or exported


def _prepared(name: str, folder: Path) -> Path:
    """Return a configuration for a folder of its own, and for the port that the mock has."""
    for each in ("inbox", "out"):
        (folder / each).mkdir(parents=True)
    section = (APIS / f"{name}.toml").read_text().replace(f":{PORT}/", f":{os.environ['MOCK_API_PORT']}/")
    ports = [free_port_or(7233), free_port_or(8233)]
    service = f'\n[service]\noutput_root = "out"\nserver_port = {ports[0]}\nserver_ui_port = {ports[1]}\n'
    config = folder / "batchd.toml"
    config.write_text(section + service)
    return config


@contextmanager
def _service(config: Path, folder: Path) -> Iterator[None]:
    log = folder / "batchd.log"
    command = [str(BIN / "batchd"), "--config", str(config), "run", "--with-mock-api"]
    with log.open("wb") as out:
        service = subprocess.Popen(command, stdout=out, stderr=out)  # noqa: S603
    try:
        until_ready(service, log)
        yield
    finally:
        stop(service)


def _batchctl(config: Path, *arguments: str) -> int:
    return subprocess.run([BIN / "batchctl", "--config", config, *arguments], check=False).returncode  # noqa: S603


if __name__ == "__main__":
    main()
