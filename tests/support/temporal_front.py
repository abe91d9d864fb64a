"""A Temporal server as companies run it: behind TLS, for those who show a client certificate, or an API key."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from installation import eventually, free_port

CADDY = Path(sys.executable).parent / "caddy"


class TemporalFront:
    """Caddy before the server at `address`, as localhost, with the certificate `own`.

    It lets in who shows the certificate `client`, where one is named, and the API key `key`.
    """

    def __init__(self, folder: Path, address: str, own: Path, *, key: str, client: Path | None = None) -> None:
        port = free_port()
        self.address = f"localhost:{port}"
        wants = f"client_auth {{\nmode require_and_verify\ntrust_pool file {client}\n}}" if client else ""
        config = folder / "Caddyfile"
        config.write_text(
            f"{{\nadmin off\npersist_config off\nauto_https off\nstorage file_system {folder}/storage\n"
            f"grace_period 300ms\n}}\nhttps://localhost:{port} {{\nbind 127.0.0.1\ntls {own} {own} {{\n{wants}\n}}\n"
            f'@known header Authorization "Bearer {key}"\n'
            f"handle @known {{\nreverse_proxy h2c://{address}\n}}\nhandle {{\nrespond 401\n}}\n}}\n"
        )
        environment = {**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        with (folder / "caddy.log").open("ab") as log:
            command = [str(CADDY), "run", "--config", str(config)]
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        eventually(lambda: self._process.poll() is not None or _listens(port), "Caddy listens")
        assert self._process.poll() is None, (folder / "caddy.log").read_text()[-2_000:]

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
