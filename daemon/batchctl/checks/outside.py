"""What `doctor` must ask others for: the API, Temporal, the workers."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from urllib.parse import urlsplit, urlunsplit

import httpx2
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.service import RPCError

from daemon.batchctl.checks.apis import API_TIMEOUT_S, api_checks
from daemon.batchctl.checks.findings import Finding, fail, ok, warn
from daemon.batchctl.console.printing import format_duration
from daemon.batchctl.settings_in_use import SettingsInUse
from daemon.batchctl.state.live import RPC_TIMEOUT, LiveBatches
from daemon.config.api_token import api_token
from daemon.config.configuration import load_configuration
from daemon.config.settings import Settings
from daemon.temporal.connection import target
from daemon.temporal.search_attributes import WANTED, attributes_there, how_to_create, of_other_types, refusal
from workflows.errors import BatchdError, SettingsError, shortened
from workflows.search_attributes import STATE

DAY_S = 86_400


async def outside_checks(in_use: SettingsInUse, apis: Collection[str]) -> list[Finding]:
    """Ask everybody, these APIs and Temporal at the same time."""
    if in_use.file is None:
        asked, limits = _api(in_use.service), _limits(in_use.service)
    else:
        configuration = load_configuration(in_use.file, files=False)
        asked, limits = api_checks(configuration, apis), "the concurrency and rate of each [api.*]"
    api, temporal = await asyncio.gather(asked, _temporal(in_use.service, limits))
    return [*api, *temporal]


def _limits(settings: Settings) -> str:
    rate = f" and BATCH_API_RATE={settings.api_rate:g}" if settings.api_rate else ""
    return f"BATCH_API_CONCURRENCY={settings.api_concurrency}{rate}"


async def _api(settings: Settings) -> list[Finding]:
    findings = [await _reachable("api", settings.api_url)]
    if settings.api_bulk_url:
        findings.append(await _reachable("bulk api", settings.api_bulk_url))
    try:
        api_token(settings)
    except SettingsError as error:
        findings.append(fail("api token", str(error), "mend the file, and let the user of the service read it"))
    return findings


async def _reachable(check: str, url: str) -> Finding:
    """Ask the origin of `url`; any answer of HTTP will do, since only POST on the real path means anything."""
    parts = urlsplit(url)
    origin = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], "/", "", ""))
    try:
        async with httpx2.AsyncClient(timeout=API_TIMEOUT_S, follow_redirects=False) as client:
            answer = await client.head(origin)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        why = shortened(str(error), 120) or type(error).__name__
        return fail(check, f"{origin} does not answer ({why})", "start it, or set BATCH_API_URL; batches wait for it")
    return ok(check, f"{origin} answers (HTTP {answer.status_code} to HEAD)")


async def _temporal(settings: Settings, limits: str) -> list[Finding]:
    try:
        address = target(settings).get("target_host", "")
        live = await LiveBatches.connected(settings)
        retention = await _retention(live)
        return [
            ok("temporal", f"{address} answers, namespace {live.client.namespace}"),
            await _workers(live, limits),
            *retention,
            await _search_attributes(live),
        ]
    except BatchdError as error:
        return [fail("temporal", str(error), "without it nothing is worked")]


async def _workers(live: LiveBatches, limits: str) -> Finding:
    pollers = await live.pollers()
    if not pollers:
        return fail("workers", "no worker has asked for work in the last minute", "start 'batchd run' or 'batchd work'")
    hosts = {each.host for each in pollers}
    found = f"{len(pollers)} polling, the last {pollers[0].seen_s_ago:.0f} s ago"
    if len(hosts) == 1:
        return ok("workers", found)
    return warn(
        "workers",
        f"{found}, on {len(hosts)} hosts: each of them calls the API up to its own limits, here {limits}",
        f"set each host to its part, such as 1/{len(hosts)} of what the API may be asked",
    )


async def _search_attributes(live: LiveBatches) -> Finding:
    todo = f"batches are worked without; Temporal's own list finds them by {STATE.name} and others after: "
    todo += f"{how_to_create(live.client)}, and a restart"
    try:
        there = await attributes_there(live.client)
    except RPCError as error:
        return warn("attributes", f"cannot be read ({refusal(error)})", todo)
    missing = [name for name in WANTED if name not in there]
    if not missing and not of_other_types(there):
        return ok("attributes", f"search attributes {', '.join(WANTED)}")
    found = [f"not registered: {', '.join(missing)}"] if missing else []
    return warn("attributes", "; ".join([*found, *filter(None, [of_other_types(there)])]), todo)


async def _retention(live: LiveBatches) -> list[Finding]:
    request = DescribeNamespaceRequest(namespace=live.client.namespace)
    try:
        answer = await live.client.workflow_service.describe_namespace(request, timeout=RPC_TIMEOUT)
    except RPCError as error:
        return [
            warn("retention", f"cannot be read ({shortened(str(error), 120)})", "let this user describe the namespace")
        ]
    retention_s = answer.config.workflow_execution_retention_ttl.seconds
    found = f"Temporal forgets a run {format_duration(retention_s)} after its end; receipts last for ever"
    if retention_s < DAY_S:
        return [warn("retention", found, "a day or more keeps its web page useful")]
    return [ok("retention", found)]
