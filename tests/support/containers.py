"""Containers as deploy/ says to run them, in a network that a test makes: `inside` is theirs, `outside` is the world.

Two network namespaces with one wire between them. From inside nothing but the wire can be reached, so what a container
gets from outside, and what is reached in it, went over an address and not over loopback.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from container_images import ENGINE, ImageStore, run
from installation import BIN, Process

INSIDE, OUTSIDE = "192.0.2.1", "192.0.2.2"
"""Addresses for documentation (RFC 5737): no host has them."""
USER = 10001
FOLDERS = ("inbox", "out", "state")
HARDENED = ("--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--security-opt", "no-new-privileges")
"""Not even /tmp can be written."""
LIMITS = ("--runtime", "runc", "--ulimit", "nofile=16384:16384", "--ulimit", "nproc=4096:4096")
"""podman asks for more than a root without CAP_SYS_RESOURCE may give."""
STOP_S = 60
FETCH = """
import sys, urllib.request, urllib.error
try:
    answer = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sys.argv[1], timeout=5)
    print(answer.status, answer.read().decode())
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
except OSError as error:
    print(0, error)
"""


@dataclass(frozen=True, slots=True)
class Network:
    """The names of two network namespaces."""

    inside: str
    outside: str

    def fetch(self, port: int, path: str) -> tuple[int, str]:
        """Return status and body of what the container answers somebody outside; a status of 0 is no answer."""
        url = f"http://{INSIDE}:{port}{path}"
        status, _, body = run("ip", "netns", "exec", self.outside, sys.executable, "-c", FETCH, url).partition(" ")
        return int(status), body

    def start_outside(self, program: str, *arguments: str, log: Path, **environ: str) -> Process:
        """Start a program of this environment in the world outside."""
        command = ["ip", "netns", "exec", self.outside, str(BIN / program), *arguments]
        return Process(command, {**os.environ, **environ}, log.parent, log)


@contextlib.contextmanager
def network() -> Iterator[Network]:
    """Make a network for as long as the block lasts."""
    names = Network(f"batchd-in-{os.getpid()}", f"batchd-out-{os.getpid()}")
    ends = ((names.inside, "wire0", INSIDE), (names.outside, "wire1", OUTSIDE))
    try:
        for name, _, _ in ends:
            run("ip", "netns", "add", name)
        wire = ("type", "veth", "peer", "name", "wire1", "netns", names.outside)
        run("ip", "link", "add", "wire0", "netns", names.inside, *wire)
        for name, device, address in ends:
            run("ip", "-n", name, "address", "add", f"{address}/24", "dev", device)
            run("ip", "-n", name, "link", "set", "lo", "up")
            run("ip", "-n", name, "link", "set", device, "up")
        yield names
    finally:
        for name, _, _ in ends:
            subprocess.run(["/usr/bin/env", "ip", "netns", "delete", name], capture_output=True, check=False)


class Volumes:
    """Folders of the host for inbox, results and state, which belong to the user of the image.

    With `by_group` they belong to root and to the group of the image, as Kubernetes makes them for `fsGroup`.
    """

    def __init__(self, root: Path, *, by_group: bool = False) -> None:
        self.root = root
        self._others: list[str] = []
        for name in FOLDERS:
            (root / name).mkdir(parents=True)
            os.chown(root / name, 0 if by_group else USER, USER)
            (root / name).chmod(0o2775 if by_group else 0o755)

    def add(self, folder: Path, inside: str) -> None:
        """Mount another folder, to be read."""
        self._others += ["--volume", f"{folder}:{inside}:ro"]

    @property
    def options(self) -> tuple[str, ...]:
        return *self._others, *(part for name in FOLDERS for part in ("--volume", f"{self.root / name}:/{name}"))


class Container:
    """One container of batchd, without rights and on a root that cannot be written."""

    def __init__(
        self,
        store: ImageStore,
        image: str,
        *command: str,
        name: str,
        network: Network,
        volumes: Volumes,
        **environ: str,
    ) -> None:
        self._podman = ("podman", *store.options)
        self.name = name
        variables = [part for key, value in environ.items() for part in ("--env", f"{key}={value}")]
        place = ("--network", f"ns:/run/netns/{network.inside}", *volumes.options)
        run(*self._podman, "run", "--detach", "--name", name, *LIMITS, *HARDENED, *place, *variables, image, *command)

    def execute(self, *command: str) -> str:
        """Run a program in it and return what it printed; it fails loudly."""
        return run(*self._podman, "exec", self.name, *command)

    def kill(self) -> None:
        """End it at once, as a node that is gone does."""
        run(*self._podman, "kill", self.name)

    def healthy(self) -> bool:
        """Return what the health check of the image says, run once by podman."""
        check = [*self._podman, "healthcheck", "run", self.name]
        return subprocess.run(check, env={**os.environ, **ENGINE}, capture_output=True, check=False).returncode == 0

    def logs(self) -> str:
        done = subprocess.run(
            [*self._podman, "logs", self.name],
            env={**os.environ, **ENGINE},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    def stop(self) -> int:
        """Stop it as an operator does, and return its exit code; where that is not 0, fail with all it logged."""
        run(*self._podman, "stop", "--time", str(STOP_S), self.name)
        code = int(run(*self._podman, "inspect", self.name, "--format", "{{.State.ExitCode}}"))
        assert code == 0, f"{self.name} ended with {code}:\n{self.logs()[-8_000:]}"
        return code


def run_once(store: ImageStore, image: str, program: str, *arguments: str) -> str:
    """Run another program of the image, with no network, and return what it printed."""
    place = ("--rm", "--network", "none", "--entrypoint", program)
    return run("podman", *store.options, "run", *LIMITS, *HARDENED, *place, image, *arguments)
