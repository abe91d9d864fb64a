"""A batchd installation in a folder of its own, run as real processes, for the end-to-end tests.

Each has its own embedded Temporal server, so that the same file in two tests is two batches.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from daemon.batchctl.main import run as batchctl
from daemon.processes.child import plain_environment

BIN = Path(sys.executable).parent
DEADLINE_S = 60.0
SERVER_ATTEMPTS = 4
T = TypeVar("T")


FEED_VARIABLES = ("BATCH_INBOX", "BATCH_SETTLE_S")
"""What a feed of a configuration file says, and variables do not beside one."""

FIRST_PORT, PORTS_A_WORKER, MANY_WORKERS = 10_000, 2_000, 11
"""Below the ports that Linux gives to outgoing connections: a port that was free stays free until it is used."""


def _own_ports() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % MANY_WORKERS
    begin = os.getpid() % PORTS_A_WORKER  # another suite on this machine begins elsewhere
    for number in itertools.count(begin - begin % 2, 2):  # what takes several ports has the next one too
        yield FIRST_PORT + worker * PORTS_A_WORKER + number % PORTS_A_WORKER


_ports = _own_ports()
_one_at_a_time = threading.Lock()


def free_port() -> int:
    """Return a port of loopback that nobody has, and that no other test of this process was given."""
    while True:
        with _one_at_a_time:
            port = next(_ports)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def eventually(check: Callable[[], T | None], what: str, deadline_s: float = DEADLINE_S) -> T:
    """Return the first truthy answer of `check`."""
    end = time.monotonic() + deadline_s
    while True:
        answer = check()
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {deadline_s:g} s: {what}"
        time.sleep(0.05)


class Process:
    """A program of ours, in a process group of its own so that nothing is left behind."""

    def __init__(self, command: list[str], env: dict[str, str], cwd: Path, log: Path) -> None:
        self.log = log
        self.command = command
        with log.open("ab") as out:
            self._popen = subprocess.Popen(
                command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        self.pid = self._popen.pid

    def running(self) -> bool:
        return self._popen.poll() is None

    def send(self, sent: signal.Signals) -> None:
        self._popen.send_signal(sent)

    def wait(self, timeout_s: float = 40.0) -> int:
        return self._popen.wait(timeout_s)

    def stop(self) -> int:
        if self.running():
            self.send(signal.SIGTERM)
        try:
            return self.wait()
        finally:
            self.kill_group()

    def kill(self) -> None:
        """Kill this process alone, as the kernel would; its children see their parent gone."""
        self._popen.kill()
        self._popen.wait()

    def kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()

    def events(self) -> list[dict[str, Any]]:
        lines = self.log.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def logged(self, event: str) -> list[dict[str, Any]]:
        return [each for each in self.events() if each.get("event") == event]

    def refusal(self) -> str:
        """Return why the service did not start, as the one line says that tells it."""
        [line] = self.logged("daemon.not_started")
        return str(line["why"])


class Installation:
    """Folders, settings and running programs of one installation."""

    def __init__(self, root: Path, **settings: str) -> None:
        self.root = root
        self.programs = BIN
        self.inbox = root / "inbox"
        self.output_root = root / "out"
        self.state_dir = root / "state"
        for folder in (self.inbox, self.output_root, self.state_dir):
            folder.mkdir(mode=0o700 if folder == self.state_dir else 0o777, parents=True, exist_ok=True)
        self.env = {key: value for key, value in os.environ.items() if not key.startswith(("BATCH_", "TEMPORAL_"))}
        self.set(
            BATCH_INBOX=str(self.inbox),
            BATCH_OUTPUT_ROOT=str(self.output_root),
            BATCH_STATE_DIR=str(self.state_dir),
            BATCH_SETTLE_S="0.2",
            BATCH_RESCAN_S="0.5",
            BATCH_LOG_FORMAT="json",
            BATCH_HEARTBEAT_TIMEOUT_S="2",
            BATCH_SERVER_PORT=str(free_port()),
            BATCH_SERVER_UI_PORT=str(free_port()),
            XDG_CONFIG_HOME=str(root / "no-profiles"),
        )
        self.set(**settings)
        self._processes: list[Process] = []

    def set(self, **settings: str) -> None:
        self.env.update(settings)

    def describe(self, api: str, **feed: object) -> None:
        """Write `batchd.toml`: `api` is the section of the only API, `feed` are keys of the only feed, `contacts`."""
        self.describe_feeds(api, {"contacts": {"inbox": str(self.inbox), **feed}})

    def describe_feeds(self, apis: str, feeds: dict[str, dict[str, object]]) -> None:
        """Write `batchd.toml`: `apis` are the sections of all APIs, `feeds` the keys of each feed, by its name."""
        lines = [apis, "[defaults]", "settle_s = 0.2"]
        for feed, keys in feeds.items():
            lines += [f"[feed.{feed}]", *(f"{name} = {json.dumps(value)}" for name, value in keys.items())]
        (self.root / "batchd.toml").write_text("\n".join([*lines, ""]))
        for name in [each for each in self.env if each in FEED_VARIABLES or each.startswith("BATCH_API_")]:
            del self.env[name]
        self.set(BATCH_CONFIG=str(self.root / "batchd.toml"))

    def mock_api(self, **settings: str) -> str:
        """Start a mock API of this installation and return its address; its batchd is told."""
        defaults = {"FAILURE_RATE": "0", "LATENCY_MIN_MS": "0", "LATENCY_MAX_MS": "0", "SEED": "1", "PORT": "0"}
        named = {f"MOCK_API_{key}": value for key, value in {**defaults, **settings}.items()}
        log = self.root / "mock-api.log"
        before = log.stat().st_size if log.exists() else 0
        process = self.start("mock-api", [sys.executable, "-m", "mock_api"], **named)
        base = eventually(lambda: _announced(log, before) or not process.running(), "the mock API is up")
        assert isinstance(base, str), log.read_text()
        self.set(BATCH_API_URL=f"{base}/enrich")
        return base

    def start(self, name: str, command: list[str], **extra: str) -> Process:
        process = Process(command, {**self.env, **extra}, self.root, self.root / f"{name}.log")
        self._processes.append(process)
        return process

    def batchd(self, *arguments: str, ready: bool = True, name: str = "batchd", **extra: str) -> Process:
        process = self.start(name, [str(self.programs / "batchd"), *(arguments or ("run",))], **extra)
        already = len(process.logged("daemon.ready"))
        if ready:
            eventually(
                lambda: len(process.logged("daemon.ready")) > already or not process.running(), "batchd is ready"
            )
            assert process.running(), process.log.read_text()
        return process

    def temporal(self, *dynamic_config: str) -> Process:
        """Start a Temporal server of this installation that is not batchd's own child."""
        port = free_port()
        self.set(TEMPORAL_ADDRESS=f"127.0.0.1:{port}")
        database = str(self.root / "outside.db")
        command = [str(BIN / "temporal"), "server", "start-dev", "--ip", "127.0.0.1", "--port", str(port), "--headless"]
        command += [part for each in dynamic_config for part in ("--dynamic-config-value", each)]
        command += ["--db-filename", database, "--sqlite-pragma", "journal_mode=wal", "--log-level", "error"]
        return self.temporal_again(command, name="temporal")

    def temporal_again(self, command: list[str], *, name: str = "temporal-again") -> Process:
        """Start a Temporal server until one stays: of the further ports that it takes at random, one may be taken."""
        port = int(command[command.index("--port") + 1])
        for attempt in range(SERVER_ATTEMPTS):
            process = self.start(f"{name}{attempt or ''}", command, **plain_environment())
            eventually(lambda p=process: _temporal_answers(port) or not p.running(), "the Temporal server is up")
            if process.running():
                return process
        raise AssertionError(process.log.read_text())

    @staticmethod
    def children(pid: int) -> list[tuple[int, bytes]]:
        """Return pid and command line of the children of a process."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                    if parent == pid:
                        found.append((int(entry.name), (entry / "cmdline").read_bytes()))
        return found

    def batchctl_process(self, *arguments: str, timeout_s: float = 90) -> subprocess.CompletedProcess[str]:
        """Run the program `batchctl`, for what is about the program: its start takes half a second."""
        return subprocess.run(
            [str(self.programs / "batchctl"), *arguments],
            env=self.env,
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def batchctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of batchctl in this process, in the environment and the folder of this installation."""
        out, err = io.StringIO(), io.StringIO()
        with self._in_use(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = batchctl(arguments)
        return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())

    @contextlib.contextmanager
    def _in_use(self) -> Iterator[None]:
        before, folder = dict(os.environ), Path.cwd()
        try:
            os.environ.clear()
            os.environ.update(self.env)
            os.chdir(self.root)
            yield
        finally:
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(before)

    def status(self, name: str) -> dict[str, Any]:
        """Return what `batchctl status` says."""
        told = self.batchctl("status", name, "--json")
        return json.loads(told.stdout) if told.stdout else {"state": "unknown", "said": told.stderr}

    def drop(self, name: str, content: bytes | str | Path) -> Path:
        """Put a file into the inbox as `cp` would."""
        path = self.inbox / name
        if isinstance(content, Path):
            shutil.copyfile(content, path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def outputs(self) -> list[Path]:
        return sorted(self.output_root.glob("batch-*"))

    def finished(self, count: int = 1, deadline_s: float = DEADLINE_S) -> list[Path]:
        """Return the output folders once `count` batches are complete and their sources filed away."""

        def done() -> list[Path] | None:
            complete = [each for each in self.outputs() if (each / "manifest.json").exists()]
            # Folders go while they are looked at, which os.walk does not mind.
            claims = self.inbox / ".processing"
            claimed = [name for folder, _, names in os.walk(claims) for name in names if Path(folder) != claims]
            return complete if len(complete) >= count and not claimed else None

        return eventually(done, f"{count} finished batches", deadline_s)

    def at_rest(self) -> bool:
        """Return whether every batch has ended, as its receipt says, and no claim is left: it can be judged."""
        receipts = [json.loads(each.read_text()) for each in self.state_dir.glob("receipts/*.json")]
        ended = all(each["state"] in {"completed", "failed", "cancelled"} for each in receipts)
        return ended and not any(each.is_dir() for each in self.inbox.glob(".processing/*"))

    def result_of(self, name: str) -> Path:
        """Return the output folder of the batch of the file `name` once it is complete and its source filed away."""

        def done() -> Path | None:
            if any(self.inbox.glob(f".processing/*/{name}")):
                return None
            complete = [each for each in self.outputs() if (each / "manifest.json").exists()]
            return next((each for each in complete if manifest_of(each)["source"]["name"] == name), None)

        return eventually(done, f"the result of {name}")

    def close(self) -> None:
        """Kill what still runs: that a service stops cleanly has tests of its own, and takes each time a second."""
        for process in reversed(self._processes):
            process.kill_group()
        self._kill_left_server()

    def _kill_left_server(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            if pid := self.server_pid():
                os.kill(pid, signal.SIGKILL)

    def server_pid(self) -> int | None:
        """Return the process of the embedded server, whoever's child it is by now; None where none runs."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            pid = int(json.loads((self.state_dir / "server.json").read_text())["pid"])
            if str(self.state_dir).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        return None


def users(rows: int, **columns: str) -> str:
    """Return a CSV file of `rows` users."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["id", "first_name", "country", *columns])
    for number in range(1, rows + 1):
        writer.writerow([number, f"User {number}", "US" if number % 3 == 0 else "DE", *columns.values()])
    return out.getvalue()


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """Return every element of every chunk of the newest generation, in order."""
    manifest = json.loads((folder / "manifest.json").read_text())
    return [row for chunk in manifest["chunks"] for row in json.loads((folder / chunk["file"]).read_text())]


def manifest_of(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return loaded


def api(base: str, path: str, body: object | None = None, method: str | None = None) -> Any:
    """Call a control endpoint of the mock API."""
    request = urllib.request.Request(  # noqa: S310 - loopback, made above
        f"{base}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
        content = answer.read()
    return json.loads(content) if content else None


def _announced(log: Path, begin: int) -> str | None:
    """Return the address that a mock API has said behind byte `begin` of its log, once it answers there."""
    said = re.search(rb"^mock API on (http://\S+) ", log.read_bytes()[begin:], re.MULTILINE)
    base = said[1].decode() if said else ""
    return base if base and _answers(f"{base}/healthz") else None


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - loopback, made above
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except OSError:
        return False


@contextlib.contextmanager
def temporal_server(folder: Path, *dynamic_config: str) -> Iterator[str]:
    """Run a Temporal dev server and yield its address."""
    port = free_port()
    command = [str(BIN / "temporal"), "server", "start-dev", "--ip", "127.0.0.1", "--port", str(port), "--headless"]
    command += [part for each in dynamic_config for part in ("--dynamic-config-value", each)]
    log = folder / "temporal.log"
    for _ in range(SERVER_ATTEMPTS):
        process = Process([*command, "--log-level", "error"], plain_environment(), folder, log)
        eventually(lambda p=process: _temporal_answers(port) or not p.running(), "the Temporal server is up")
        if process.running():
            break
    try:
        assert process.running(), log.read_text()
        yield f"127.0.0.1:{port}"
    finally:
        process.stop()


def _temporal_answers(port: int) -> bool:
    """Return whether the server is up; its own program is a process to each question, and asked last."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) != 0:
            return False
    address = f"127.0.0.1:{port}"
    return temporal_cli("operator", "namespace", "describe", "default", "--address", address).returncode == 0


def temporal_cli(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command of Temporal's own program, which does not start for a user id without a name, unless in `USER`."""
    command = [str(BIN / "temporal"), *arguments]
    return subprocess.run(command, env=plain_environment(), capture_output=True, timeout=20, check=False)
