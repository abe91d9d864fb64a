"""Every time that people read names its zone, which is the same wherever it stands."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from batchctl_runner import BatchctlRunner

from activities.registry.reasons import REASON_TXT, Reason, write_reason
from activities.registry.timestamps import readable_time
from daemon.logs.lines import TextLines


@pytest.fixture(autouse=True)
def far_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_moment_is_shown_in_utc_and_says_so() -> None:
    assert readable_time("2026-01-01T10:00:00.789+00:00") == "2026-01-01 10:00:00Z"
    assert readable_time("2026-01-01T11:00:00+01:00") == "2026-01-01 10:00:00Z"
    assert readable_time("2026-01-01T10:00:00") == "2026-01-01 10:00:00Z"
    assert [readable_time(each) for each in (None, "", "yesterday")] == ["-"] * 3


def test_tables_status_and_reason_show_the_same_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runner = BatchctlRunner(tmp_path, monkeypatch, capsys)
    receipt = runner.completed(state="failed", reason="torn")
    assert "2026-01-01 10:00:00Z\n" in runner.run("list").out
    assert "started   2026-01-01 10:00:00Z\n" in runner.run("status", receipt.id).out
    assert "  2026-01-01 10:00:10Z  " in runner.run("explain", "users.csv").out
    reason = Reason(file="users.csv", outcome="failed", what="torn", mend="mend it", at="2026-01-01T10:00:00.000+00:00")
    (runner.inbox / "failed").mkdir()
    write_reason(runner.inbox / "failed", reason)
    assert "When:   2026-01-01 10:00:00Z\n" in (runner.inbox / "failed" / REASON_TXT).read_text()


def test_a_line_of_the_log_names_its_zone() -> None:
    record = logging.LogRecord("batchd", logging.INFO, "", 0, "batch.started", None, None)
    record.created = 1_767_261_600.0
    assert TextLines().format(record).startswith("10:00:00Z info")
