"""What `batchd-host` puts on a host, as far as it can be seen without one."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest
from repository import ROOT

from batchd.host import batchctl, program, units

SYSTEMD = ROOT / "deploy" / "systemd"


@pytest.mark.parametrize("name", units.UNITS)
def test_an_older_systemd_gets_a_unit_that_it_knows(name: str) -> None:
    unit = (SYSTEMD / name).read_text()
    assert units.for_systemd(unit, 253) == unit
    older = units.for_systemd(unit, 252)
    assert "Type=notify\nExecReload=/bin/sh -c 'kill -HUP $$MAINPID'\n" in older
    assert "notify-reload" not in older


def test_a_lock_without_the_server_has_all_else() -> None:
    lock = (ROOT / "runtime.lock").read_text()
    left = program.without_package(lock, program.SERVER)
    names = [set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE)) for text in (lock, left)]
    assert names[0] - names[1] == {program.SERVER}
    assert lock.startswith(left[:100])


def test_batchctl_on_the_host_has_the_settings_of_the_unit() -> None:
    [state] = re.findall(r"BATCH_STATE_DIR=(\S+)", (SYSTEMD / "batchd.service").read_text())
    assert {"BATCH_STATE_DIR": state} == batchctl.OF_THE_UNIT


def test_the_settings_of_the_example_are_those_that_an_earlier_unit_gave() -> None:
    example = (SYSTEMD / "batchd.env.example").read_text()
    assert all(f"\n{name}={folder}\n" in example for name, folder in units.FOLDERS.items())


EARLIER = "[Service]\nEnvironment=BATCH_INBOX=/srv/batchd/inbox BATCH_OUTPUT_ROOT=/srv/batchd/out\n"


@pytest.mark.parametrize(
    ("unit", "before", "added"),
    [
        (EARLIER, "BATCH_API_URL=x", "\nBATCH_INBOX=/srv/batchd/inbox\nBATCH_OUTPUT_ROOT=/srv/batchd/out\n"),
        (EARLIER, "#BATCH_INBOX=/old\nBATCH_OUTPUT_ROOT=/tmp\n", "\nBATCH_INBOX=/srv/batchd/inbox\n"),
        ((SYSTEMD / "batchd.service").read_text(), "BATCH_INBOX=/in\n", ""),
    ],
)
def test_settings_get_what_the_unit_of_an_earlier_version_said_and_nothing_that_was_taken_out(
    tmp_path: Path, unit: str, before: str, added: str
) -> None:
    for place, text in ((units.PLACES["batchd.service"], unit), (units.ENV, before)):
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).write_text(text)
    units._keep_folders(tmp_path)
    assert (tmp_path / units.ENV).read_text() == before + added


def test_a_removal_takes_the_links_of_our_units_alone(tmp_path: Path) -> None:
    wants = tmp_path / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(parents=True)
    for name in ("batchd.service", "batchd-worker@1.service", "batchd-backup.service", "batchd-worker@.timer"):
        (wants / name).touch()
    assert [each.name for each in units._enabled(tmp_path)] == ["batchd.service", "batchd-worker@1.service"]


def test_a_worker_is_confined_as_the_service_is() -> None:
    service, worker = (_section(name) for name in units.UNITS)
    assert {key for key in service.keys() | worker.keys() if service.get(key) != worker.get(key)} == {
        "ExecStart",
        "EnvironmentFile",
    }


def _section(name: str) -> dict[str, str]:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    parser.read(SYSTEMD / name)
    return dict(parser["Service"])


def test_batchctl_finds_the_secrets_of_the_service_and_where_there_are_only_workers_of_one_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batchctl, "ENV", tmp_path / "batchd.env")
    monkeypatch.setattr(batchctl, "CREDENTIALS", tmp_path / "credentials")
    assert "CREDENTIALS_DIRECTORY" not in batchctl._settings()
    for unit in ("batchd-worker@1.service", "batchd.service"):
        (tmp_path / "credentials" / unit).mkdir(parents=True)
        assert batchctl._settings()["CREDENTIALS_DIRECTORY"] == str(tmp_path / "credentials" / unit)
