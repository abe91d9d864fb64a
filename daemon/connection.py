"""The connection to Temporal: which server, and how to say that it does not answer.

An outside server is configured by Temporal's own `TEMPORAL_*` variables and profiles (address, namespace, TLS, API
key). Without any, the server is the embedded one, found through the state folder.
"""

from __future__ import annotations

import asyncio
import json
import time
from datetime import timedelta
from pathlib import Path

from temporalio.client import Client
from temporalio.envconfig import ClientConfigProfile, ClientConnectConfig
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.service import RPCError

from daemon.settings import Settings
from workflows.errors import SettingsError, TemporalUnreachable, shortened

SERVER_FILE = "server.json"
LOOPBACK = "127.0.0.1"
ATTEMPT_S = 2.0


def outside_server() -> ClientConnectConfig | None:
    """Return what Temporal's own variables and profiles say, or None where they name no server.

    Raises:
        SettingsError: a profile file is named that cannot be read.
    """
    try:
        profile = ClientConfigProfile.load()
    except RuntimeError as error:
        raise SettingsError(f"Temporal's profile or TEMPORAL_* variables cannot be read: {error}") from error
    return profile.to_client_connect_config() if profile.address else None


def target(settings: Settings) -> ClientConnectConfig:
    """Return how to reach the server that `settings` and Temporal's own variables mean."""
    return outside_server() or ClientConnectConfig(target_host=embedded_address(settings))


def embedded_address(settings: Settings) -> str:
    """Return `host:port` of the embedded server: where it last said it is, else where it would be."""
    try:
        record = json.loads((settings.state_dir / SERVER_FILE).read_text())
        return str(record["address"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"{LOOPBACK}:{settings.server_port}"


async def connect(settings: Settings, *, timeout_s: float, metrics_of: int = 0) -> Client:
    """Return a client of the configured server, trying for `timeout_s` seconds.

    Args:
        settings: where the server is.
        timeout_s: how long to try.
        metrics_of: the number of the worker process that serves metrics, from 1; 0 for none.

    Raises:
        TemporalUnreachable: nobody answered in time; the message says where and what to do.
    """
    config = target(settings)
    runtime = _runtime(settings, metrics_of)
    deadline = time.monotonic() + timeout_s
    while True:
        left_s = max(0.1, deadline - time.monotonic())
        try:
            return await Client.connect(
                **config, runtime=runtime, connect_timeout=timedelta(seconds=min(ATTEMPT_S, left_s))
            )
        except (RuntimeError, RPCError) as error:
            if time.monotonic() + 0.2 > deadline:
                raise unreachable(config["target_host"], error) from error
            await asyncio.sleep(0.2)


def unreachable(address: str | None, error: BaseException) -> TemporalUnreachable:
    """Return the error that says where nobody answered."""
    return TemporalUnreachable(
        f"no Temporal server answers at {address} ({shortened(str(error), 120)}); "
        "start one with 'batchd run', or set TEMPORAL_ADDRESS"
    )


def _runtime(settings: Settings, process: int) -> Runtime | None:
    """Return the runtime that serves the metrics of a worker process, each on a port of its own."""
    if not settings.metrics_address or not process:
        return None
    host, _, port = settings.metrics_address.rpartition(":")
    address = f"{host}:{int(port) + process - 1}"
    try:
        return Runtime(telemetry=TelemetryConfig(metrics=PrometheusConfig(bind_address=address)))
    except (RuntimeError, ValueError) as error:
        raise SettingsError(f"BATCH_METRICS_ADDRESS: {address} cannot be used: {shortened(str(error), 200)}") from error


def write_server_file(state_dir: Path, *, address: str, ui: str, pid: int) -> None:
    """Record where the embedded server listens, so that `batchctl` and the next start find it."""
    temporary = state_dir / f".{SERVER_FILE}.tmp"
    temporary.write_text(json.dumps({"address": address, "ui": ui, "pid": pid}) + "\n")
    temporary.replace(state_dir / SERVER_FILE)
