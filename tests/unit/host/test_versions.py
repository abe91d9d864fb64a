"""The environments in /opt/batchd, made here in a folder from a wheel of a few lines."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchd.host import program
from batchd.host.program import COMPLETE, HostError

PLACED = "import pathlib, sys; pathlib.Path(sys.prefix, 'placed').touch()\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where versions go, on a host that has what is needed and keeps the files of root to root."""
    monkeypatch.setattr(program, "HOME", tmp_path / "opt")
    monkeypatch.setattr(program, "CURRENT", tmp_path / "opt" / "current")
    monkeypatch.setattr(program, "_check_host", lambda: None)
    before = os.umask(0o077)
    yield tmp_path / "opt"
    os.umask(before)


def test_what_root_installs_is_for_the_user_of_the_service_and_runs_nothing_of_the_current_folder(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    for name in ("venv", "pip", "ensurepip"):
        (hostile / f"{name}.py").write_text(f"open({str(hostile / 'was-run')!r}, 'w')\n")
    monkeypatch.chdir(hostile)
    program.install(wheel(tmp_path, "1.0"))
    assert not (hostile / "was-run").exists()
    assert (home / "current" / "placed").exists()
    for each in (home, home / "current", home / "current/bin", *home.glob("current/lib/python3*/site-packages/batchd")):
        assert stat.S_IMODE(each.stat().st_mode) & 0o055 == 0o055, each


def test_the_version_before_stays_until_there_is_another(home: Path, tmp_path: Path) -> None:
    one = made(home, wheel(tmp_path, "1.0"))
    left = home / "0.9-0123abcd"
    left.mkdir()  # of a command that was killed
    program.install(wheel(tmp_path, "1.0"))
    assert versions(home) == [one]
    two = made(home, wheel(tmp_path, "2.0"))
    for _ in range(2):
        program.install(wheel(tmp_path, "2.0"))
        assert versions(home) == [one, two]
    made(home, wheel(tmp_path, "2.0"), "-without-server")
    program.install(wheel(tmp_path, "2.0"), server=False)
    assert versions(home) == [two, f"{two}-without-server"]
    assert (home / "current").readlink() == Path(f"{two}-without-server")


def test_of_two_at_once_the_second_is_refused(home: Path, tmp_path: Path) -> None:
    home.mkdir()
    with subprocess.Popen(["flock", home, "sh", "-c", "echo locked; read _"], stdin=-1, stdout=-1) as first:  # noqa: S607
        assert first.stdout is not None
        assert first.stdout.readline() == b"locked\n"
        with pytest.raises(HostError, match="another batchd-host is at work"):
            program.install(wheel(tmp_path, "1.0"))
        with pytest.raises(HostError, match="another batchd-host is at work"):
            program.remove()
        first.communicate(b"\n")
    program.remove()
    assert not home.exists()


def test_what_is_removed_by_half_does_not_count_as_complete(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = home / "1.0-0123abcd"
    old.mkdir(parents=True)
    (old / COMPLETE).touch()
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)
    program._forget(old)
    assert old.exists()
    assert not (old / COMPLETE).exists()


def versions(home: Path) -> list[str]:
    return sorted(each.name for each in home.iterdir() if not each.is_symlink())


def made(home: Path, built: Path, variant: str = "") -> str:
    """Put an environment in its place that needs no installing, and return its name."""
    name = f"{built.name.split('-')[1]}-{hashlib.sha256(built.read_bytes()).hexdigest()[:8]}{variant}"
    (home / name / "bin").mkdir(parents=True)
    (home / name / "bin" / "python").symlink_to("/bin/true")
    (home / name / COMPLETE).touch()
    return name


def wheel(folder: Path, version: str) -> Path:
    path = folder / f"batchd-{version}-py3-none-any.whl"
    info = f"batchd-{version}.dist-info"
    if path.exists():
        return path
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("batchd/__init__.py", "")
        archive.writestr("batchd/host/__init__.py", "")
        archive.writestr("batchd/host/__main__.py", PLACED)
        archive.writestr("batchd/host/files/runtime.lock", "")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: batchd\nVersion: {version}\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: here\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return path
