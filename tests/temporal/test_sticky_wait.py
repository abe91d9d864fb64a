"""How long a workflow waits for the process that held it, which may have been killed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from page_site import PageSite
from temporalio.client import Client

from daemon.config.settings import Settings
from daemon.worker import build_workers


@pytest.mark.parametrize(("heartbeat_timeout_s", "waits_s"), [(1, 2), (5, 5), (10, 10), (60, 10)])
async def test_a_workflow_waits_for_the_process_that_was_killed_with_it_no_longer_than_a_page_does(
    temporal_address: str, tmp_path: Path, heartbeat_timeout_s: float, waits_s: float
) -> None:
    settings = Settings(heartbeat_timeout_s=heartbeat_timeout_s)
    client = await Client.connect(temporal_address)
    async with PageSite(tmp_path).activities("http://127.0.0.1:1") as activities:
        short, _ = build_workers(settings, client, activities)
    assert short.config(active_config=True)["sticky_queue_schedule_to_start_timeout"] == timedelta(seconds=waits_s)
