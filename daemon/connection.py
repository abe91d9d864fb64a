"""The connection to Temporal: which server, and how to say that it does not answer.

An outside server is configured by Temporal's own `TEMPORAL_*` variables and profiles (address, namespace, TLS, API
key). Without any, the server is the embedded one, found through the state folder: never one that only happens to listen
on the port, which may be that of another installation.
"""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

from temporalio.client import Client
from temporalio.envconfig import ClientConfigProfile, ClientConnectConfig
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.service import RPCError

from daemon.server_record import running_server
from daemon.settings import Settings
from workflows.errors import SettingsError, TemporalUnreachable, shortened

ATTEMPT_S = 2.0
AGAIN_S = 0.2


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
    """Return how to reach the server that `settings` and Temporal's own variables mean.

    Raises:
        SettingsError: Temporal's own variables or its profile cannot be used.
        TemporalUnreachable: it is the embedded server of the state folder, and that does not run.
    """
    return outside_server() or ClientConnectConfig(target_host=embedded_address(settings))


def embedded_address(settings: Settings) -> str:
    """Return `host:port` of the embedded server of the state folder.

    Raises:
        TemporalUnreachable: it does not run.
    """
    server = running_server(settings.state_dir)
    if server is None:
        raise TemporalUnreachable(
            f"no Temporal server runs for the state folder {settings.state_dir.absolute()}; start one with 'batchd run'"
            ", or set BATCH_STATE_DIR to the folder of one that runs, or TEMPORAL_ADDRESS to a server of yours"
        )
    return server.address


async def connect(settings: Settings, *, timeout_s: float, metrics_of: int = 0) -> Client:
    """Return a client of the configured server, trying for `timeout_s` seconds.

    Args:
        settings: where the server is.
        timeout_s: how long to try.
        metrics_of: the number of the worker process that serves metrics, from 1; 0 for none.

    Raises:
        TemporalUnreachable: nobody answered in time; the message says where and what to do.
    """
    runtime = _runtime(settings, metrics_of)
    deadline = time.monotonic() + timeout_s
    while True:
        left_s = max(0.1, deadline - time.monotonic())
        try:
            return await _client(target(settings), runtime, min(ATTEMPT_S, left_s))
        except TemporalUnreachable:
            if time.monotonic() + AGAIN_S > deadline:
                raise
            await asyncio.sleep(AGAIN_S)


async def _client(config: ClientConnectConfig, runtime: Runtime | None, timeout_s: float) -> Client:
    try:
        return await Client.connect(**config, runtime=runtime, connect_timeout=timedelta(seconds=timeout_s))
    except (RuntimeError, RPCError) as error:
        raise unreachable(config["target_host"], error) from error


def unreachable(address: str | None, why: BaseException | str) -> TemporalUnreachable:
    """Return the error that says where nobody answered."""
    return TemporalUnreachable(
        f"no Temporal server answers at {address} ({shortened(str(why), 120)}); "
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
