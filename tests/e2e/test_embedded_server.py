"""The start of the embedded Temporal server, where one of its ports is taken for a moment or for good."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest
from installation import Installation, eventually

Make = Callable[..., Installation]


@pytest.fixture
def held_port() -> Iterator[socket.socket]:
    """A port that nobody listens on and yet nobody can have, as the port of an outgoing connection."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder


def test_a_port_that_is_taken_for_a_moment_only_delays_the_start(installation: Make, held_port: socket.socket) -> None:
    site = installation(BATCH_SERVER_UI_PORT=str(held_port.getsockname()[1]))
    service = site.batchd("run", ready=False)
    eventually(lambda: service.logged("server.ended_at_once"), "the server has ended at once")
    held_port.close()
    eventually(lambda: service.logged("daemon.ready"), "batchd is ready")
    assert [each["attempt"] for each in service.logged("server.ended_at_once")] == [1]


def test_a_server_that_always_ends_at_once_is_exit_code_3_with_its_last_words(
    installation: Make, held_port: socket.socket
) -> None:
    site = installation(BATCH_SERVER_UI_PORT=str(held_port.getsockname()[1]))
    service = site.batchd("run", ready=False)
    assert service.wait() == 3
    assert service.refusal().startswith("the embedded Temporal server ended at once, 4 times; it said: ")
    assert "address already in use" in service.refusal()
