"""The connection to Temporal: which server, and how to say that it does not answer.

An outside server is configured by Temporal's own `TEMPORAL_*` variables and profiles (address, namespace, TLS, API
key). Without any, the server is the embedded one, found through the state folder: never one that only happens to listen
on the port, which may be that of another installation.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Sequence
from datetime import timedelta

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, Interceptor
from temporalio.envconfig import ClientConnectConfig
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode

from daemon.config.settings import Settings
from daemon.temporal.outside_server import outside_server
from daemon.temporal.payloads import DATA_CONVERTER
from daemon.temporal.server_record import running_server
from workflows.errors import BatchdError, SettingsError, TemporalUnreachable, shortened

ATTEMPT_S = 2.0
AGAIN_S = 0.2
NAMESPACE_S = 10.0
"""A server that has just been set up answers some time before its first namespace is made."""
FULL_BYTES = 262_144
"""With less room than this the server's database takes nothing more."""


class NoSuchNamespace(SettingsError):
    """The server does not have the namespace that is set."""


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


async def connect(
    settings: Settings, *, timeout_s: float, runtime: Runtime | None = None, interceptors: Sequence[Interceptor] = ()
) -> Client:
    """Return a client of the configured server, trying for `timeout_s` seconds.

    Args:
        settings: where the server is.
        timeout_s: how long to try.
        runtime: what the client runs on; None for the one of all others.
        interceptors: what its requests pass through.

    Raises:
        SettingsError: the server cannot be used as Temporal's own variables or its profile say.
        TemporalUnreachable: nobody answered in time; the message says where and what to do.
    """
    began = time.monotonic()
    while True:
        passed_s = time.monotonic() - began
        try:
            attempt_s = max(0.1, min(ATTEMPT_S, timeout_s - passed_s))
            return await _client(target(settings), runtime, interceptors, attempt_s)
        except (TemporalUnreachable, NoSuchNamespace) as error:
            patience_s = min(timeout_s, NAMESPACE_S) if isinstance(error, NoSuchNamespace) else timeout_s
            if time.monotonic() - began + AGAIN_S > patience_s:
                raise
            await asyncio.sleep(AGAIN_S)


def unreachable(address: str | None, why: BaseException | str) -> TemporalUnreachable:
    """Return the error that says where nobody answered."""
    return TemporalUnreachable(
        f"no Temporal server answers at {address} ({_cause(str(why))}); "
        "start one with 'batchd run', or set TEMPORAL_ADDRESS to one that runs"
    )


async def _client(
    config: ClientConnectConfig, runtime: Runtime | None, interceptors: Sequence[Interceptor], timeout_s: float
) -> Client:
    address = config["target_host"]
    try:
        client = await Client.connect(
            **config,
            runtime=runtime,
            interceptors=interceptors,
            connect_timeout=timedelta(seconds=timeout_s),
            data_converter=DATA_CONVERTER,
        )
    except ValueError as error:
        raise SettingsError(f"the Temporal server {address} cannot be asked: {shortened(str(error), 200)}") from error
    except (RuntimeError, RPCError) as error:
        if "Invalid headers" in str(error):
            raise SettingsError(f"TEMPORAL_API_KEY or TEMPORAL_GRPC_META_*: {_cause(str(error))}") from error
        if "code: Unauthenticated" in str(error):
            raise _not_let_in(address, error) from error
        raise unreachable(address, error) from error
    request = DescribeNamespaceRequest(namespace=client.namespace)
    try:
        await client.workflow_service.describe_namespace(request, timeout=timedelta(seconds=ATTEMPT_S))
    except RPCError as error:
        if error.status != RPCStatusCode.PERMISSION_DENIED:  # one may work in a namespace and not describe it
            raise _refused(config, error) from error
    return client


def _refused(config: ClientConnectConfig, error: RPCError) -> BatchdError:
    address = config["target_host"]
    if error.status == RPCStatusCode.NOT_FOUND:
        name = config.get("namespace", "default")
        return NoSuchNamespace(
            f"the Temporal server {address} has no namespace {name}; make it with 'temporal operator namespace create "
            f"--namespace {name} --address {address}', or set TEMPORAL_NAMESPACE to one that it has"
        )
    if error.status == RPCStatusCode.UNAUTHENTICATED:
        return _not_let_in(address, error)
    return unreachable(address, error)


def _not_let_in(address: str | None, error: Exception) -> SettingsError:
    return SettingsError(
        f"the Temporal server {address} does not let this client in ({_cause(str(error))}); set TEMPORAL_API_KEY, "
        "or TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH"
    )


def _cause(text: str) -> str:
    """Return the innermost message of an error of the SDK, which nests them in the notation of Rust."""
    if "InvalidContentType" in text:
        return "it does not speak TLS there"
    certificate = re.search(r"InvalidCertificate\((\w+)", text)
    if certificate:
        return (
            f"its certificate is not accepted: {certificate[1]}; who signed it is in TEMPORAL_TLS_SERVER_CA_CERT_PATH"
        )
    alert = re.search(r"AlertReceived\((\w+)", text)
    if alert:
        return f"it ends TLS with {alert[1]}; TEMPORAL_TLS_* say what it is shown"
    text = re.sub(r"metadata: MetadataMap \{ headers: \{.*?\} \}", "", text)
    quoted = re.findall(r'"((?:[^"\\]|\\.)+)"', text)
    return shortened(quoted[-1] if quoted else text.removeprefix("Failed client connect: "), 120)


def without_room(settings: Settings) -> TemporalUnreachable | None:
    """Return the error of an embedded server whose disk is full, so that it can do nothing; None where it is not."""
    state_dir = settings.state_dir.absolute()
    try:
        found = os.statvfs(state_dir)
        if outside_server() is not None or found.f_bavail * found.f_frsize > FULL_BYTES:
            return None
    except OSError:
        return None
    return TemporalUnreachable(
        f"the Temporal server cannot work: the disk of the state folder {state_dir}, where it keeps its database, is "
        "full; make room there, and batches go on by themselves"
    )
