"""Two services on one host: of two installations, which must keep apart, and of one, which stand in for each other."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

from installation import Installation, Process, eventually, free_port, manifest_of, users
from probes import probed
from tcp_proxy import tcp_proxy

Make = Callable[..., Installation]
DEFAULT_PORTS = ("BATCH_SERVER_PORT", "BATCH_SERVER_UI_PORT")


def servers_of(site: Installation) -> list[int]:
    """Return the pids of the servers that run on the database of this installation."""
    database = os.fsencode(site.state_dir / "temporal.db")
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if database in command:
                found.append(int(entry.name))
    return found


def recorded_server(site: Installation) -> int:
    return int(json.loads((site.state_dir / "server.json").read_text())["pid"])


def test_a_server_of_another_installation_is_refused_by_name(installation: Make) -> None:
    first = installation("first")
    first.batchd()
    second = installation("second", **{name: first.env[name] for name in DEFAULT_PORTS})

    service = second.batchd("run", ready=False)

    assert service.wait() == 2
    said = service.log.read_text()
    assert f"port {first.env['BATCH_SERVER_PORT']} is taken by the Temporal server of another installation" in said
    assert f"pid {recorded_server(first)}, state folder {first.state_dir}" in said
    assert "set BATCH_SERVER_PORT and BATCH_SERVER_UI_PORT to free ports" in said
    assert said.count("\n") == 1
    second.set(BATCH_SERVER_PORT=str(free_port()))
    service = second.batchd("run", ready=False)
    assert service.wait() == 2
    assert f"port {first.env['BATCH_SERVER_UI_PORT']} is taken" in service.log.read_text()


def test_a_server_of_another_installation_is_never_the_one_that_is_found(installation: Make) -> None:
    first = installation("first")
    first.batchd()
    second = installation("second", BATCH_START_TIMEOUT_S="1", BATCH_SERVER_PORT=first.env["BATCH_SERVER_PORT"])
    record = json.loads((first.state_dir / "server.json").read_text())
    (second.state_dir / "server.json").write_text(json.dumps(record))

    worker = second.batchd("work", ready=False)
    paused = second.batchctl("pause", "users-0123456789ab")

    assert worker.wait() == 3
    assert f"no Temporal server runs for the state folder {second.state_dir}" in worker.log.read_text()
    assert paused.returncode == 4, paused.stderr


def test_a_server_that_was_started_by_hand_is_used_only_where_it_is_named(installation: Make) -> None:
    site = installation()
    site.temporal()
    address = site.env.pop("TEMPORAL_ADDRESS")
    service = site.batchd("run", ready=False, BATCH_SERVER_PORT=address.rpartition(":")[2])
    assert service.wait() == 2
    assert f"to use it set TEMPORAL_ADDRESS={address}" in service.log.read_text()


def test_two_installations_that_start_on_one_port_at_once_never_share_a_server(installation: Make) -> None:
    first = installation("first")
    second = installation("second", **{name: first.env[name] for name in DEFAULT_PORTS})
    services = [site.batchd("run", ready=False) for site in (first, second)]

    loser = eventually(lambda: next((each for each in services if not each.running()), None), "one gives up")

    [winner] = [each for each in services if each is not loser]
    assert loser.wait() == 2, loser.log.read_text()
    eventually(lambda: winner.logged("daemon.ready"), "the other is ready")


def test_the_service_is_not_ready_while_an_outside_server_does_not_answer(installation: Make) -> None:
    port = free_port()
    site = installation(BATCH_HEALTH_ADDRESS=f"127.0.0.1:{port}")
    site.temporal()
    with tcp_proxy(site.env["TEMPORAL_ADDRESS"]) as proxy:
        service = site.batchd(TEMPORAL_ADDRESS=proxy.address)
        assert probed(port, "/readyz") == 200
        proxy.cut()
        eventually(lambda: probed(port, "/readyz") == 503, "the service is not ready")
        assert probed(port, "/healthz") == 200
        proxy.mend()
        eventually(lambda: probed(port, "/readyz") == 200, "the service is ready again")
        assert service.stop() == 0


def leader_and_standby(site: Installation) -> tuple[Process, Process, int]:
    """Return two services of one installation, and the port where the second tells whether it is ready."""
    site.mock_api()
    leader = site.batchd(name="leader")
    port = free_port()
    standby = site.batchd(name="standby", BATCH_HEALTH_ADDRESS=f"127.0.0.1:{port}")
    assert standby.logged("server.followed")
    assert standby.logged("inbox.standby")
    return leader, standby, port


def test_a_standby_that_stops_leaves_the_server_of_the_leader_alone(installation: Make) -> None:
    site = installation()
    leader, standby, _ = leader_and_standby(site)
    server = servers_of(site)

    assert standby.stop() == 0

    assert servers_of(site) == server
    site.drop("users.csv", users(5))
    [folder] = site.finished()
    assert manifest_of(folder)["counts"]["enriched"] == 5
    assert leader.stop() == 0
    assert leader.logged("child.ended") == []
    assert servers_of(site) == []


def test_a_leader_that_stops_leaves_its_work_to_a_standby_with_a_server_of_its_own(installation: Make) -> None:
    site = installation()
    leader, standby, port = leader_and_standby(site)
    server = servers_of(site)

    assert leader.stop() == 0

    eventually(lambda: standby.logged("server.started"), "the standby starts the server")
    eventually(lambda: probed(port, "/readyz") == 200, "the standby is ready")
    assert set(servers_of(site)).isdisjoint(server)
    site.drop("users.csv", users(5))
    [folder] = site.finished()
    assert manifest_of(folder)["counts"]["enriched"] == 5
    assert standby.stop() == 0
    assert servers_of(site) == []


def test_a_standby_adopts_the_server_of_a_leader_that_is_killed(installation: Make) -> None:
    site = installation()
    leader, standby, _ = leader_and_standby(site)
    [server] = servers_of(site)

    leader.kill()

    eventually(lambda: standby.logged("server.adopted"), "the standby adopts the server")
    assert recorded_server(site) == server
    os.kill(server, signal.SIGKILL)
    eventually(lambda: standby.logged("server.started"), "the standby starts it again")
    site.drop("users.csv", users(5))
    site.finished()
    assert standby.stop() == 0
    assert servers_of(site) == []
