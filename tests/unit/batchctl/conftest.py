"""What tests of batchctl share."""

from __future__ import annotations

from pathlib import Path

import pytest
from batchctl_runner import BatchctlRunner
from described_feeds import DescribedFeeds


@pytest.fixture
def feeds(runner: BatchctlRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DescribedFeeds:
    for name in ("BATCH_INBOX", "BATCH_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    made = DescribedFeeds(runner, tmp_path, {"contacts": "people", "leads": "people", "sites": "places"})
    runner.set(BATCH_CONFIG=made.file)
    runner.give_up_soon()
    return made
