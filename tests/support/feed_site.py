"""Feeds of one process, each with an inbox of its own, and what was started of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from intake_site import FakeTemporal

from daemon.config.feed_settings import FeedSettings
from daemon.config.settings import Settings
from daemon.intake.inboxes import Inboxes
from workflows.api_spec import ApiSpec
from workflows.state import BatchRequest


def feed(root: Path, name: str, inbox: str = "", **values: Any) -> FeedSettings:
    folder = root / (inbox or name)
    folder.mkdir(exist_ok=True)
    service = Settings(inbox=folder, state_dir=root / "state", output_root=root, settle_s=0.05, rescan_s=0.1)
    api = ApiSpec(name="people", url="http://127.0.0.1/")
    return FeedSettings.model_construct(**{**dict(service), **values}, feed=name, api=api, config_sha256="0")


@asynccontextmanager
async def running(root: Path, temporal: FakeTemporal, *names: str) -> AsyncIterator[Inboxes]:
    (root / "state").mkdir()
    feeds = {name: feed(root, name) for name in names}
    inboxes, stop, ready = Inboxes(next(iter(feeds.values())), lambda *_: temporal), asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(inboxes.run(feeds, stop, on_ready=ready.set))
    await asyncio.wait_for(ready.wait(), 20)
    yield inboxes
    stop.set()
    await task


def started(temporal: FakeTemporal) -> dict[str, BatchRequest]:
    """The batches that were started, by feed."""
    return {each.feed: each for each in temporal.started.values()}
