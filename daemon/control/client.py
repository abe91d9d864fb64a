"""Speaking to the services that run on a state folder."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from daemon.control.sockets import connections

TIMEOUT_S = 90.0
"""A reload waits for its worker processes; one that takes longer hangs."""

BLOCK_BYTES = 65_536


def ask_all(state_dir: Path, request: Mapping[str, Any], *, timeout_s: float = TIMEOUT_S) -> list[dict[str, Any]]:
    """Return what each service that runs on a state folder on this host answers; empty where none runs.

    One that ends or hangs meanwhile has an answer with `error` alone.

    Raises:
        PermissionError: this user may not speak to one of them.
    """
    answers = []
    for connection in connections(state_dir):
        connection.settimeout(timeout_s)
        try:
            answers.append(_asked(connection, request))
        except TimeoutError:
            answers.append({"error": f"gave no answer within {timeout_s:g} s"})
        except (OSError, ValueError):
            answers.append({"error": "ended before it answered"})
    return answers


def _asked(connection: socket.socket, request: Mapping[str, Any]) -> dict[str, Any]:
    connection.sendall(json.dumps(request).encode() + b"\n")
    content = b""
    while block := connection.recv(BLOCK_BYTES):
        content += block
    answer = json.loads(content)
    if not isinstance(answer, dict):
        raise ValueError("the answer is no object")  # noqa: TRY004 - what came is at fault, not its type
    return answer
