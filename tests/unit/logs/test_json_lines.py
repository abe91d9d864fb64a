"""A line of JSON says what, when, how bad, who says it and what it is about, whoever wrote it."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.logs.context import step_in_log
from daemon.logs.first_lines import asks_for_json
from daemon.logs.lines import JsonLines, TextLines

BATCH = "users-0123456789ab"


def record(message: str, *args: object, fields: dict[str, object] | None = None, **others: Any) -> logging.LogRecord:
    made = logging.LogRecord(others.pop("name", "daemon.intake"), logging.WARNING, "", 0, message, args, None)
    made.__dict__.update(others)
    if fields:
        made.fields = fields
    return made


def line(*args: Any, **others: Any) -> dict[str, Any]:
    text = JsonLines().format(record(*args, **others))
    assert "\n" not in text
    return json.loads(text)


@pytest.fixture
def step() -> Iterator[None]:
    token = step_in_log.set({"feed": "people", "batch": BATCH, "page": 3})
    yield
    step_in_log.reset(token)


def test_an_event_has_its_name_its_facts_and_in_words_what_the_text_form_says() -> None:
    said = line("batch.started", fields={"id": BATCH, "mode": "cursor", "file": "a b.csv"})
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", said.pop("time"))
    words = f'batch.started id={BATCH} mode=cursor file="a b.csv"'
    assert said == {
        "level": "warning",
        "logger": "daemon.intake",
        "event": "batch.started",
        "message": words,
        "batch": BATCH,
        "mode": "cursor",
        "file": "a b.csv",
    }
    text = TextLines().format(record("batch.started", fields={"id": BATCH, "mode": "cursor", "file": "a b.csv"}))
    assert text.endswith(f"Z warning {words}")


@pytest.mark.parametrize(
    ("name", "message", "args", "event", "words"),
    [
        ("temporalio.core", "it is slow", (), "library.said", "it is slow"),
        ("asyncio", "%s is %d\nlate", ("a", 3), "library.said", "a is 3\nlate"),
        ("asyncio", "%d", ("no number",), "library.said", "%d ('no number',)"),
        ("py.warnings", "x.py:1: DeprecationWarning: old", (), "python.warning", "x.py:1: DeprecationWarning: old"),
    ],
)
def test_a_line_of_somebody_else_says_whose_it_is(
    name: str, message: str, args: tuple[object, ...], event: str, words: str
) -> None:
    said = line(message, *args, name=name)
    assert (said["event"], said["message"], said["logger"]) == (event, words, name)


@pytest.mark.usefixtures("step")
def test_a_line_about_the_batch_of_the_running_step_and_a_librarys_have_its_page() -> None:
    about = {"feed": "people", "batch": BATCH, "page": 3}
    assert line("batch.waiting", fields={"id": BATCH}).items() >= about.items()
    assert line("activity failed", name="temporalio.activity").items() >= about.items()


@pytest.mark.usefixtures("step")
def test_a_line_about_something_else_says_nothing_of_the_running_step() -> None:
    assert not {"feed", "batch", "page"} & line("api.down", fields={"why": "503"}).keys()
    assert line("batch.started", fields={"id": "other-0123456789ab"}).get("page") is None


def test_a_traceback_is_a_field() -> None:
    made = record("daemon.crashed")
    made.exc_info = (KeyError, KeyError("x"), None)
    assert "KeyError: 'x'" in json.loads(JsonLines().format(made))["exception"]


def test_json_is_asked_for_by_the_variable_or_else_by_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    asking, other, broken = (tmp_path / each for each in ("asking.toml", "other.toml", "broken.toml"))
    asking.write_text('[service]\nlog_format = "json"\n')
    other.write_text('[service]\nlog_format = "text"\n')
    broken.write_text("[service\n")
    assert asks_for_json(["run"], {"BATCH_LOG_FORMAT": "json"})
    assert not asks_for_json(["run", "--config", str(asking)], {"BATCH_LOG_FORMAT": "text"})
    assert asks_for_json(["--config", str(other), "run", "--config", str(asking)], {})
    assert asks_for_json([f"--config={asking}", "run"], {})
    assert asks_for_json(["run"], {"BATCH_CONFIG": str(asking)})
    for path in (other, broken, tmp_path / "none.toml"):
        assert not asks_for_json(["run", "--config", str(path)], {})
    assert not asks_for_json(["run"], {"BATCH_CONFIG": ""})
    assert not asks_for_json(["run"], {})
