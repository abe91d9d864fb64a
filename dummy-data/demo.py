"""`make demo`: 1,000 users from the inbox to a verified manifest, with everything real but the API.

It runs the same commands as a user would, in the folder it is called from, and stops what it started.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from activities.registry.receipts import Receipt, Receipts
from daemon.config.settings import Settings, load_settings
from workflows.errors import BatchdError, SettingsError
from workflows.ids import batch_id, identity_key, workflow_id

SOURCE = Path("dummy-data/users.csv")
BIN = Path(sys.executable).parent
READY_S = 60.0
STOP_S = 40.0
LAST_LINES = 10
MOST_NAMES = 10_000


def main() -> None:
    """Run the demo and end with its exit code."""
    try:
        code = _demo()
    except BatchdError as error:
        sys.stderr.write(f"demo: {error}\n")
        code = 2
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def _demo() -> int:
    if not SOURCE.is_file():
        raise SettingsError(f"{SOURCE} is not here; run the demo in the folder of the repository")
    # Small pages, so that the progress of a thousand rows can be seen.
    os.environ.setdefault("BATCH_PAGE_ROWS", "50")
    os.environ.setdefault("BATCH_SETTLE_S", "0.5")
    _take_free_ports()
    settings = load_settings()
    say("1. Starting Temporal, the mock API (10 % failures, 200-500 ms, as in the original) and the daemon.")
    log = settings.state_dir / "demo.log"
    settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with log.open("wb") as out:
        service = subprocess.Popen([BIN / "batchd", "run", "--with-mock-api"], stdout=out, stderr=out)  # noqa: S603
    try:
        until_ready(service, log)
        return _drop_and_follow(settings, service)
    except _ServiceEnded:
        sys.stderr.write(f"demo: the service ended with exit code {service.returncode}; the end of {log}:\n")
        sys.stderr.write("".join(log.read_text(errors="replace").splitlines(keepends=True)[-LAST_LINES:]))
        return 1
    finally:
        say("5. Stopping what was started.")
        stop(service)


class _ServiceEnded(Exception):
    """The service is gone, so nothing goes on any more."""


def _drop_and_follow(settings: Settings, service: subprocess.Popen[bytes]) -> int:
    name = unused_name(settings)
    say(f"2. Dropping {SOURCE} into {settings.inbox}/ as {name}: cp {SOURCE} {settings.inbox / name}")
    shutil.copyfile(SOURCE, settings.inbox / name)
    say(
        f"3. Following it: batchctl watch {name}   (in another terminal: batchctl pause {name}, batchctl resume {name})"
    )
    watched = _batchctl(service, "watch", name)
    receipt = Receipts(settings.state_dir).find(name)
    if receipt is None or receipt.manifest is None:
        say(what_went_wrong(settings, name, receipt))
        return 1
    say(f"4. Proving the result: batchctl verify {name}")
    verified = _batchctl(service, "verify", name)
    say(f"   output:   {receipt.output_dir}\n   manifest: {receipt.output_dir}/{receipt.manifest}")
    say(f"   source:   {settings.inbox / (receipt.archived_as or '')}")
    return watched or verified


def unused_name(settings: Settings) -> str:
    """Return a name under which the file was not done before, neither here nor by another user of this host.

    The same file again would be a duplicate here, and its output folder would be that of the first in `/tmp`.

    Raises:
        SettingsError: every name is taken.
    """
    sha256 = hashlib.sha256(SOURCE.read_bytes()).hexdigest()
    receipts = Receipts(settings.state_dir)
    names = [SOURCE.name, *(f"{SOURCE.stem}-{number}{SOURCE.suffix}" for number in range(2, MOST_NAMES))]
    for name in names:
        identity = batch_id(name.encode(), identity_key(settings.identity, name=name.encode(), sha256=sha256))
        output_dir = settings.output_root / workflow_id(identity)
        if receipts.read(identity) is not None:
            say(f"   {name} with these bytes was done before and would be filed as a duplicate; taking the next name.")
        elif os.path.lexists(output_dir):
            say(f"   {output_dir} is there from another installation or user; taking the next name.")
        else:
            return name
    raise SettingsError(
        f"all names up to {names[-1]} are taken; remove {settings.state_dir}, or set BATCH_OUTPUT_ROOT to a new folder"
    )


def what_went_wrong(settings: Settings, name: str, receipt: Receipt | None) -> str:
    """Return why there is no result, and where to look."""
    log = settings.state_dir / "demo.log"
    if receipt is None:
        return f"   {name} has not become a batch: batchctl explain {name} says why; the log is {log}"
    why = receipt.reason or "the reason was not recorded"
    where = f"\n   source:   {settings.inbox / receipt.archived_as}" if receipt.archived_as else ""
    return f"   {receipt.id} is {receipt.state}: {why}{where}\n   log:      {log}"


def until_ready(service: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the service is ready.

    Raises:
        SettingsError: it did not start; the message holds its log.
    """
    deadline = time.monotonic() + READY_S
    while b"daemon.ready" not in log.read_bytes():
        if service.poll() is not None or time.monotonic() > deadline:
            raise SettingsError(f"the service did not start:\n{log.read_text()}")
        time.sleep(0.05)


def _take_free_ports() -> None:
    for name, port in (("BATCH_SERVER_PORT", 7233), ("BATCH_SERVER_UI_PORT", 8233), ("MOCK_API_PORT", 3001)):
        if name not in os.environ:
            os.environ[name] = str(free_port_or(port))
    os.environ.setdefault("BATCH_API_URL", f"http://127.0.0.1:{os.environ['MOCK_API_PORT']}/enrich")


def free_port_or(port: int) -> int:
    """Return `port` where nobody has it, else one that is free."""
    return port if _free(port) else _some_free_port()


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _some_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _batchctl(service: subprocess.Popen[bytes], *arguments: str) -> int:
    """Run batchctl to its end, or until the service ends."""
    command = subprocess.Popen([BIN / "batchctl", *arguments])  # noqa: S603
    while (code := command.poll()) is None:
        if service.poll() is not None:
            command.send_signal(signal.SIGINT)
            command.wait(STOP_S)
            raise _ServiceEnded
        time.sleep(0.1)
    return code


def stop(service: subprocess.Popen[bytes]) -> None:
    """Stop the service, by force where it does not."""
    service.send_signal(signal.SIGTERM)
    try:
        service.wait(STOP_S)
    except subprocess.TimeoutExpired:
        service.kill()
        service.wait()


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
