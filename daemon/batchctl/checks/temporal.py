"""What `doctor` must ask Temporal for: the server, what one may do there, the workers, how long runs are remembered."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from importlib.metadata import version

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.service import RPCError

from activities.registry.receipts import Receipts
from daemon.batchctl.checks.clock import MOST_OFF_S, OtherClock
from daemon.batchctl.checks.findings import Finding, fail, ok, warn
from daemon.batchctl.console.printing import format_duration
from daemon.batchctl.state.live import LISTED_S, POLLING_S, RPC_TIMEOUT, LiveBatches, Poller
from daemon.config.settings import Settings
from daemon.temporal.connection import target
from daemon.temporal.search_attributes import WANTED, attributes_there, how_to_create, of_other_types, refusal
from workflows.errors import BatchdError, shortened
from workflows.search_attributes import STATE

DAY_S = 86_400


async def temporal_checks(settings: Settings, limits: str, clocks: list[OtherClock]) -> list[Finding]:
    """Ask the server and return what is found; where its clock is seen to be another, that is added to `clocks`."""
    try:
        address = target(settings).get("target_host", "")
        live = await LiveBatches.connected(settings)
        known = f"{address} answers, version {await live.server_version()}, namespace {live.client.namespace}"
        retention = await _retention(live, settings)
        workers = _workers(await _pollers(live, clocks), limits)
        return [ok("temporal", known), workers, await _listing(live), *retention, await _search_attributes(live)]
    except BatchdError as error:
        return [fail("temporal", str(error), "without it nothing is worked")]


async def _pollers(live: LiveBatches, clocks: list[OtherClock]) -> list[Poller]:
    """Return the workers that ask for work, by the server's clock as far as that can be told from what it lists."""
    listed = await live.listed_pollers()
    newest_s = listed[0].seen_s_ago if listed else 0.0
    behind_s = newest_s if newest_s < -MOST_OFF_S or newest_s > LISTED_S + MOST_OFF_S else 0.0
    if behind_s:
        clocks.append(OtherClock(whose="Temporal", ahead_s=-behind_s))
    by_its_clock = [replace(each, seen_s_ago=each.seen_s_ago - behind_s) for each in listed]
    return [each for each in by_its_clock if each.seen_s_ago < POLLING_S]


def _workers(pollers: list[Poller], limits: str) -> Finding:
    if not pollers:
        return fail("workers", "no worker has asked for work in the last minute", "start 'batchd run' or 'batchd work'")
    hosts, versions = {each.host for each in pollers}, Counter(each.version for each in pollers)
    found = f"{len(pollers)} polling, the last {max(pollers[0].seen_s_ago, 0):.0f} s ago"
    if set(versions) - {""}:
        found += f", of {_listed(versions)}"
        if set(versions) != {version("batchd")}:
            todo = f"restart those that are not of {version('batchd')}, the version of this batchctl"
            return warn("workers", found, todo)
    if len(hosts) == 1:
        return ok("workers", found)
    return warn(
        "workers",
        f"{found}, on {len(hosts)} hosts: each of them calls the API up to its own limits, here {limits}",
        f"set each host to its part, such as 1/{len(hosts)} of what the API may be asked",
    )


def _listed(versions: Counter[str]) -> str:
    if len(versions) == 1:
        return f"version {next(iter(versions))}"
    return ", ".join(f"{each or 'an older version'} ({number})" for each, number in sorted(versions.items()))


async def _listing(live: LiveBatches) -> Finding:
    """Ask for what a batch id that nobody has here is looked up by: it is a right of its own in some namespaces."""
    try:
        await live.ids_beginning_with("batch-", 1)
    except BatchdError as error:
        return warn("temporal rights", f"batches cannot be listed: {error}", "let this user list workflows there")
    return ok("temporal rights", "batches can be listed, workers and the namespace be looked at")


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


async def _retention(live: LiveBatches, settings: Settings) -> list[Finding]:
    request = DescribeNamespaceRequest(namespace=live.client.namespace)
    try:
        answer = await live.client.workflow_service.describe_namespace(request, timeout=RPC_TIMEOUT)
    except RPCError as error:
        return [
            warn("retention", f"cannot be read ({shortened(str(error), 120)})", "let this user describe the namespace")
        ]
    retention_s = answer.config.workflow_execution_retention_ttl.seconds
    found = f"Temporal forgets a run {format_duration(retention_s)} after its end; {_receipts(settings)}"
    if retention_s < DAY_S:
        return [warn("retention", found, "a day or more keeps its web page useful")]
    return [ok("retention", found)]


def _receipts(settings: Settings) -> str:
    number = Receipts(settings.state_dir).count()
    return f"{number:,} receipts here last for ever" if number != 1 else "1 receipt here lasts for ever"
