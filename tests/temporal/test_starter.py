"""Starts on a real Temporal server: whose a workflow is that exists already, and whose fault a refused start is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from stub_activities import request
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from daemon.config.settings import Settings
from daemon.temporal.starter import TemporalStarter
from workflows.batch_workflows import CursorBatchWorkflow
from workflows.errors import StartedElsewhere, StartRefused, TemporalUnreachable
from workflows.models import Identity
from workflows.state import BatchRequest

NUMBERS = count(0xFACE_0000)


@pytest.fixture
async def client(temporal_address: str) -> Client:
    return await Client.connect(temporal_address)


def claimed(inode: int = 7, claimed_at: str = "2026-01-01T10:00:00.000+00:00") -> BatchRequest:
    batch = request(next(NUMBERS))
    return replace(batch, source=replace(batch.source, inode=inode, claimed_at=claimed_at))


def starter(client: Client, root: Path, name: str = "one") -> TemporalStarter:
    settings = Settings(inbox=root / name / "inbox", output_root=root / name / "out", task_queue="nobody")
    return TemporalStarter(client, settings, asyncio.Semaphore(1))


async def test_a_start_that_is_asked_for_again_exists(client: Client, tmp_path: Path) -> None:
    batch = claimed()
    assert await starter(client, tmp_path).start(batch, "cursor") == "started"
    assert await starter(client, tmp_path).start(batch, "cursor") == "exists"


async def test_the_page_of_a_batch_says_of_which_file_and_feed_it_is_and_how_to_ask_for_it(
    client: Client, tmp_path: Path
) -> None:
    batch = replace(claimed(), feed="contacts")
    await starter(client, tmp_path).start(batch, "cursor")
    described = await client.get_workflow_handle(f"batch-{batch.id}").describe()
    assert await described.static_summary() == "[contacts] users.csv"
    details = await described.static_details() or ""
    assert "- file: `users.csv`\n- feed: `contacts`\n" in details
    assert f"- status: `batchctl status {batch.id}`" in details


async def test_a_start_whose_receipt_was_lost_is_still_ours(client: Client, tmp_path: Path) -> None:
    batch = claimed()
    await starter(client, tmp_path).start(batch, "in-memory")
    again = replace(batch, source=replace(batch.source, claimed_at="2026-01-01T10:00:09.000+00:00"))
    assert await starter(client, tmp_path).start(again, "in-memory") == "exists"


async def test_an_inbox_that_was_moved_finds_its_own_starts(client: Client, tmp_path: Path) -> None:
    batch = claimed()
    await starter(client, tmp_path, "before").start(batch, "cursor")
    assert await starter(client, tmp_path, "after").start(batch, "cursor") == "exists"


@pytest.mark.parametrize("inode", [7, 8])
async def test_the_start_of_another_installation_is_named_and_not_taken_for_ours(
    client: Client, tmp_path: Path, inode: int
) -> None:
    batch = claimed()
    await starter(client, tmp_path, "theirs").start(batch, "cursor")
    other = replace(batch.source, inode=inode, claimed_at="2026-01-01T10:00:01.000+00:00")
    with pytest.raises(StartedElsewhere) as raised:
        await starter(client, tmp_path, "ours").start(replace(batch, source=other), "cursor")
    for word in (f"{tmp_path}/theirs/inbox", f"{tmp_path}/theirs/out/batch-{batch.id}", "namespace"):
        assert word in str(raised.value)


async def test_another_file_under_the_same_path_on_another_host_is_not_taken_for_ours(
    client: Client, tmp_path: Path
) -> None:
    batch = claimed()
    await starter(client, tmp_path).start(batch, "cursor")
    other = replace(batch.source, inode=8, claimed_at="2026-01-01T10:00:01.000+00:00")
    with pytest.raises(StartedElsewhere):
        await starter(client, tmp_path).start(replace(batch, source=other), "cursor")


@pytest.mark.parametrize("inode", [7, 8])
async def test_a_start_of_a_version_that_did_not_say_whose_it_was_is_known_by_its_file(
    client: Client, tmp_path: Path, inode: int
) -> None:
    batch = claimed()
    await client.start_workflow(CursorBatchWorkflow.run, batch, id=f"batch-{batch.id}", task_queue="nobody")
    again = replace(batch, source=replace(batch.source, inode=inode))
    if inode == batch.source.inode:
        assert await starter(client, tmp_path).start(again, "cursor") == "exists"
    else:
        with pytest.raises(StartedElsewhere, match="earlier version"):
            await starter(client, tmp_path).start(again, "cursor")


async def test_a_workflow_of_another_program_is_not_taken_for_ours(client: Client, tmp_path: Path) -> None:
    batch = claimed()
    await client.start_workflow("Other", "text", id=f"batch-{batch.id}", task_queue="nobody")
    with pytest.raises(StartedElsewhere):
        await starter(client, tmp_path).start(batch, "cursor")


async def test_a_start_that_the_server_turns_away_is_that_batch_s_own_trouble(client: Client, tmp_path: Path) -> None:
    batch = claimed()
    huge = replace(batch, identity=Identity(policy="name", key="x" * 2_500_000))
    with pytest.raises(StartRefused, match="INVALID_ARGUMENT"):
        await starter(client, tmp_path).start(huge, "cursor")
    assert await starter(client, tmp_path).start(batch, "cursor") == "started"


@pytest.mark.parametrize("status", RPCStatusCode)
async def test_only_an_answer_about_the_server_counts_as_unreachable(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: RPCStatusCode
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise RPCError("no", status, b"")

    monkeypatch.setattr(client, "start_workflow", refuse)
    of_the_batch = {"INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE", "ALREADY_EXISTS", "ABORTED"}
    of_the_server = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "RESOURCE_EXHAUSTED", "UNAUTHENTICATED"}
    with pytest.raises((StartRefused, TemporalUnreachable)) as raised:
        await starter(client, tmp_path).start(claimed(), "cursor")
    assert status.name not in (of_the_server if raised.type is StartRefused else of_the_batch)
