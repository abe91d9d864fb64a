"""A machine with batchd on it, installed by the lines of the documentation, and what is done to it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from installation import eventually
from machine import Machine
from repository import ROOT

DOCS = ROOT / "deploy" / "README.md"
CODE = ("batchd", "daemon", "workflows", "activities", "mock_api", "deploy")
FILES = ("pyproject.toml", "README.md", "LICENSE", "runtime.lock")
SETTINGS = "BATCH_API_CONCURRENCY=8\nBATCH_PAGE_ROWS=50\nBATCH_HEARTBEAT_TIMEOUT_S=2\nBATCH_SETTLE_S=0.5\n"
API = """[Service]
Environment=MOCK_API_FAILURE_RATE=0 MOCK_API_LATENCY_MIN_MS=60 MOCK_API_LATENCY_MAX_MS=60
ExecStart=/opt/batchd/current/bin/batchd-mock-api
Restart=always
[Install]
WantedBy=multi-user.target
"""
CALLS = (
    "python3 -c 'import json, urllib.request as u; "
    'print(json.load(u.urlopen("http://127.0.0.1:3001/calls"))["total"])\''
)
ROWS = 1_000
PATIENCE_S = 150


class ServiceHost(Machine):
    """The machine of all these tests."""

    def install_by_the_docs(self, wheel: Path) -> None:
        """Do what deploy/README.md says, line by line; the editor is ours."""
        shutil.copy(wheel, self.root / "root")
        for line in documented_lines():
            if line.startswith("editor "):
                self._edit(line.removeprefix("editor "))
            elif not line.startswith("apt-get "):  # the machine was made with that package
                self.sh(f"cd /root && {line}")

    def drop(self, name: str, rows: int = ROWS) -> None:
        """Drop a file of so many rows, as a user who is in the group of the senders and nothing else."""
        text = "id,name,email\n" + "".join(f"{each},n{each},n{each}@example.org\n" for each in range(1, rows + 1))
        path = self.root / "home/ann" / name
        path.write_text(text)
        self.sh(
            f"cp /home/ann/{name} /srv/batchd/inbox/.{name} && mv /srv/batchd/inbox/.{name} /srv/batchd/inbox/{name}",
            user="ann",
        )

    def in_mid_batch(self, name: str) -> None:
        """Drop a file and return once some of its rows are done and most are not."""
        before = self.calls()
        self.drop(name)
        eventually(lambda: self.calls() > before + 50, f"{name} is under way", PATIENCE_S)

    def proven(self, name: str, rows: int = ROWS) -> None:
        """Hold the batch of a file to its end and to the proof that every row is there once."""
        wanted = f"VERIFIED: {rows:,} records = {rows:,} enriched"

        def verified() -> bool:
            return wanted in self.sh(f"batchctl verify {name}", check=False)

        try:
            eventually(verified, f"{name} is complete and holds", PATIENCE_S)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.sh(f'batchctl verify {name}', check=False)}{self.log()}") from None

    def calls(self) -> int:
        """Return how many calls the API has had; 0 while it is not up."""
        said = self.sh(CALLS, check=False).strip()
        return int(said) if said.isdigit() else 0

    def show(self, name: str, unit: str = "batchd") -> str:
        """Return a property of the unit."""
        return self.sh(f"systemctl show {unit} --property {name} --value").strip()

    def pid_of(self, process: str) -> int:
        """Return the process id of `batchd`, `worker` or `temporal`; 0 for none."""
        main = int(self.show("MainPID"))
        if process == "batchd" or not main:
            return main
        mark = {"worker": "daemon.main work", "temporal": "start-dev"}[process]
        said = self.sh(f"ps -o pid=,args= --ppid {main}" if self._has("ps") else _children(main), check=False)
        found = [int(line.split()[0]) for line in said.splitlines() if mark in line]
        return found[0] if found else 0

    def log(self, unit: str = "batchd") -> str:
        """Return the end of the log of a unit."""
        return self.sh(f"journalctl --unit {unit} --output cat --no-pager --lines 40", check=False)

    def events(self, name: str) -> list[dict[str, object]]:
        """Return what the service logged of one kind."""
        lines = self.sh("journalctl --unit batchd --output cat --no-pager").splitlines()
        logged = [json.loads(line) for line in lines if line.startswith("{")]
        return [each for each in logged if each.get("event") == name]

    def becomes_well(self) -> None:
        """Return once the service is active and says that its worker is ready."""
        self.sh("systemctl reset-failed batchd; systemctl start batchd", check=False)
        eventually(self.is_well, f"the service is well\n{self.log()}", PATIENCE_S)

    def is_well(self) -> bool:
        return self.show("ActiveState") == "active" and self.show("StatusText").endswith("1 of 1 worker ready")

    def _edit(self, path: str) -> None:
        settings = self.root / path.lstrip("/")
        text = settings.read_text().replace("https://api.example.org/enrich", "http://127.0.0.1:3001/enrich")
        settings.write_text(text.replace("BATCH_API_CONCURRENCY=64\n", SETTINGS))

    def _has(self, program: str) -> bool:
        return (self.root / "usr/bin" / program).exists()


def documented_lines() -> list[str]:
    """Return the commands of the installation, as deploy/README.md has them."""
    section = DOCS.read_text().partition("## On a host with systemd")[2]
    block = re.findall(r"```console\n(.*?)```", section, re.DOTALL)[0]
    return [line.removeprefix("# ") for line in block.splitlines()]


def downloaded(folder: Path, python: str) -> None:
    """Get the packages of the lock for a version of Python, checked by their hashes."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--only-binary=:all:"]
    command += ["--python-version", python, "--requirement", str(ROOT / "runtime.lock"), "--dest", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]


def wheel_of(folder: Path, version: str = "") -> Path:
    """Return the wheel that is built of this repository, or of a copy of it that has another version."""
    source = ROOT
    if version:
        source = folder / "source"
        for name in CODE:
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in FILES:
            shutil.copy(ROOT / name, source)
        project = source / "pyproject.toml"
        project.write_text(re.sub(r'(?m)^version = ".*"$', f'version = "{version}"', project.read_text()))
    hatchling = Path(sys.executable).with_name("hatchling")
    subprocess.run(
        [hatchling, "build", "--target", "wheel", "--directory", folder], cwd=source, check=True, capture_output=True
    )
    [made] = folder.glob("*.whl")
    return made


def prepared(folder: Path, wheel: Path) -> ServiceHost:
    """Return a machine that runs the service."""
    begun_s = time.monotonic()
    host = ServiceHost(folder)
    host.make()
    downloaded(host.wheels, host.python)
    (host.root / "etc/systemd/system/mock-api.service").write_text(API)
    host.boot()
    host.sh("useradd --create-home ann")
    host.install_by_the_docs(wheel)
    host.sh("usermod --append --groups batchd ann && systemctl enable --now mock-api")
    sys.stdout.write(f"installed after {time.monotonic() - begun_s:.0f} s\n")
    return host


def _children(pid: int) -> str:
    return (
        f"for each in $(cat /proc/{pid}/task/*/children); do "
        "printf '%s ' $each; tr '\\0' ' ' < /proc/$each/cmdline; echo; done"
    )
