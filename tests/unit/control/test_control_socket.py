"""How a running service is spoken to on its host."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from daemon.control import server
from daemon.control.client import ask_all
from daemon.control.server import control_socket, may_ask
from daemon.control.sockets import connections, listening_socket

NOBODY = 65_534


def names_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


async def named(name: str, request: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "got": request}


async def asked(state_dir: Path, **request: Any) -> list[dict[str, Any]]:
    return await asyncio.to_thread(ask_all, state_dir, request, timeout_s=10)


async def test_every_service_of_a_state_folder_answers_and_none_is_left_behind(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for name in ("first", "second"):
            await stack.enter_async_context(control_socket(tmp_path, lambda request, name=name: named(name, request)))
        answers = await asked(tmp_path, command="reload")
        modes = {stat.S_IMODE((tmp_path / each).stat().st_mode) for each in names_in(tmp_path)}
    assert sorted(each["name"] for each in answers) == ["first", "second"]
    assert all(each["got"] == {"command": "reload"} for each in answers)
    assert modes == {0o600}
    assert names_in(tmp_path) == []
    assert await asked(tmp_path, command="reload") == []


async def test_it_is_reached_whatever_file_has_the_number_of_its_folder_by_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listening(state_dir: Path) -> tuple[socket.socket, str]:
        listener, name = listening_socket(state_dir)
        number = int(Path(listener.getsockname()).parent.name)
        assert os.dup2(other.fileno(), number) == number
        numbers.append(number)
        return listener, name

    numbers: list[int] = []
    monkeypatch.setattr(server, "listening_socket", listening)
    with (tmp_path / "file").open("w") as other:
        async with control_socket(tmp_path, lambda request: named("service", request)):
            assert await asked(tmp_path, command="reload")
        os.close(numbers[0])


async def test_the_path_of_the_state_folder_may_be_longer_than_an_address(tmp_path: Path) -> None:
    state_dir = tmp_path / ("deep" * 30) / ("deeper" * 20)
    state_dir.mkdir(parents=True)
    async with control_socket(state_dir, lambda request: named("far", request)):
        assert [each["name"] for each in await asked(state_dir)] == ["far"]


async def test_the_socket_of_a_service_that_was_killed_is_replaced_and_answers_nobody(tmp_path: Path) -> None:
    def leave_a_socket() -> None:
        code = (
            "import os, signal, sys; from pathlib import Path; from daemon.control.sockets import listening_socket\n"
            "held = listening_socket(Path(sys.argv[1])); os.kill(os.getpid(), signal.SIGKILL)"
        )
        subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, timeout=20)

    await asyncio.to_thread(leave_a_socket)
    [left] = names_in(tmp_path)
    assert await asked(tmp_path) == []
    async with control_socket(tmp_path, lambda request: named("next", request)):
        assert [each["name"] for each in await asked(tmp_path)] == ["next"]
        assert left not in names_in(tmp_path)


async def test_a_folder_that_is_not_there_has_no_service(tmp_path: Path) -> None:
    assert await asked(tmp_path / "nowhere") == []


async def test_what_is_no_request_is_not_answered_and_the_next_one_is(tmp_path: Path) -> None:
    async with control_socket(tmp_path, lambda request: named("it", request)):

        def send(content: bytes) -> bytes:
            with contextlib.closing(connections(tmp_path)) as found:
                connection = next(found)
                connection.sendall(content)
                return connection.recv(100)

        for wrong in (b"no JSON\n", b"[]\n", b"\xff\n"):
            assert await asyncio.to_thread(send, wrong) == b""
        assert len(await asked(tmp_path)) == 1


async def test_where_no_socket_can_be_the_service_goes_on_and_the_log_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: Path) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("daemon.control.server.listening_socket", refuse)
    async with control_socket(tmp_path, lambda request: named("it", request)):
        assert [each.message for each in caplog.records] == ["control.unavailable"]


def test_only_the_user_of_the_service_and_root_may_ask() -> None:
    assert may_ask(os.geteuid())
    assert may_ask(0)
    assert not may_ask(NOBODY)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_another_user_who_reaches_the_socket_is_refused(tmp_path: Path) -> None:
    requests = []

    async def note(request: dict[str, Any]) -> dict[str, Any]:
        requests.append(request)
        return {}

    async with control_socket(tmp_path, note):
        [socket_name] = names_in(tmp_path)
        (tmp_path / socket_name).chmod(0o666)

        def ask_as_nobody() -> bytes:
            code = (
                "import os, socket, sys\nos.chdir(sys.argv[1])\nos.setuid(int(sys.argv[2]))\n"
                "peer = socket.socket(socket.AF_UNIX)\npeer.connect(sys.argv[3])\n"
                "peer.sendall(b'{}\\n')\nsys.stdout.buffer.write(b'got:' + peer.recv(100))"
            )
            tmp_path.chmod(0o755)
            command = [sys.executable, "-c", code, str(tmp_path), str(NOBODY), socket_name]
            return subprocess.run(command, capture_output=True, check=True, timeout=20).stdout

        assert b"answers its own user and root alone" in await asyncio.to_thread(ask_as_nobody)
    assert requests == []


def test_a_socket_that_another_namespace_holds_under_the_same_process_id_stays(tmp_path: Path) -> None:
    first, first_name = listening_socket(tmp_path)
    second, second_name = listening_socket(tmp_path)
    with first, second:
        assert first_name != second_name
        assert len(list(tmp_path.iterdir())) == 2
