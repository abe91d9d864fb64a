"""What `doctor` must ask others for: the API and Temporal, at the same time."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Collection
from datetime import UTC, datetime
from urllib.parse import urlsplit, urlunsplit

import httpx2

from activities.api.transport.headers import origin_of
from daemon.batchctl.checks.apis import API_TIMEOUT_S, api_checks
from daemon.batchctl.checks.certificates import SOON_DAYS, days_left
from daemon.batchctl.checks.clock import OtherClock, clock_finding, clock_of_answer
from daemon.batchctl.checks.findings import Finding, fail, ok, warn
from daemon.batchctl.checks.temporal import temporal_checks
from daemon.batchctl.console.printing import counted
from daemon.batchctl.settings_in_use import SettingsInUse
from daemon.config.api_token import api_token
from daemon.config.configuration import load_configuration
from daemon.config.settings import Settings
from workflows.errors import SettingsError, shortened


async def outside_checks(in_use: SettingsInUse, apis: Collection[str]) -> list[Finding]:
    """Ask everybody, these APIs and Temporal at the same time."""
    clocks: list[OtherClock] = []
    if in_use.file is None:
        asked, limits = _api(in_use.service, clocks), _limits(in_use.service)
    else:
        configuration = load_configuration(in_use.file, files=False)
        asked, limits = api_checks(configuration, apis, clocks=clocks), "the concurrency and rate of each [api.*]"
    api, temporal = await asyncio.gather(asked, temporal_checks(in_use.service, limits, clocks))
    clock = clock_finding(clocks)
    return [*api, *([clock] if clock else []), *temporal]


def _limits(settings: Settings) -> str:
    rate = f" and BATCH_API_RATE={settings.api_rate:g}" if settings.api_rate else ""
    return f"BATCH_API_CONCURRENCY={settings.api_concurrency}{rate}"


async def _api(settings: Settings, clocks: list[OtherClock]) -> list[Finding]:
    findings = [await _reachable("api", settings.api_url, clocks)]
    if settings.api_bulk_url:
        findings.append(await _reachable("bulk api", settings.api_bulk_url, clocks))
    try:
        api_token(settings)
    except SettingsError as error:
        findings.append(fail("api token", str(error), "mend the file, and let the user of the service read it"))
    return findings


async def _reachable(check: str, url: str, clocks: list[OtherClock]) -> Finding:
    """Ask the origin of `url`; any answer of HTTP will do, since only POST on the real path means anything."""
    parts = urlsplit(url)
    origin = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], "/", "", ""))
    asked_at = datetime.now(tz=UTC)
    try:
        async with httpx2.AsyncClient(timeout=API_TIMEOUT_S, follow_redirects=False) as client:
            answer = await client.head(origin)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        why = shortened(str(error), 120) or type(error).__name__
        return fail(check, f"{origin} does not answer ({why})", "start it, or set BATCH_API_URL; batches wait for it")
    clock = clock_of_answer(parts.hostname or origin, answer.headers.get("date", ""), asked_at=asked_at)
    clocks += [clock] if clock else []
    return await _with_certificate(check, f"{origin} answers (HTTP {answer.status_code} to HEAD)", origin)


async def _with_certificate(check: str, found: str, url: str) -> Finding:
    origin = origin_of(url)
    if origin.scheme != "https":
        return ok(check, found)
    days = await days_left(origin, ssl.create_default_context(), timeout_s=API_TIMEOUT_S)
    valid = f"{found}; its certificate is valid for {counted(int(days), 'day')}" if days is not None else found
    if days is not None and days < SOON_DAYS:
        return warn(check, valid, "let the API renew it")
    return ok(check, valid)
