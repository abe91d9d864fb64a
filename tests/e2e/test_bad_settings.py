"""Settings that cannot work end the service at once, with exit code 2 and a word, before anything is started."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator

import pytest
from installation import Installation

Make = Callable[..., Installation]


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
    said = f"BATCH_INBOX: {path} is no folder, and batchd keeps one of that name there; move away what stands"
    assert said in service.refusal()


@pytest.mark.parametrize(("command", "workers"), [("run", "1"), ("work", "1"), ("work", "2")])
def test_a_token_file_without_a_token_is_exit_code_2_before_anything_is_started(
    installation: Make, command: str, workers: str
) -> None:
    site = installation(BATCH_WORKERS=workers)
    token = site.root / "token"
    token.write_text("one\ntwo\n")
    service = site.batchd(command, ready=False, BATCH_API_TOKEN_FILE=str(token))
    assert service.wait() == 2
    assert len(service.events()) == len(service.log.read_text().splitlines()) == 1
    assert service.refusal() == (
        f"BATCH_API_TOKEN_FILE: {token} holds 2 lines; it must hold the token on one line and nothing else"
    )
    assert not (site.state_dir / "temporal.db").exists()


@pytest.mark.parametrize(("command", "workers"), [("run", 1), ("work", 2)])
def test_a_worker_that_refuses_its_settings_ends_the_service_with_its_last_words(
    installation: Make, command: str, workers: int
) -> None:
    with taken_ports(workers) as ports:
        site = installation(
            BATCH_METRICS_ADDRESS=f"127.0.0.1:{ports[0]}", BATCH_WORKERS=str(workers), BATCH_START_TIMEOUT_S="300"
        )
        if command == "work":
            site.temporal()
        service = site.batchd(command, ready=False)
        assert service.wait() == 2
    last_words = [
        f"worker-{number} cannot use its settings: BATCH_METRICS_ADDRESS: 127.0.0.1:{port} cannot be used"
        for number, port in enumerate(ports, start=1)
    ]
    assert any(each in service.refusal() for each in last_words)
    assert service.logged("child.ended") == []


@contextlib.contextmanager
def taken_ports(number: int) -> Iterator[list[int]]:
    """Hold `number` ports of 127.0.0.1, one after the other, which nobody else can take."""
    with contextlib.ExitStack() as held:
        yield next(ports for _ in range(100) if (ports := _taken(number, held)))


def _taken(number: int, held: contextlib.ExitStack) -> list[int]:
    """Return `number` ports in a row that `held` holds now; none where somebody has one of them."""
    first = held.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
    ports = list(range(first, first + number))
    try:
        for port in ports[1:]:
            held.enter_context(socket.create_server(("127.0.0.1", port)))
    except OSError:
        return []
    return ports


def test_doctor_tells_of_a_bad_port_and_of_a_bad_token_without_a_traceback(installation: Make) -> None:
    site = installation(BATCH_API_URL="http://127.0.0.1:99999/x")
    reported = site.batchctl("doctor")
    assert (reported.returncode, "BATCH_API_URL: the port must be" in reported.stderr) == (2, True), reported.stderr
    site.set(BATCH_API_URL="http://127.0.0.1:1/x", BATCH_API_TOKEN_FILE=str(site.root / "none"))
    reported = site.batchctl("doctor")
    assert "Traceback" not in reported.stderr
    assert "none cannot be read: No such file or directory" in reported.stdout
