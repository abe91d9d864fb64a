"""Who may read what the service knows: the state folder, the server's database, and the environment of its children."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from installation import Installation, free_port

from daemon.config.settings import Settings
from daemon.folders import prepare_folders
from daemon.processes.child import plain_environment

Make = Callable[..., Installation]


def mode(path: Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):o}"


def environment_of(pid: int) -> dict[str, str]:
    pairs = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(each.split("=", 1) for each in pairs if each)


def test_the_state_folder_and_the_database_are_closed_to_other_users(installation: Make) -> None:
    site = installation()
    site.state_dir.rmdir()
    service = site.batchd()
    databases = list(site.state_dir.glob("temporal.db*"))
    assert len(databases) > 1, "the journal is beside it"
    assert {mode(site.state_dir), *map(mode, databases)} == {"700", "600"}
    assert service.logged("access.restricted") == []
    assert service.stop() == 0

    site.state_dir.chmod(0o755)
    for each in site.state_dir.glob("temporal.db*"):
        each.chmod(0o644)
    service = site.batchd()
    assert {mode(site.state_dir), *map(mode, site.state_dir.glob("temporal.db*"))} == {"700", "600"}
    assert (site.state_dir / "server.lock").exists()
    [restricted, *_] = service.logged("access.restricted")
    assert (restricted["path"], restricted["mode"], restricted["before"]) == (str(site.state_dir), "700", "755")


def test_the_server_has_a_user_name_in_its_environment_where_ours_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("USER", raising=False)
    assert plain_environment()["USER"] == str(os.getuid())
    monkeypatch.setenv("USER", "batchd")
    assert plain_environment()["USER"] == "batchd"


def test_the_web_page_of_the_server_can_be_switched_off(installation: Make) -> None:
    site = installation(BATCH_SERVER_UI_PORT="0")
    service = site.batchd()
    [server] = [line.split(b"\0") for _, line in site.children(service.pid) if b"start-dev" in line]
    assert b"--headless" in server
    assert not [each for each in server if each.startswith(b"--ui")]
    [started] = service.logged("server.started")
    assert started["ui"] == ""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("BATCH_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("BATCH_INBOX", str(tmp_path / "inbox"))
    monkeypatch.setenv("BATCH_OUTPUT_ROOT", str(tmp_path))
    return Settings()


def test_a_folder_that_holds_things_of_others_keeps_its_mode(settings: Settings) -> None:
    settings.state_dir.mkdir(mode=0o755)
    (settings.state_dir / "report.txt").touch()
    prepare_folders(settings, {"": settings})
    assert mode(settings.state_dir) == "755"
    (settings.state_dir / "receipts").mkdir()
    settings.state_dir.chmod(0o1777)
    prepare_folders(settings, {"": settings})
    assert mode(settings.state_dir) == "1777"


def test_only_the_state_folder_is_closed_and_never_opened(settings: Settings) -> None:
    before = os.umask(0o022)
    try:
        prepare_folders(settings, {"": settings})
    finally:
        os.umask(before)
    assert (mode(settings.state_dir), mode(settings.inbox)) == ("700", "755")
    settings.state_dir.chmod(0o500 | stat.S_IWUSR)
    prepare_folders(settings, {"": settings})
    assert mode(settings.state_dir) == "700"


def test_neither_the_server_nor_the_mock_api_gets_a_setting_or_a_secret(installation: Make) -> None:
    secrets = {"BATCH_API_TOKEN": "hunter2", "AWS_SECRET_ACCESS_KEY": "hunter3", "GOOGLE_API_KEY": "hunter4"}
    site = installation(**secrets, MOCK_API_PORT=str(free_port()), LC_ALL="C.UTF-8")
    service = site.batchd("run", "--with-mock-api")
    environments = {line: environment_of(pid) for pid, line in site.children(service.pid)}

    [server] = [each for line, each in environments.items() if b"start-dev" in line]
    [mock] = [each for line, each in environments.items() if b"mock_api" in line]
    [worker] = [each for line, each in environments.items() if b"--process-of" in line]

    for each in (server, mock):
        assert not [name for name in each if name.startswith(("BATCH_", "TEMPORAL_", "NOTIFY_"))]
        assert "hunter" not in "".join(each.values())
    assert (server["PATH"], server["LC_ALL"]) == (site.env["PATH"], "C.UTF-8")
    assert mock["MOCK_API_PORT"] == site.env["MOCK_API_PORT"]
    assert "hunter2" in worker.values(), "it calls the API"
