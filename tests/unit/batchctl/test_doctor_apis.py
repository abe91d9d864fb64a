"""What `doctor` says of the APIs of a configuration file: one line each."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from batchctl_runner import BatchctlRunner
from described_api import Asked, described_api

from daemon.batchctl.checks.apis import api_checks
from daemon.batchctl.checks.findings import Finding
from daemon.config.configuration import load_configuration


async def finding(folder: Path, api: str) -> Finding:
    """Return what is found of `[api.people]`."""
    (folder / "batchd.toml").write_text(f'[api.people]\n{api}\n[feed.contacts]\ninbox = "inbox"\n')
    [found] = await api_checks(load_configuration(folder / "batchd.toml", {}, files=False), {"people"}, os.environ)
    assert found.check == "api people"
    return found


def refused(_: Asked) -> tuple[int, bytes]:
    return 404, b""


async def test_an_api_that_is_well_is_one_line_and_is_sent_no_secret_and_no_row(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("hunter2")
    key.chmod(0o600)
    with described_api(refused) as api:
        found = await finding(
            tmp_path, f'url = "{api.url}/find{{?email}}"\nheaders = {{ X-Key = {{ file = "{key}" }} }}'
        )
    assert found.level == "OK"
    assert found.found == (
        f"POST {api.url}/find{{?email}}; 1 secret can be read; {api.url}/ answers (HTTP 404 to HEAD); "
        "Neither a proxy nor HTTP/2 is asked for, so calls go over the fast transport"
    )
    [asked] = api.asked
    assert (asked.method, asked.target, asked.body) == ("HEAD", "/", b"")
    assert "hunter2" not in str(asked)


async def test_the_host_that_gives_tokens_is_asked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIENT", "hunter2")
    with described_api(refused) as api, described_api(refused) as tokens:
        oauth = f'{{ token_url = "{tokens.url}/t", client_id = "me", client_secret = {{ env = "CLIENT" }} }}'
        found = await finding(tmp_path, f'url = "{api.url}/"\nauth = {{ oauth2 = {oauth} }}')
    assert found.level == "OK"
    assert f"{tokens.url}/ answers" in found.found
    assert len(api.asked) == len(tokens.asked) == 1


async def test_an_api_is_asked_through_its_proxy(tmp_path: Path) -> None:
    with described_api(refused) as proxy:
        found = await finding(tmp_path, f'url = "http://api.example.com/"\nproxy = "{proxy.url}"')
    assert found.level == "OK"
    assert f"Calls go through the proxy {proxy.url}" in found.found
    assert [each.target for each in proxy.asked] == ["http://api.example.com/"]


@pytest.mark.parametrize(
    ("api", "why"),
    [
        ('url = "http://127.0.0.1:1/"', "http://127.0.0.1:1/ does not answer"),
        ('url = "http://127.0.0.1:1/"\nauth = { bearer = { env = "NOT_SET" } }', "secret $NOT_SET is not set"),
        ('url = "https://127.0.0.1:1/"\ntls = { ca = "/nowhere/ca.pem" }', "/nowhere/ca.pem"),
    ],
)
async def test_what_keeps_it_from_being_called_is_a_failure(tmp_path: Path, api: str, why: str) -> None:
    found = await finding(tmp_path, api)
    assert found.level == "FAIL"
    assert why in found.found
    assert found.todo


async def test_a_secret_that_everybody_can_read_is_a_warning(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("hunter2")
    key.chmod(0o644)
    with described_api(refused) as api:
        found = await finding(tmp_path, f'url = "{api.url}/"\nauth = {{ bearer = {{ file = "{key}" }} }}')
    assert found.level == "WARN"
    assert "can be read by every user of this host" in found.todo


def test_doctor_lists_the_apis_of_the_file(
    runner: BatchctlRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [each for each in os.environ if each.startswith("BATCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    with described_api(refused) as api:
        (tmp_path / "batchd.toml").write_text(
            f'[api.a]\nurl = "{api.url}/"\n[api.b]\nurl = "{api.url}/"\n[feed.f]\ninbox = "i"\napi = "a"\n'
        )
        checks = {each["check"]: each["level"] for each in runner.run("doctor", "--json").json()["checks"]}
    assert {name: level for name, level in checks.items() if name.startswith("api")} == {"api a": "OK", "api b": "OK"}
