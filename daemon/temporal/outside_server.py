"""Which outside Temporal server is meant, by Temporal's own variables and profiles (temporalio.envconfig).

The SDK ignores a variable that it does not know and a profile file that is not there. Here that would mean an embedded
server nobody asked for, so both are refused, as an unknown `BATCH_*` setting is.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from temporalio.envconfig import ClientConfig, ClientConfigProfile, ClientConnectConfig
from temporalio.service import TLSConfig

from daemon.config.setting_values import HIGHEST_PORT, credential
from workflows.errors import SettingsError

PREFIX = "TEMPORAL_"
FILE = "TEMPORAL_CONFIG_FILE"
KNOWN = frozenset(
    {
        FILE,
        "TEMPORAL_PROFILE",
        "TEMPORAL_ADDRESS",
        "TEMPORAL_NAMESPACE",
        "TEMPORAL_API_KEY",
        "TEMPORAL_TLS",
        "TEMPORAL_TLS_SERVER_NAME",
        "TEMPORAL_TLS_SERVER_CA_CERT_PATH",
        "TEMPORAL_TLS_SERVER_CA_CERT_DATA",
        "TEMPORAL_TLS_CLIENT_CERT_PATH",
        "TEMPORAL_TLS_CLIENT_CERT_DATA",
        "TEMPORAL_TLS_CLIENT_KEY_PATH",
        "TEMPORAL_TLS_CLIENT_KEY_DATA",
        "TEMPORAL_TLS_DISABLE_HOST_VERIFICATION",
    }
)
"""What envconfig reads and the Python SDK heeds, beside TEMPORAL_GRPC_META_*."""

HEADERS = "TEMPORAL_GRPC_META_"

OF_OTHERS = re.compile(
    r"""
    # Temporal's command line
      CLI_.+ | ENV | ENV_FILE | CODEC_(ENDPOINT|AUTH) | CLIENT_AUTHORITY | TLS_(CA|CERT|KEY)(_DATA)?
    # the SDKs and their core
    | DEBUG | OTEL_DEBUG | CORE_.+ | MAX_INCOMING_GRPC_BYTES | PRINT_FULL_PAYLOADS
    | POLL_SHUTDOWN_INTERRUPT_WAIT_MS | WORKFLOW_TASK_DURATION_WARN_SECONDS
    # the worker controller for Kubernetes
    | (WORKER_)?DEPLOYMENT_NAME | WORKER_BUILD_ID
    # the server
    | AUTH_.+ | JWT_.+ | BROADCAST_ADDRESS | TLS_(FRONTEND|INTERNODE)_.+
    | TLS_(SERVER_(CERT|KEY)(_DATA)? | REQUIRE_CLIENT_AUTH | REFRESH_INTERVAL | EXPIRATION_.+)
    # the web page, and the tools of Temporal Cloud
    | UI_.+ | CORS_ORIGINS | CLOUD_.+
    # compose files, ours too
    | (ADMINTOOLS_)?VERSION | VERSION_CHECK_DISABLED | DB_PASSWORD
    # what Kubernetes tells every pod of a service whose name begins with "temporal"
    | (.+_)?(SERVICE_HOST | SERVICE_PORT(_.+)? | PORT | PORT_\d+_(TCP|UDP)(_.+)?)
    """,
    re.VERBOSE,
)
"""What follows the prefix in variables of other programs, which are none of our business."""


def outside_server() -> ClientConnectConfig | None:
    """Return what Temporal's own variables and profiles say, or None where they name no server.

    Raises:
        SettingsError: one of them is unknown or cannot be used; the message names it.
    """
    named = {name: _found(name, value) for name, value in os.environ.items() if name.startswith(PREFIX) and value}
    _refuse_unknown(named)
    _refuse_missing_file(named)
    try:
        profile = ClientConfigProfile.load(override_env_vars={**os.environ, **named})
        if not profile.address:
            _refuse_without_address(named)
            return None
        return _checked(profile)
    except RuntimeError as error:
        why = " ".join(str(error).split())
        raise SettingsError(f"Temporal's {_sources(named)} cannot be used: {why}") from error


def _found(name: str, value: str) -> str:
    """Return the value of a variable: a path may be that of a credential of systemd, as in the settings of batchd."""
    return credential(value) if name == FILE or name.endswith("_PATH") else value


def _checked(profile: ClientConfigProfile) -> ClientConnectConfig:
    host, _, port = (profile.address or "").rpartition(":")
    if not host or "/" in host or not port.isdigit() or not 1 <= int(port) <= HIGHEST_PORT:
        raise SettingsError(f"TEMPORAL_ADDRESS: {profile.address} is not HOST:PORT, such as temporal.example.org:7233")
    if profile.tls and bool(profile.tls.client_cert) != bool(profile.tls.client_private_key):
        raise SettingsError(
            "TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH belong together; set both or neither"
        )
    try:
        config = profile.to_client_connect_config()
    except OSError as error:
        path = str(error.filename)
        raise SettingsError(f"{_setting_of(path)}: {path} cannot be read: {error.strerror}; mend the path") from error
    _refuse_what_is_no_pem(config.get("tls"))
    if not config.get("namespace"):
        config.pop("namespace", None)
    return config


def _refuse_unknown(named: Mapping[str, str]) -> None:
    for name in named:
        ours = name in KNOWN or name.startswith(HEADERS)
        if not ours and not OF_OTHERS.fullmatch(name.removeprefix(PREFIX)):
            close = difflib.get_close_matches(name, KNOWN, n=1)
            hint = f"did you mean {close[0]}?" if close else "docs/configuration.md lists them; unset it"
            raise SettingsError(f"{name} is not a variable of Temporal's clients; {hint}")


def _refuse_missing_file(named: Mapping[str, str]) -> None:
    path = named.get(FILE)
    if path and not Path(path).exists():
        raise SettingsError(f"{FILE}: there is no file {path}; mend the path, or unset it for the embedded server")


def _refuse_without_address(named: Mapping[str, str]) -> None:
    """Refuse variables that mean an outside server where none is named: it would be an embedded one, unseen."""
    meant = sorted(each for each in named if each.startswith(HEADERS) or each in KNOWN - {FILE})
    if not meant and named.get(FILE) and ClientConfig.load(override_env_vars={**os.environ, **named}).profiles:
        meant = [FILE]
    if meant:
        raise SettingsError(
            f"{meant[0]} is set, but nothing says which server: set TEMPORAL_ADDRESS or the address in Temporal's "
            f"profile, or unset {meant[0]} for the embedded server"
        )


def _sources(named: Mapping[str, str]) -> str:
    return f"profile in {named[FILE]}" if named.get(FILE) else "profile or TEMPORAL_* variables"


def _setting_of(path: str) -> str:
    names = (
        name for name in sorted(KNOWN) if name.endswith("_PATH") and _found(name, os.environ.get(name, "")) == path
    )
    return next(names, "Temporal's profile")


def _refuse_what_is_no_pem(tls: bool | TLSConfig | None) -> None:
    if not isinstance(tls, TLSConfig):
        return
    for name, content in (
        ("SERVER_CA_CERT", tls.server_root_ca_cert),
        ("CLIENT_CERT", tls.client_cert),
        ("CLIENT_KEY", tls.client_private_key),
    ):
        if content is not None and b"-----BEGIN " not in content:
            raise SettingsError(f"{PREFIX}TLS_{name}: holds no PEM (-----BEGIN ...); name a file of that form")
