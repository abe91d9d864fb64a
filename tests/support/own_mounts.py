"""Runs batchctl where mounts and limits of the kernel are its own: in namespaces, as root of them, on any account."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from installation import BIN


def in_own_mounts(
    setup: str, *arguments: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `setup`, lines of a shell, and then batchctl, in new namespaces of users and of mounts."""
    command = shlex.join([str(BIN / "batchctl"), *arguments])
    return subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", f"{setup}\nexec {command}"],  # noqa: S607
        env=dict(env or os.environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def tmpfs(folder: Path, options: str) -> str:
    """Return the line that mounts an empty file system in memory."""
    return shlex.join(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)])
