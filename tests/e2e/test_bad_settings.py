"""Settings that cannot work end the service at once, with exit code 2 and a word, before anything is started."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import pytest
from installation import Installation

Make = Callable[..., Installation]

AT_ONCE_S = 15.0
"""Half the start timeout, so that waiting for it would show; starting Python alone takes a second on a busy host."""


@pytest.mark.parametrize("command", ["run", "work", "watch"])
def test_an_address_that_cannot_be_called_is_exit_code_2(installation: Make, command: str) -> None:
    site = installation(BATCH_API_URL="http://127.0.0.1:99999/x")
    service = site.batchd(command, ready=False)
    assert service.wait() == 2
    assert "BATCH_API_URL: the port must be a number from 1 to 65535" in service.log.read_text()


@pytest.mark.parametrize("command", ["run", "work", "watch"])
@pytest.mark.parametrize("name", ["archive", ".processing"])
def test_a_file_in_the_place_of_a_folder_of_batchd_s_is_exit_code_2(
    installation: Make, command: str, name: str
) -> None:
    site = installation()
    path = site.drop(name, "id\n1\n")
    service = site.batchd(command, ready=False)
    assert service.wait() == 2
    said = f"batchd: BATCH_INBOX: {path} is no folder, and batchd keeps one of that name there; move away what stands"
    assert said in service.log.read_text()


@pytest.mark.parametrize(("command", "workers"), [("run", "1"), ("work", "1"), ("work", "2")])
def test_a_token_file_without_a_token_is_exit_code_2_before_anything_is_started(
    installation: Make, command: str, workers: str
) -> None:
    site = installation(BATCH_WORKERS=workers)
    token = site.root / "token"
    token.write_text("one\ntwo\n")
    service = site.batchd(command, ready=False, BATCH_API_TOKEN_FILE=str(token))
    assert service.wait() == 2
    assert service.log.read_text() == (
        f"batchd: BATCH_API_TOKEN_FILE: {token} holds 2 lines; it must hold the token on one line and nothing else\n"
    )
    assert not (site.state_dir / "temporal.db").exists()


@pytest.mark.parametrize(("command", "workers"), [("run", "1"), ("work", "2")])
def test_a_worker_that_refuses_its_settings_ends_the_service_with_its_last_words(
    installation: Make, command: str, workers: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        site = installation(BATCH_METRICS_ADDRESS=address, BATCH_WORKERS=workers)
        if command == "work":
            site.temporal()
        started = time.monotonic()
        service = site.batchd(command, ready=False)
        assert service.wait() == 2
    assert time.monotonic() - started < AT_ONCE_S
    assert f"batchd: worker-1 cannot use its settings: BATCH_METRICS_ADDRESS: {address} cannot be used" in (
        service.log.read_text()
    )
    assert service.logged("child.ended") == []


def test_doctor_tells_of_a_bad_port_and_of_a_bad_token_without_a_traceback(installation: Make) -> None:
    site = installation(BATCH_API_URL="http://127.0.0.1:99999/x")
    reported = site.batchctl("doctor")
    assert (reported.returncode, "BATCH_API_URL: the port must be" in reported.stderr) == (2, True), reported.stderr
    site.set(BATCH_API_URL="http://127.0.0.1:1/x", BATCH_API_TOKEN_FILE=str(site.root / "none"))
    reported = site.batchctl("doctor")
    assert "Traceback" not in reported.stderr
    assert "none cannot be read: No such file or directory" in reported.stdout
