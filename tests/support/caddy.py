"""Caddy before an API: a real front with TLS, client certificates, HTTP/2 and gzip, as people run them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from installation import eventually, free_port

CADDY = Path(sys.executable).parent / "caddy"
BOMB_BYTES = 2_000_000


class Caddy:
    """A front of `api`, as localhost, with the certificate `own`. With `client`, only who shows that one is let in.

    `/bomb` answers with two megabytes of JSON, packed by gzip.
    """

    def __init__(self, folder: Path, api: str, own: Path, client: Path | None = None) -> None:
        self.address = f"https://localhost:{free_port()}"
        self._folder = folder
        self._config = folder / "Caddyfile"
        self._admin = f"unix/{folder}/admin"
        wants = f"client_auth {{\nmode require_and_verify\ntrust_pool file {client}\n}}" if client else ""
        self._config.write_text(
            f"{{\nadmin {self._admin}\npersist_config off\nauto_https off\nstorage file_system {folder}/storage\n"
            f"grace_period 300ms\n}}\n{self.address} {{\nbind 127.0.0.1\ntls {own} {own} {{\n{wants}\n}}\n"
            f"log {{\noutput file {folder}/access.log\nformat json\n}}\nencode gzip\n"
            f'handle /bomb {{\nheader Content-Type application/json\nrespond `{{"a":"{"0" * BOMB_BYTES}"}}`\n}}\n'
            f"handle {{\nreverse_proxy {api.removeprefix('http://')}\n}}\n}}\n"
        )
        self._process = self._started()

    def kill(self) -> None:
        """Kill it as the kernel does when memory is short: connections end without a word."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def start_again(self) -> None:
        """Start it on the same port."""
        self._process = self._started()

    def reload(self) -> None:
        """Take the configuration anew: old connections are told to go away."""
        command = [str(CADDY), "reload", "--force", "--config", str(self._config), "--address", self._admin]
        subprocess.run(command, check=True, capture_output=True, env=self._environment(), timeout=30)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()

    def protocols(self) -> list[str]:
        """Return by which version of HTTP each call came that has been answered."""
        lines = (self._folder / "access.log").read_text().splitlines()
        return [json.loads(line)["request"]["proto"] for line in lines]

    def _started(self) -> subprocess.Popen[bytes]:
        command = [str(CADDY), "run", "--config", str(self._config)]
        with (self._folder / "caddy.log").open("ab") as log:
            process = subprocess.Popen(command, env=self._environment(), stdout=log, stderr=log)
        eventually(lambda: process.poll() is not None or self._listens(), "Caddy listens")
        assert process.poll() is None, (self._folder / "caddy.log").read_text()[-2_000:]
        return process

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "HOME": str(self._folder), "XDG_CONFIG_HOME": str(self._folder)}

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", int(self.address.rpartition(":")[2]))) == 0
