"""A Temporal server of one's own, behind TLS, client certificates and an API key, in a namespace of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from installation import Installation, rows_of, temporal_cli, users
from temporal_front import TemporalFront
from tls_api import certificate

pytestmark = pytest.mark.system_tool("openssl", package="openssl")

Make = Callable[..., Installation]
KEY = "temporal-key-5up3r"
NAMESPACE = "batch-guarded"


@pytest.fixture(scope="module")
def guarded(temporal_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What docs/temporal.md says to set, for a server that asks for a certificate and a key."""
    folder = tmp_path_factory.mktemp("guarded")
    own, client = (certificate(folder, each, for_name="DNS:localhost", may_sign=False) for each in ("server", "client"))
    front = TemporalFront(folder, temporal_address, own, key=KEY, client=client)
    (folder / "secret_temporal.toml").write_text(f'[profile.default]\napi_key = "{KEY}"\n')
    (folder / "secret_temporal.pem").write_bytes(client.read_bytes())
    temporal_cli("operator", "namespace", "create", "--namespace", NAMESPACE, "--address", temporal_address)
    yield {
        "CREDENTIALS_DIRECTORY": str(folder),
        "TEMPORAL_ADDRESS": front.address,
        "TEMPORAL_NAMESPACE": NAMESPACE,
        "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(own),
        "TEMPORAL_TLS_CLIENT_CERT_PATH": "$CREDENTIALS_DIRECTORY/secret_temporal.pem",
        "TEMPORAL_TLS_CLIENT_KEY_PATH": "$CREDENTIALS_DIRECTORY/secret_temporal.pem",
        "TEMPORAL_CONFIG_FILE": "$CREDENTIALS_DIRECTORY/secret_temporal.toml",
    }
    front.close()


def test_a_batch_is_worked_and_steered_there(installation: Make, guarded: dict[str, str]) -> None:
    site = installation(BATCH_TASK_QUEUE="guarded", **guarded)
    site.mock_api(LATENCY_MIN_MS="1", LATENCY_MAX_MS="1", FAILURE_RATE="0")
    service = site.batchd()
    site.drop("users.csv", users(30))
    [folder] = site.finished()
    assert len(rows_of(folder)) == 30
    assert service.logged("server.started") == []
    assert site.batchctl("status", "users.csv").returncode == 0
    assert KEY not in service.log.read_text()


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        (
            "TEMPORAL_CONFIG_FILE",
            "does not let this client in (grpc-status header missing, mapped from HTTP status code 401)",
        ),
        ("TEMPORAL_TLS_CLIENT_CERT_PATH", "belong together"),
        (
            "TEMPORAL_TLS_SERVER_CA_CERT_PATH",
            "its certificate is not accepted: UnknownIssuer; who signed it is in TEMPORAL_TLS_SERVER_CA_CERT_PATH",
        ),
    ],
)
def test_what_is_missing_is_said(installation: Make, guarded: dict[str, str], missing: str, said: str) -> None:
    given = {name: value for name, value in guarded.items() if name != missing}
    service = installation(BATCH_START_TIMEOUT_S="2", **given).batchd(ready=False)
    assert service.wait() in {2, 3}
    assert said in service.refusal()


def test_a_credential_that_is_not_there_is_named(installation: Make, guarded: dict[str, str], tmp_path: Path) -> None:
    service = installation(**{**guarded, "CREDENTIALS_DIRECTORY": str(tmp_path)}).batchd(ready=False)
    assert service.wait() == 2
    assert f"there is no file {tmp_path}/secret_temporal.toml" in service.refusal()


def test_a_name_that_the_server_does_not_have_is_said(installation: Make, guarded: dict[str, str]) -> None:
    named = {**guarded, "TEMPORAL_TLS_SERVER_NAME": "temporal.example.org"}
    service = installation(BATCH_START_TIMEOUT_S="2", **named).batchd(ready=False)
    assert service.wait() == 3
    assert "(it ends TLS with " in service.refusal()
