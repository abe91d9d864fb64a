"""The mock API over a real socket, with the faults it can be told to have."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from installation import Installation, api, free_port

Make = Callable[..., Installation]


NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Nothing here speaks TLS, and reading the system's certificates for each call takes longer than the call."""


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A mock API for all tests of this file that need no settings."""
    site = Installation(tmp_path_factory.mktemp("mock"))
    yield site.mock_api()
    site.close()


@pytest.fixture
def base(started: str) -> str:
    """The mock API without a fault, and with no call counted."""
    for forgotten in ("/faults", "/calls"):
        api(started, forgotten, method="DELETE")
    return started


def post(address: str, content: str, timeout_s: float = 5, **headers: str) -> httpx2.Response:
    return httpx2.post(address, content=content, headers=headers, timeout=timeout_s, verify=NO_TLS)


def enrich(base: str, row: object, key: str = "", timeout_s: float = 5) -> httpx2.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return post(f"{base}/enrich", json.dumps(row), timeout_s, **headers)


def fault(base: str, **fields: object) -> Any:
    return api(base, "/faults", fields)


@pytest.mark.parametrize(("country", "region"), [("US", "NA"), ("DE", "INTL"), (None, "INTL")])
def test_a_row_comes_back_with_enriched_and_region(base: str, country: str | None, region: str) -> None:
    row = {"id": "1", **({"country": country} if country else {})}
    assert enrich(base, row).json() == {**row, "enriched": True, "region": region}


@pytest.mark.parametrize("body", ["[]", "null", "rubbish", ""])
def test_a_body_that_is_no_object_is_422(base: str, body: str) -> None:
    assert post(f"{base}/enrich", body).status_code == 422


def test_without_settings_a_tenth_of_the_calls_fail_at_once_with_the_originals_answer(installation: Make) -> None:
    base = installation().mock_api(FAILURE_RATE="0.1", SEED="3")
    answers = [enrich(base, {}) for _ in range(200)]
    failed = [each for each in answers if each.status_code == 500]
    assert 5 <= len(failed) <= 40
    assert failed[0].json() == {"error": "API timeout"}


def test_a_fault_for_the_next_calls_ends_after_them(base: str) -> None:
    fault(base, kind="status", status=503, retry_after=7, calls=2)
    answers = [enrich(base, {}) for _ in range(3)]
    assert [each.status_code for each in answers] == [503, 503, 200]
    assert answers[0].headers["retry-after"] == "7"


def test_a_fault_for_a_share_lasts_until_it_is_cleared(base: str) -> None:
    fault(base, kind="status", status=429, share=1.0)
    assert enrich(base, {}).status_code == 429
    api(base, "/faults", method="DELETE")
    assert enrich(base, {}).status_code == 200


def test_drop_closes_the_connection_without_an_answer(base: str) -> None:
    fault(base, kind="drop", calls=1)
    with pytest.raises(httpx2.RemoteProtocolError):
        enrich(base, {})


def test_hang_and_drip_outlast_a_patient_client(base: str) -> None:
    for kind in ("hang", "drip"):
        fault(base, kind=kind, calls=1, delay_s=0.5 if kind == "drip" else 30)
        with pytest.raises(httpx2.TimeoutException):
            enrich(base, {}, timeout_s=0.3)


def test_rubbish_is_200_with_what_is_no_json(base: str) -> None:
    fault(base, kind="rubbish", calls=1)
    assert enrich(base, {}).status_code == 200
    api(base, "/faults", method="DELETE")


@pytest.mark.parametrize(
    "fields", [{"kind": "droop"}, {"kind": "drop", "share": 2}, {"kind": "drop", "calls": 0}, {"kind": "drop", "x": 1}]
)
def test_an_unknown_fault_is_422(base: str, fields: dict[str, object]) -> None:
    assert post(f"{base}/faults", json.dumps(fields)).status_code == 422


def test_calls_are_counted_by_status_and_by_key(base: str) -> None:
    fault(base, kind="status", status=500, calls=1)
    for key in ("a", "a", "b"):
        enrich(base, {}, key)
    report = api(base, "/calls")
    assert (report["total"], report["by_status"], report["repeated"]) == (3, {"200": 2, "500": 1}, {"a": 2})
    assert api(base, "/calls?keys=1")["keys"] == {"a": 2, "b": 1}
    api(base, "/calls", method="DELETE")
    assert api(base, "/calls")["total"] == 0


def test_bulk_answers_every_row_under_its_key_in_order(base: str) -> None:
    rows = [{"key": str(number), "row": {"country": "US"}} for number in range(3)]
    results = post(f"{base}/enrich/bulk", json.dumps({"rows": rows})).json()["results"]
    assert [(each["key"], each["status"], each["row"]["region"]) for each in results] == [
        ("0", 200, "NA"),
        ("1", 200, "NA"),
        ("2", 200, "NA"),
    ]


def test_a_bad_setting_and_a_taken_port_are_one_clear_line_and_exit_code_2(base: str, installation: Make) -> None:
    env = dict(installation("other").env)
    for name, value in (("MOCK_API_FAILURE_RATE", "2"), ("MOCK_API_PORT", base.rpartition(":")[2])):
        done = subprocess.run(
            [sys.executable, "-m", "mock_api"], env={**env, name: value}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert name in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_at_port_0_it_takes_a_free_one_and_says_which(installation: Make) -> None:
    bases = {installation(each).mock_api(PORT="0") for each in ("one", "other")}
    assert len(bases) == 2
    assert all(api(base, "/healthz") == {"status": "ok"} for base in bases)


def test_it_stops_on_sigterm_although_a_call_hangs(installation: Make) -> None:
    site = installation()
    port = free_port()
    process = site.start("mock", [sys.executable, "-m", "mock_api"], MOCK_API_PORT=str(port))
    base = f"http://127.0.0.1:{port}"
    _until_up(base)
    fault(base, kind="hang", calls=1)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as caller:
        caller.sendall(b"POST /enrich HTTP/1.1\r\nHost: mock\r\nContent-Length: 2\r\n\r\n{}")
        _until(lambda: api(base, "/calls")["total"] == 1)
        process.send(signal.SIGTERM)
        assert process.wait(10) == 0


def _until_up(base: str) -> None:
    def up() -> bool:
        try:
            return bool(api(base, "/healthz"))
        except OSError:
            return False

    _until(up)


def _until(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.02)
