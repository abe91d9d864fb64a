"""Doing again: `retry-failed`, the API once more for the fallback rows of a finished batch, and `rerun`, a whole batch.

A retry is a new generation of the result. The manifest says all its workflow needs, so it works after Temporal has
forgotten the batch. A rerun is a new batch, and the old result is kept.
"""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from activities.registry.receipts import Receipt
from daemon.batchctl.arguments import add_id, add_reason, add_timeout
from daemon.batchctl.console.printing import put, say
from daemon.batchctl.exit_codes import DONE, FAILED, NotPossible
from daemon.batchctl.settings_in_use import SettingsInUse
from daemon.batchctl.state.batch_view import BatchView, retry_suffix
from daemon.batchctl.state.live import RPC_TIMEOUT, LiveBatches
from daemon.batchctl.state.loaders import finished_output
from daemon.batchctl.state.resolve import offline, resolved
from daemon.batchctl.state.retries import end_of_retry
from daemon.batchctl.state.session import Session
from daemon.batchctl.state.waiting import Deadline
from daemon.config.settings import Settings
from daemon.rerun import Reruns
from workflows.api_spec import BatchTerms
from workflows.batch_workflows import RetryFailedWorkflow
from workflows.contract import steps_are_local, task_timeout
from workflows.ids import workflow_id
from workflows.models import Identity, Shape, Source
from workflows.state import BatchRequest


def add_retry_failed(parser: argparse.ArgumentParser) -> None:
    """Declare `retry-failed`."""
    add_id(parser)
    parser.add_argument("--no-wait", action="store_true", help="return when the retry has started")
    add_timeout(parser)


async def run_retry_failed(in_use: SettingsInUse, parsed: argparse.Namespace) -> int:
    """Start the next generation and wait for its manifest, whose path is printed."""
    session = Session(in_use)
    identity = await resolved(session, parsed.id)
    receipt = session.receipts.read(identity)
    before = finished_output(session.output_dir(identity, receipt))
    fallback = before.document["counts"]["fallback"]
    if not fallback:
        say(f"{identity} has no fallback rows; there is nothing to retry" + _never_called_again(before))
        return DONE
    live = await session.live()
    settings = in_use.feeds.get(before.feed)
    terms = _terms(settings, before, receipt)
    request = retry_request(settings.shape() if settings else terms.shape, before, terms)
    started = await _start(live, in_use.service, request)
    say(
        f"{identity}: {'retrying' if started else 'already retrying'} {fallback:,} fallback rows"
        + _never_called_again(before)
    )
    if parsed.no_wait:
        return DONE
    return await _until_end(live, session, request, Deadline(parsed.timeout))


def _never_called_again(before: BatchView) -> str:
    """Return what is said of rows that were not found: the API has answered for them."""
    not_found = before.counts.not_found
    return f" ({not_found:,} rows that were not found have their answer and are not called again)" if not_found else ""


def retry_request(now: Shape, before: BatchView, terms: BatchTerms) -> BatchRequest:
    """Return the request for the generation after `before`, made from its manifest and the terms of its batch.

    `now` are the settings as they are now.
    """
    manifest = before.document
    source = manifest["source"]
    identity = {field.name: manifest["identity"].get(field.name) for field in dataclasses.fields(Identity)}
    return BatchRequest(
        id=manifest["id"],
        source=Source(
            file=source["name"],
            name=source["name"],
            size_bytes=source["bytes"],
            mtime_ns=0,
            inode=0,
            sha256=source["sha256"],
            modified_at=source.get("modified_at", ""),
            first_seen_at=source.get("first_seen_at", ""),
            stable_at=source.get("stable_at", ""),
            claimed_at=source.get("claimed_at", ""),
        ),
        identity=Identity(**identity),
        shape=_shape(now, manifest),
        generation=before.generation + 1,
        local_steps=steps_are_local(source["bytes"]),
        feed=terms.feed,
        api=terms.api,
        config_sha256=terms.config_sha256,
    )


def _terms(settings: Settings | None, before: BatchView, receipt: Receipt | None) -> BatchTerms:
    """Return how the API of a batch is called: as when its file was claimed, which the receipt knows.

    Raises:
        NotPossible: there is no receipt, and the configuration does not have that feed, or another API for it.
    """
    described = before.document["manifest_version"] > 1
    if receipt is not None and receipt.terms is not None:
        return receipt.terms
    if settings is None:
        raise NotPossible(
            f"{before.id}: its feed '{before.feed}' is not in the configuration; add [feed.{before.feed}]"
        )
    terms, name = settings.terms(), before.document["api"].get("name", "")
    if described and (terms.api is None or terms.api.name != name):
        raise NotPossible(f"{before.id}: its API '{name}' is not in the configuration; add [api.{name}] to batchd.toml")
    return terms if described else BatchTerms(shape=terms.shape)


def _shape(now: Shape, manifest: dict[str, Any]) -> Shape:
    """Return the settings as they are now, with the pages and the schema of the batch: its source is not read again."""
    kept, schema = manifest["settings"], manifest.get("schema", {})
    csv = dataclasses.replace(
        now.csv,
        schema_sha256=schema.get("sha256", ""),
        null=schema.get("null"),
        decimal=schema.get("decimal", "."),
    )
    # The work of later generations starts from settled rows: they were accepted, so nobody is asked again.
    return dataclasses.replace(
        now,
        csv=csv,
        page_rows=kept.get("page_rows", now.page_rows),
        max_fallback="100%",
        max_rejected="100%",
    )


async def _start(live: LiveBatches, settings: Settings, request: BatchRequest) -> bool:
    """Start the workflow of a generation; False where it is running already."""
    try:
        await live.client.start_workflow(
            RetryFailedWorkflow.run,
            request,
            id=workflow_id(request.id) + retry_suffix(request.generation),
            task_queue=settings.task_queue,
            # A generation that was written has a manifest and is not asked for again; one that failed may be.
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            static_summary=f"retry of fallback rows, generation {request.generation}",
            task_timeout=task_timeout(request.shape),
            rpc_timeout=RPC_TIMEOUT,
        )
    except WorkflowAlreadyStartedError:
        return False
    except RPCError as error:
        raise live.unreachable(error) from error
    return True


async def _until_end(live: LiveBatches, session: Session, request: BatchRequest, deadline: Deadline) -> int:
    suffix = retry_suffix(request.generation)
    run = await end_of_retry(session, request.id, suffix, deadline)
    if run is None or run.state != "completed":
        why = (await live.with_end(run, request.id, suffix=suffix)).error if run else "Temporal has lost it"
        say(f"{request.id}: the retry failed: {why or (run.state if run else '')}")
        return FAILED
    after = finished_output(session.output_dir(request.id, session.receipts.read(request.id)))
    if after.generation < request.generation:
        raise NotPossible(f"{request.id}: the retry ended without a manifest of generation {request.generation}")
    left = after.document["counts"]["fallback"]
    say(f"{request.id}: {left:,} fallback rows left" if left else f"{request.id}: no fallback rows left")
    put(str(after.manifest))
    return DONE


def add_rerun(parser: argparse.ArgumentParser) -> None:
    """Declare `rerun`."""
    add_id(parser)
    add_reason(parser, required=True)


def run_rerun(in_use: SettingsInUse, parsed: argparse.Namespace) -> int:
    """Lay the source ready as a new batch and print its id; the daemon's next scan starts it."""
    session = Session(in_use)
    identity = offline(session, parsed.id)
    old = session.receipts.read(identity)
    if old is None:
        raise NotPossible(
            f"{identity} has no receipt in {in_use.service.state_dir}; drop its file into the inbox instead"
        )
    if not old.ended:
        raise NotPossible(f"{identity} is {old.state}; let it end, or 'batchctl cancel {identity}', before a rerun")
    settings = in_use.settings_of(old)
    new = Reruns(settings.inbox, settings.state_dir, settings.output_root).prepare(old, reason=parsed.reason)
    put(new.id)
    say(f"{new.id} does {identity} again; 'batchctl watch {new.id}' shows its progress")
    return DONE
