"""Units, user, folders, settings and the command batchctl: put in their places, and taken away again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from batchd.host.environment_file import variables
from batchd.host.program import CURRENT, HostError, run

UNITS = ("batchd.service", "batchd-worker@.service")
NOTIFY_RELOAD_SINCE = 253
"""The first systemd that knows `Type=notify-reload`; Debian 12 has 252."""

PLACES = {
    "batchd.sysusers": "etc/sysusers.d/batchd.conf",
    "batchd.tmpfiles": "etc/tmpfiles.d/batchd.conf",
    **{unit: f"etc/systemd/system/{unit}" for unit in UNITS},
}
ENV, ENV_EXAMPLE, CONFIG = "etc/batchd/batchd.env", "batchd.env.example", "etc/batchd/batchd.toml"
BATCHCTL = "usr/local/bin/batchctl"
PACKAGED_BATCHCTL = "usr/bin/batchctl"
FOLDERS = {"BATCH_INBOX": "/srv/batchd/inbox", "BATCH_OUTPUT_ROOT": "/srv/batchd/out"}
"""What the unit of an earlier version said, and the settings say since."""


def place(program: Path, root: Path) -> None:
    """Put everything in its place below `root`, make the user and the folders, and restart what runs.

    Raises:
        HostError: a step failed.
    """
    is_first = not (root / ENV).exists()
    _keep_folders(root)
    for name, place in PLACES.items():
        _write(root / place, for_systemd(file(program, name).read_text(), systemd_version()))
    run("systemd-sysusers", "batchd.conf")
    run("systemd-tmpfiles", "--create", "batchd.conf")
    shutil.copyfile(file(program, "README.md"), program / "README.md")
    if is_first:
        _write(root / ENV, file(program, ENV_EXAMPLE).read_text(), mode=0o640, group="batchd")
    _write(root / BATCHCTL, _batchctl(program), mode=0o755)
    run("systemctl", "daemon-reload")
    run("systemctl", "try-restart", "batchd.service", "batchd-worker@*.service")
    if is_first:
        sys.stdout.write(
            f"batchd is installed. Now put the address of your API into /{ENV}, then: systemctl enable --now batchd\n"
        )
    else:
        sys.stdout.write("batchd is installed anew; what ran was restarted and goes on where it was.\n")


def stage(tree: Path, program: Path) -> None:
    """Put everything below `tree`, where a package of Debian has it: the programs are there, and will be in `program`.

    Raises:
        HostError: there is no systemd here, whose version the units are for.
    """
    made = tree / program.relative_to("/")
    for name, place in PLACES.items():
        text = for_systemd(file(made, name).read_text(), systemd_version())
        _write(tree / place.replace("etc/", "usr/lib/", 1), text.replace(str(CURRENT), str(program)))
    _write(made / "README.md", file(made, "README.md").read_text())
    _write(tree / ENV, file(made, ENV_EXAMPLE).read_text(), mode=0o640)
    _write(tree / PACKAGED_BATCHCTL, _batchctl(program), mode=0o755)


def remove(root: Path) -> None:
    """Stop the service and take away what `place` has put there, but for settings, user and folders.

    Raises:
        HostError: this is not root.
    """
    if os.geteuid() != 0:
        raise HostError("this removes batchd from the whole host: run it as root")
    subprocess.run(["systemctl", "stop", "--quiet", "batchd-worker@*.service", "batchd.service"], check=False)  # noqa: S607
    for enabled in _enabled(root):
        enabled.unlink()
    for place in (*PLACES.values(), BATCHCTL):
        (root / place).unlink(missing_ok=True)
    run("systemctl", "daemon-reload")
    sys.stdout.write(
        "batchd is removed. Settings, state, inbox and results stay; to delete them too:\n"
        "rm -r /etc/batchd /var/lib/batchd /srv/batchd && userdel batchd\n"
    )


def for_systemd(unit: str, version: int) -> str:
    """Return a unit as this version of systemd understands it."""
    if version >= NOTIFY_RELOAD_SINCE:
        return unit
    # A shell has kill; the program of that name is in a package of its own, which a small Debian does without.
    return unit.replace("Type=notify-reload\n", "Type=notify\nExecReload=/bin/sh -c 'kill -HUP $$MAINPID'\n")


def systemd_version() -> int:
    """Return the version of systemd on this host.

    Raises:
        HostError: there is none.
    """
    try:
        said = subprocess.run(["systemctl", "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S607
        return int(said.split()[1])
    except (OSError, subprocess.CalledProcessError, ValueError, IndexError) as error:
        raise HostError(f"systemctl --version says nothing that can be read: {error}") from error


def file(program: Path, name: str) -> Path:
    """Return where an installed version has a file that is put in its place."""
    [found] = program.glob(f"lib/python3*/site-packages/batchd/host/files/{name}")
    return found


def _batchctl(program: Path) -> str:
    return f'#!/bin/sh\nexec {program}/bin/python -I -m batchd.host.batchctl "$@"\n'


def _keep_folders(root: Path) -> None:
    """Write into the settings what the unit of an earlier version said, before that unit is another."""
    unit, env = root / PLACES["batchd.service"], root / ENV
    if not unit.exists() or "BATCH_INBOX=" not in unit.read_text() or not env.exists() or (root / CONFIG).exists():
        return
    given = variables(env.read_text(encoding="utf-8"))
    missing = [f"{name}={folder}\n" for name, folder in FOLDERS.items() if name not in given]
    if missing:
        with env.open("a") as settings:
            settings.write("\n" + "".join(missing))


def _enabled(root: Path) -> list[Path]:
    """Return the links that start our units at boot."""
    return [link for unit in UNITS for link in root.glob(f"etc/systemd/system/*.wants/{unit.replace('@', '@*')}")]


def _write(path: Path, text: str, *, mode: int = 0o644, group: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text)
    temporary.chmod(mode)
    if group:
        shutil.chown(temporary, group=group)
    temporary.replace(path)
