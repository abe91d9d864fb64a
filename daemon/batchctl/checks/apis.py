"""What `doctor` can see of the APIs of a configuration file: secrets, certificates, and whether they answer."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from activities.api.options import ApiOptions
from activities.api.transport.base import Answer, NoAnswer, Request, awaited
from activities.api.transport.choice import transport_for
from activities.api.transport.general import GeneralTransport
from activities.api.transport.headers import origin_of
from activities.api.transport.proxies import proxy_for
from activities.api.transport.tls import tls_context
from daemon.api_access import described_options
from daemon.batchctl.checks.certificates import SOON_DAYS, days_left
from daemon.batchctl.checks.clock import OtherClock, clock_of_answer
from daemon.batchctl.checks.findings import Finding, fail, ok, warn
from daemon.batchctl.console.printing import counted
from daemon.config.api_spec import read_secrets, secrets_of
from daemon.config.configuration import Configuration
from daemon.config.sections.api_section import ApiSection
from workflows.errors import SettingsError, shortened

API_TIMEOUT_S = 3.0


async def api_checks(
    configuration: Configuration,
    names: Collection[str],
    environ: Mapping[str, str] = os.environ,
    clocks: list[OtherClock] | None = None,
) -> list[Finding]:
    """Check these APIs of a configuration file at the same time, one finding each. No row is sent, and no secret.

    The clocks that their answers show are added to `clocks`.
    """
    seen = [] if clocks is None else clocks
    checks = (_api(name, section, environ, seen) for name, section in configuration.apis.items() if name in names)
    return list(await asyncio.gather(*checks))


async def _api(name: str, section: ApiSection, environ: Mapping[str, str], clocks: list[OtherClock]) -> Finding:
    check, found = f"api {name}", [f"{section.method} {section.url}"]
    try:
        options = await asyncio.to_thread(described_options, name, section, environ=environ)
        over = _over(options, section)
        await asyncio.to_thread(read_secrets, section, environ)
    except SettingsError as error:
        return fail(check, f"{found[0]}: {error}", "correct it, and let the user of the service read it")
    secrets = secrets_of(section)
    found += [f"{counted(len(secrets), 'secret')} can be read"] if secrets else []
    found += ["certificates can be read"] if section.tls else []
    answers = await asyncio.gather(*(_answered(url, options, clocks) for url in _origins(section)))
    ends = await asyncio.gather(*(_certificate(url, options) for url in _origins(section)))
    if problems := [problem for problem, _ in answers if problem]:
        return fail(check, f"{found[0]}; {'; '.join(problems)}", "start it, or correct url, proxy or tls; batches wait")
    found += [sentence for _, sentence in answers]
    found += [sentence for sentence, _ in ends if sentence]
    todo = sorted({each.warning() for each in secrets.values()} - {""}) + [each for _, each in ends if each]
    if todo:
        return warn(check, "; ".join([*found, over]), "; ".join(todo))
    return ok(check, "; ".join([*found, over]))


def _over(options: ApiOptions, section: ApiSection) -> str:
    try:
        return transport_for(options, section.url)[1].rstrip(".")
    except ValueError as error:
        raise SettingsError(str(error)) from error


def _origins(section: ApiSection) -> list[str]:
    """Return where calls go, and where tokens come from."""
    urls = [section.url, *([section.bulk.url] if section.bulk else [])]
    urls += [section.auth.oauth2.token_url] if section.auth and section.auth.oauth2 else []
    origins = [origin_of(url.partition("{")[0]) for url in urls]
    return list(dict.fromkeys(f"{each.scheme}://{each.authority}/" for each in origins))


async def _certificate(url: str, options: ApiOptions) -> tuple[str, str]:
    """Return how long the certificate of a host is valid, and what to do where that is not long; else both empty."""
    origin = origin_of(url)
    proxy, _ = proxy_for(url, options)
    if origin.scheme != "https" or proxy:
        return "", ""
    days = await days_left(origin, tls_context(options), timeout_s=API_TIMEOUT_S)
    if days is None:
        return "", ""
    todo = f"let {origin.host} renew its certificate" if days < SOON_DAYS else ""
    return f"the certificate of {origin.host} is valid for {counted(int(days), 'day')}", todo


async def _answered(url: str, options: ApiOptions, clocks: list[OtherClock]) -> tuple[str, str]:
    """Ask for the front page; return what is wrong, or how it answered. Any answer will do.

    As the API is called, through its proxy and with its certificates, but over the transport that knows HEAD.
    """
    try:
        proxy, _ = proxy_for(url, options)
        transport = GeneralTransport(url, replace(options, timeout_s=API_TIMEOUT_S), proxy)
    except ValueError as error:
        return str(error), ""
    asked_at = datetime.now(tz=UTC)
    try:
        outcome: Answer | NoAnswer = await awaited(
            lambda answered: transport.begin(Request(b"HEAD", b"/", b""), answered)
        )
    finally:
        await transport.aclose()
    if isinstance(outcome, NoAnswer):
        return f"{url} does not answer ({shortened(str(outcome.error), 120) or type(outcome.error).__name__})", ""
    clock = clock_of_answer(origin_of(url).host, outcome.date, asked_at=asked_at)
    clocks += [clock] if clock else []
    return "", f"{url} answers (HTTP {outcome.status} to HEAD)"
