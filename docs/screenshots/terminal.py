"""What people see of batchd in a terminal: real output of real commands, as pictures that scale.

It writes docs/img/terminal-*.svg, and is part of `make screenshots`. The scene plays in namespaces of its own, at
/srv/batchd of a host called batch1 with nothing else on its ports, so that the pictures name nobody's machine.
"""

from __future__ import annotations

import fcntl
import io
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.style import Style
from rich.text import Text
from terminal_screen import Look, TerminalScreen

IMG = Path(__file__).parent.parent / "img"
ROOT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent
SITE = Path("/srv/batchd")
INSIDE = "BATCHD_SCREENSHOTS_INSIDE"
COLUMNS = 120
DEADLINE_S = 120.0
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
SIOCSIFFLAGS, IFF_UP_AND_RUNNING = 0x8914, 0x41
SEEN_ROWS = 300
"""Rows that a batch has done when its picture is taken."""

NAMESPACES = ["--user", "--map-root-user", "--mount", "--uts", "--net", "--pid", "--fork", "--mount-proc"]


def main() -> None:
    """Play the scene and write the pictures."""
    if os.environ.get(INSIDE):
        play()
        return
    with tempfile.TemporaryDirectory(prefix="batchd-screenshots-") as folder:
        (Path(folder) / SITE.name).mkdir()
        begin = f'mount --bind "{folder}" /srv && hostname batch1 && exec "{sys.executable}" -m screenshots.terminal'
        command = [shutil.which("unshare") or "unshare", *NAMESPACES, "sh", "-ec", begin]
        subprocess.run(command, env={**os.environ, INSIDE: "1"}, check=True, timeout=10 * DEADLINE_S)  # noqa: S603


def play() -> None:
    """Run a service with batches in several states, and look at it."""
    bring_loopback_up()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BATCH_", "TEMPORAL_", "MOCK_"))}
    env = kept | {"PATH": f"{BIN}:{kept['PATH']}", "SUDO_USER": "ann", "MOCK_API_SEED": "7", "TERM": "xterm-256color"}
    env |= {"BATCH_OUTPUT_ROOT": str(SITE / "out"), "BATCH_SETTLE_S": "0.5"}
    for folder in ("inbox", "out"):
        (SITE / folder).mkdir()
    (SITE / "inbox").chmod(0o755)
    with screen("batchd run --with-mock-api", env, rows=40) as service:
        until(lambda: "is ready" in service.text, "the service is ready")
        drop("users.csv", ROOT / "dummy-data" / "users.csv")
        until(lambda: "users.csv completed" in service.text, "the first batch is done")
        picture(service, "run", "batchd run --with-mock-api")
        for name, rows in (("july.csv", 900), ("june.csv", 2_500), ("may.csv", 6_000), ("april.csv", 12_000)):
            drop(name, generated(name, rows, env))
        until(lambda: all(done(name, env) > SEEN_ROWS for name in ("june.csv", "april.csv")), "batches are under way")
        run("batchctl pause april.csv --reason 'new prices at noon'", env)
        taken("list", "batchctl list", env)
        watched(env)
        fail_all()
        until(lambda: '"state": "waiting"' in run("batchctl status may.csv --json", env), "a batch waits")
        taken("status", "batchctl status may.csv", env)
        (SITE / ".batchd" / "temporal.db").chmod(0o644)
        taken("doctor", "batchctl doctor", env)


def watched(env: dict[str, str]) -> None:
    """Take the picture of `watch` while three batches go on."""
    with screen("batchctl watch", env, rows=8) as watching:
        until(lambda: watching.text.count("rows/s") > 1, "bars move")
        picture(watching, "watch", "batchctl watch")


def taken(name: str, command: str, env: dict[str, str]) -> None:
    """Take the picture of a command that ends."""
    with screen(command, env, rows=60) as ended:
        ended.ended()
        picture(ended, name, command)


def screen(command: str, env: dict[str, str], *, rows: int) -> TerminalScreen:
    """Start a command in a terminal of its own."""
    program, *words = command.split()
    return TerminalScreen([BIN / program, *words], columns=COLUMNS, rows=rows, env=env, cwd=SITE)


def picture(seen: TerminalScreen, name: str, command: str) -> None:
    """Write what a screen shows below the command that was typed."""
    lines = [Text.assemble(("$ ", "bold green"), (command, "bold")), *map(styled, seen.looks())]
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for each in lines:
        console.print(each, no_wrap=True, crop=True, overflow="crop")
    without_fonts = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    form = without_fonts.replace("Fira Code, monospace", FONTS)
    made = console.export_svg(title="ann@batch1: /srv/batchd", code_format=form, unique_id=f"terminal-{name}")
    (IMG / f"terminal-{name}.svg").write_text(re.sub(r"[ \t]+$", "", made, flags=re.MULTILINE).rstrip() + "\n")


def styled(line: list[Look]) -> Text:
    """Return a line of a screen with its colours."""
    found = Text()
    for (colour, bold), looks in groupby(line, key=lambda each: (each.colour, each.bold)):
        found.append("".join(each.character for each in looks), Style(color=colour or None, bold=bold))
    found.rstrip()
    return found


def drop(name: str, file: Path) -> None:
    """Put a file into the inbox, whole at once."""
    hidden = SITE / "inbox" / f".{name}.part"
    shutil.copyfile(file, hidden)
    hidden.rename(SITE / "inbox" / name)


def generated(name: str, rows: int, env: dict[str, str]) -> Path:
    """Return a file of so many users."""
    made = SITE / "out" / name
    program = ROOT / "dummy-data" / "generate.py"
    subprocess.run([sys.executable, program, "--rows", str(rows), "--output", made], check=True, env=env)  # noqa: S603
    return made


def done(name: str, env: dict[str, str]) -> int:
    """Return how many rows of a batch are done."""
    found = re.search(r'"done": (\d+)', run(f"batchctl status {name} --json", env))
    return int(found[1]) if found else 0


def run(command: str, env: dict[str, str]) -> str:
    """Return what a command prints."""
    shell = ["sh", "-c", command]
    return subprocess.run(shell, env=env, cwd=SITE, capture_output=True, text=True, check=False).stdout  # noqa: S603


def fail_all() -> None:
    """Let the mock API answer every call with 503."""
    body, headers = b'{"kind": "status", "status": 503, "share": 1.0}', {"Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:3001/faults", body, headers)).close()


def until(check: Callable[[], bool], what: str) -> None:
    """Return once something holds."""
    end = time.monotonic() + DEADLINE_S
    while not check():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.1)


def bring_loopback_up() -> None:
    """A new namespace of the network has its loopback down (netdevice(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP_AND_RUNNING))


if __name__ == "__main__":
    main()
