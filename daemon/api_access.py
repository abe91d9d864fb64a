"""From the configuration to what a worker calls an API with: options, secrets, credentials, a quota."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

from activities.api.calls.described_calls import ApiAccess
from activities.api.credentials.auth import Credentials, SecretHeader, basic, bearer, combined
from activities.api.credentials.oauth import ClientCredentials
from activities.api.credentials.token_request import TokenEndpoint, TokenOptions
from activities.api.options import Advice, ApiOptions
from activities.api.quota.quota import Quota
from activities.api.quota.quota_file import QuotaFile, Window
from activities.api.transport.proxies import proxy_for
from activities.api.transport.tls import tls_context
from daemon.config.api_spec import read_secrets
from daemon.config.api_token import api_token
from daemon.config.secrets import Secret
from daemon.config.sections.api_section import ApiSection, Oauth2Section
from daemon.config.settings import Settings
from workflows.errors import SettingsError

logger = logging.getLogger(__name__)


def api_options(settings: Settings) -> ApiOptions:
    """Return what the API of the `BATCH_*` variables is called with.

    Raises:
        SettingsError: the token cannot be used.
    """
    return ApiOptions(
        url=settings.api_url,
        bulk_url=settings.api_bulk_url,
        bulk_size=settings.api_bulk_size,
        token=api_token(settings),
        concurrency=settings.api_concurrency,
        rate=settings.api_rate,
        timeout_s=settings.api_timeout_s,
        attempts=settings.api_attempts,
        max_body_bytes=settings.api_max_body_bytes,
        outage=settings.api_outage,
        user_agent=f"batchd/{version('batchd')}",
    )


def api_access(name: str, section: ApiSection, *, environ: Mapping[str, str] = os.environ) -> ApiAccess:
    """Return what the API `name` is called with. No secret is read but that of a proxy.

    Raises:
        SettingsError: a file of its certificates or its proxy cannot be used.
    """
    options = described_options(name, section, environ=environ)
    return ApiAccess(options, lambda: _variables(section, environ), _credentials(section, options, environ))


def quota_of(name: str, section: ApiSection, state_dir: Path, processes: int) -> Quota | None:
    """Return the quota of the API `name`: its rates for more than a second, counted in the state folder.

    So many `processes` share it.
    """
    windows = tuple(Window(int(each.calls), int(each.per_s)) for each in section.rate if each.per_s > 1)
    if not windows:
        return None

    def warn_unlocked() -> None:
        why = "the file system of the state folder has no locks; let only one worker process use this quota"
        logger.warning("quota.unlocked", extra={"fields": {"api": name, "why": why}})

    return Quota(QuotaFile(state_dir / "quota", name, windows, warn_unlocked), processes=processes)


def described_options(name: str, section: ApiSection, *, environ: Mapping[str, str] = os.environ) -> ApiOptions:
    """Return the options of a described API: its limits, its certificates, its proxy."""
    tls = section.tls
    return ApiOptions(
        url=section.url,
        concurrency=section.concurrency,
        rate=min((each.calls / each.per_s for each in section.rate if each.per_s <= 1), default=0.0),
        timeout_s=section.timeout_s,
        attempts=section.attempts,
        max_body_bytes=section.max_body_bytes,
        outage=section.outage,
        user_agent=f"batchd/{version('batchd')}",
        max_wait_s=section.max_wait,
        ca_file=str(tls.ca or "") if tls else "",
        cert_file=str(tls.cert or "") if tls else "",
        key_file=str(tls.key or "") if tls else "",
        proxy=section.proxy.read(environ) if isinstance(section.proxy, Secret) else section.proxy,
        http2=section.http2,
        gzip=True,
        advice=_advice(name),
    )


def _advice(name: str) -> Advice:
    return Advice(
        address=(
            f"a batch keeps the address it began with: correct 'url' in [api.{name}], reload, then cancel the batch "
            "and run it again (where the address is right and these rows are not known there, add a rule for that "
            "answer; 'resume' alone goes further before it pauses again)"
        ),
        credentials=f"correct the secrets of [api.{name}], then resume: they are read again",
        certificate=f"correct 'tls' in [api.{name}] or the certificate of the API, reload, then resume",
        proxy=f"correct 'proxy' in [api.{name}] (left out: HTTPS_PROXY or HTTP_PROXY), reload, then resume",
        body_setting=f"max_body_bytes of [api.{name}]",
    )


def _variables(section: ApiSection, environ: Mapping[str, str]) -> dict[str, str]:
    return {name: each.read(environ) for name, each in section.vars.items() if isinstance(each, Secret)}


def _credentials(section: ApiSection, options: ApiOptions, environ: Mapping[str, str]) -> Credentials:
    """Return what all headers with secrets come from. A secret that no header can carry is refused when it is read."""

    def reading(place: str) -> Callable[[], str]:
        return lambda: read_secrets(section, environ)[place]

    parts: list[Credentials] = [
        SecretHeader(name, reading(f"headers.{name}"))
        for name, each in section.headers.items()
        if isinstance(each, Secret)
    ]
    auth = section.auth
    if auth and auth.bearer:
        parts.append(bearer(reading("auth.bearer")))
    if auth and auth.basic:
        parts.append(basic(auth.basic.user, reading("auth.basic.password")))
    if auth and auth.oauth2:
        parts.append(ClientCredentials(_token_endpoint(auth.oauth2, options, reading)))
    return combined(parts)


def _token_endpoint(
    oauth2: Oauth2Section, options: ApiOptions, reading: Callable[[str], Callable[[], str]]
) -> TokenEndpoint:
    client_id = oauth2.client_id
    try:
        proxy, _ = proxy_for(oauth2.token_url, options)
        tls = tls_context(options)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    return TokenEndpoint(
        TokenOptions(
            token_url=oauth2.token_url,
            client_id=reading("auth.oauth2.client_id")() if isinstance(client_id, Secret) else client_id,
            read_secret=reading("auth.oauth2.client_secret"),
            scope=oauth2.scope,
            timeout_s=options.timeout_s,
            tls=tls,
            proxy=proxy or None,
            user_agent=options.user_agent,
        )
    )
