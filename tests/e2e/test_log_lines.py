"""The log tells each change of a batch's state in one line, and shows a traceback of nothing that was foreseen."""

from __future__ import annotations

import json
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from installation import Installation, Process, api, eventually, users
from intake_site import events
from stub_activities import request
from temporalio.exceptions import ApplicationError

from daemon.logs.lines import JournalLines, JsonLines, TextLines, is_journal
from daemon.logs.set_up import without_what_is_told
from daemon.logs.step_log import Waits
from workflows.errors import InboxMissing, InvalidCsv, StorageFull, TransientError
from workflows.models import BatchRef, CsvOptions

Make = Callable[..., Installation]
BATCH = BatchRef(id="users-0123456789ab", source=request().source, csv=CsvOptions())


def test_each_change_of_a_batch_is_one_line_and_neither_kill_nor_stop_leaves_a_traceback(installation: Make) -> None:
    site = installation(BATCH_IN_MEMORY_MAX_BYTES="0", BATCH_PAGE_ROWS="50", BATCH_API_CONCURRENCY="8")
    base = site.mock_api(LATENCY_MIN_MS="40", LATENCY_MAX_MS="40")  # five seconds of work: time for the commands
    service = site.batchd()
    site.drop("bad.csv", "id,name\n1\n2\n")
    site.drop("refused.csv", 'id,"name\n1,2\n')
    site.drop("users.csv", users(1_000))
    eventually(lambda: api(base, "/calls")["total"] > 50, "calls are being made")
    for command in ("pause", "pause", "resume"):
        if command == "resume":
            api(base, "/faults", {"kind": "status", "status": 503, "share": 1.0})
        assert site.batchctl(command, "users.csv").returncode == 0
    eventually(lambda: service.logged("batch.waiting"), "the batch waits")
    _worker(site, service, signal.SIGKILL)
    api(base, "/faults", method="DELETE")
    site.finished(2)
    eventually(lambda: service.logged("batch.completed"), "the end is logged")
    first, second, third, *outage, last = _changes(service, "users")
    assert [first, second, third] == [
        ("info", "batch.started", {"mode": "cursor", "how": "started"}),
        ("info", "batch.paused", {"by": _any(service, "batch.paused", "by"), "why": ""}),
        ("info", "batch.resumed", {"by": _any(service, "batch.resumed", "by")}),
    ]
    down_and_up = [
        ("warning", "batch.waiting", {"on": "api", "why": "the API answered 503"}),
        ("info", "batch.running", {}),
    ]
    # A page that had all its answers when the API went down ends the wait of its batch for a moment.
    assert outage == down_and_up * (len(outage) // 2), "it waits and runs by turns"
    assert outage
    assert last == ("info", "batch.completed", {"rows": 1_000, "fallback": 0, "rejected": 0})
    [started, failed] = _changes(service, "bad")
    assert (started[1], failed[:2]) == ("batch.started", ("error", "batch.failed"))
    assert "none of its 2 records is a valid row" in failed[2]["why"]
    [refused] = service.logged("file.refused")
    assert "the header has a quote that is not closed" in json.dumps(refused)
    assert len(service.logged("api.down")) == 1

    api(base, "/faults", {"kind": "status", "status": 401, "share": 1.0})
    site.drop("more.csv", users(1_000))
    eventually(lambda: _changes(service, "more")[1:], "it pauses itself")
    api(base, "/faults", method="DELETE")
    assert site.batchctl("resume", "more.csv").returncode == 0
    calls = api(base, "/calls")["total"]
    eventually(lambda: api(base, "/calls")["total"] > calls + 50, "calls are being made")
    assert service.stop() == 0
    [_, (level, event, fields), (_, resumed, _)] = _changes(service, "more")
    assert (level, event, fields["by"], resumed) == ("warning", "batch.paused", "batchd", "batch.resumed")
    assert "BATCH_API_TOKEN" in fields["why"]
    assert "Traceback" not in service.log.read_text()


def test_a_batch_that_waits_says_so_once_whatever_is_tried_however_often(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    now_s = [0.0]
    waits = Waits(lambda: now_s[0])
    waits.done(BATCH, "save_chunk")
    for _ in range(3):
        waits.failed(BATCH, "enrich_chunk", StorageFull("no room"))
        waits.failed(BATCH, "save_chunk", StorageFull("no room"))
    waits.failed(BATCH, "write_manifest", InboxMissing("no inbox"))
    waits.done(BATCH, "save_chunk")
    waits.done(BATCH, "enrich_chunk")
    waits.failed(BATCH, "write_manifest", TransientError("\x1b[31m"))
    assert [each["on"] for each in events(caplog, "batch.waiting")] == ["disk", "inbox", "retry"]
    assert events(caplog, "batch.waiting")[2]["why"] == "\\x1b[31m"
    assert events(caplog, "batch.running") == []
    waits.done(BATCH, "write_manifest")
    waits.done(BATCH, "write_manifest")
    assert events(caplog, "batch.running") == [{"id": BATCH.id, "file": "users.csv"}]

    for _ in range(2):
        waits.failed(BATCH, "called off by a pause", StorageFull("no room"))
        now_s[0] += 100
    assert len(events(caplog, "batch.waiting")) == 5


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (StorageFull("no room"), False),
        (InvalidCsv("users.csv: the header has a quote that is not closed"), False),
        (OSError(116, "Stale file handle"), False),
        (ApplicationError("the worker is stopping", type="WorkerStopping"), False),
        (KeyError("a mistake of ours"), True),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Exception) else "",
)
def test_the_traceback_of_a_failed_activity_is_shown_only_where_nobody_foresaw_it(
    error: Exception, *, shown: bool
) -> None:
    record = logging.LogRecord("temporalio.activity", logging.WARNING, "", 0, "x", None, (type(error), error, None))
    assert without_what_is_told(record)
    record.__dict__["__temporal_error_identifier"] = "ActivityFailure"
    assert without_what_is_told(record) is shown


def test_lines_for_the_journal_begin_with_their_priority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "log").open("w") as stream:
        monkeypatch.delenv("JOURNAL_STREAM", raising=False)
        assert not is_journal(stream)
        there = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{there.st_dev}:{there.st_ino}")
        assert is_journal(stream)
    assert not is_journal(stream), "a closed one"

    def line(level: int, form: logging.Formatter, error: Exception | None = None) -> str:
        about = (type(error), error, None) if error else None
        return JournalLines(form).format(logging.LogRecord("batchd", level, "", 0, "an.event", None, about))

    levels = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
    assert [line(level, JsonLines())[:4] for level in levels] == ["<7>{", "<6>{", "<4>{", "<3>{", "<2>{"]
    assert json.loads(line(logging.INFO, JsonLines())[3:])["event"] == "an.event"
    assert [each[:3] for each in line(logging.ERROR, TextLines(), KeyError("x")).splitlines()] == ["<3>", "<3>"]


def _worker(site: Installation, service: Process, sent: signal.Signals) -> None:
    [pid] = [pid for pid, line in site.children(service.pid) if b"--process-of" in line]
    os.kill(pid, sent)


def _changes(service: Process, stem: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Return level, event and own fields of every line about the batch of one file."""
    common = {"time", "level", "logger", "event", "message", "batch", "file"}
    return [
        (each["level"], each["event"], {key: each[key] for key in each if key not in common})
        for each in service.events()
        if each["event"].startswith("batch.") and each["batch"].startswith(f"{stem}-")
    ]


def _any(service: Process, event: str, field: str) -> str:
    """Return what one line says, to be taken as it is: there is something."""
    [line] = [each for each in service.logged(event) if each["batch"].startswith("users-")]
    assert line[field]
    return str(line[field])
