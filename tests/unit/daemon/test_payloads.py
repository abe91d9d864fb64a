"""Requests as they cross Temporal: read from any version, and by no version that is older than their writer."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from typing import Any

import pytest
from stub_activities import request
from temporalio.converter import DataConverter

from daemon.temporal.payloads import DATA_CONVERTER, FENCED
from workflows.contract import Activities
from workflows.models import Cursor
from workflows.requests import LoadPages
from workflows.state import BatchRequest, LiveBatch, LoadChunksRequest

NEW, OLD = DATA_CONVERTER.payload_converter, DataConverter.default.payload_converter
"""That of the versions before 0.3.0 was the default one, which passes over keys that it does not know."""

BATCH = request(7)
LOAD = LoadPages(batch=LiveBatch(BATCH, "cursor").ref, cursor=Cursor(), page_rows=100, max_pages=3)


@pytest.mark.parametrize("asked", [BATCH, LOAD], ids=["workflow", "activity"])
def test_a_request_of_this_version_and_of_an_older_one_are_read_alike(asked: Any) -> None:
    [written], [old] = NEW.to_payloads([asked]), OLD.to_payloads([asked])
    assert NEW.from_payloads([written], [type(asked)]) == NEW.from_payloads([old], [type(asked)]) == [asked]


@pytest.mark.parametrize("asked", [BATCH, LOAD], ids=["workflow", "activity"])
def test_an_older_version_cannot_read_a_request_of_this_one(asked: Any) -> None:
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument"):
        OLD.from_payloads(NEW.to_payloads([asked]), [type(asked)])


def test_an_older_version_still_sees_for_which_file_a_batch_was_started() -> None:
    """It compares that with its own claim, and would take the batch for one of another installation."""
    [read] = OLD.from_payloads(NEW.to_payloads([BATCH]))
    assert read["source"] == dataclasses.asdict(BATCH.source)


def test_whatever_is_asked_of_a_workflow_or_an_activity_is_guarded() -> None:
    activities = [each for each in vars(Activities).values() if inspect.isfunction(each)]
    asked = {typing.get_type_hints(each)["request"] for each in activities if not each.__name__.startswith("_")}
    assert {*asked, BatchRequest, LoadChunksRequest} == set(FENCED)
    required = {each: {f.name for f in dataclasses.fields(each) if f.default is f.default_factory} for each in FENCED}
    assert all(kept in required[each] for each, kept in FENCED.items())


def test_a_copy_of_a_request_as_the_sandbox_of_the_sdk_makes_it_is_read_and_written_like_the_request() -> None:
    copied = type("LoadPages", (LoadPages,), {"__module__": LoadPages.__module__})
    [read] = NEW.from_payloads(NEW.to_payloads([LOAD]), [copied])
    assert (type(read), dataclasses.asdict(read)) == (copied, dataclasses.asdict(LOAD))
    assert NEW.to_payloads([read]) == NEW.to_payloads([LOAD])
