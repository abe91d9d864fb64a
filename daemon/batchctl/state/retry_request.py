"""The retry of fallback rows as its workflow is asked for it, and its start."""

from __future__ import annotations

import dataclasses
from typing import Any

from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from activities.registry.receipts import Receipt
from daemon.batchctl.exit_codes import NotPossible
from daemon.batchctl.state.batch_view import BatchView, retry_suffix
from daemon.batchctl.state.live import RPC_TIMEOUT, LiveBatches
from daemon.config.settings import Settings
from daemon.temporal.search_attributes import attributes_for
from workflows.api_spec import BatchTerms
from workflows.batch_workflows import RetryFailedWorkflow
from workflows.contract import steps_are_local, task_timeout
from workflows.ids import workflow_id
from workflows.models import Identity, Shape, Source
from workflows.state import BatchRequest


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


def terms_of(settings: Settings | None, before: BatchView, receipt: Receipt | None) -> BatchTerms:
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


async def start_retry(live: LiveBatches, settings: Settings, request: BatchRequest) -> bool:
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
            search_attributes=await attributes_for(live.client, request),
            task_timeout=task_timeout(request.shape),
            rpc_timeout=RPC_TIMEOUT,
        )
    except WorkflowAlreadyStartedError:
        return False
    except RPCError as error:
        raise live.unreachable(error) from error
    return True
