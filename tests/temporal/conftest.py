"""A client that speaks as the product does, and batchctl on a task queue of its own."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

import pytest
from batchctl_runner import BatchctlRunner
from live_batches import Batches
from temporalio.client import Client

from daemon.temporal.payloads import DATA_CONVERTER

QUEUES = count(1)


@pytest.fixture
async def client(temporal_address: str) -> Client:
    return await Client.connect(temporal_address, data_converter=DATA_CONVERTER)


@pytest.fixture
def runner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], temporal_address: str
) -> BatchctlRunner:
    made = BatchctlRunner(tmp_path, monkeypatch, capsys)
    made.set(TEMPORAL_ADDRESS=temporal_address, BATCH_TASK_QUEUE=f"batchctl-{os.getpid()}-{next(QUEUES)}")
    return made


@pytest.fixture
def batches(runner: BatchctlRunner, client: Client) -> Batches:
    return Batches(runner, client, os.environ["BATCH_TASK_QUEUE"])
