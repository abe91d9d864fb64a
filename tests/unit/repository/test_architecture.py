"""The house rules that a linter cannot hold."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest
from configuration_page import configuration_page
from configuration_schema import configuration_schema
from repository import ROOT

from activities.adapter import BatchActivities
from workflows.contract import Activities

WORKFLOW_MODULES = ["workflows.batch_workflows", "workflows.contract"]
IO_LIBRARIES = ["aiohttp", "httpx2", "orjson", "watchfiles", "rich"]


@pytest.mark.parametrize("module", WORKFLOW_MODULES)
def test_importing_a_workflow_loads_no_library_that_does_io(module: str) -> None:
    code = f"import sys, {module}; print([each for each in {IO_LIBRARIES} if each in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_worker_registers_every_activity_of_the_contract_under_its_name() -> None:
    contract = {
        method.__temporal_activity_definition.name  # type: ignore[attr-defined]
        for _, method in inspect.getmembers(Activities, inspect.isfunction)
    }
    adapter = BatchActivities.all(object.__new__(BatchActivities))
    assert {each.__temporal_activity_definition.name for each in adapter} == contract  # type: ignore[attr-defined]
    assert {
        "load_next_csv_page",
        "load_csv_chunks",
        "enrich_chunk",
        "save_chunk",
        "write_manifest",
        "file_source",
    } <= contract


def test_the_configuration_page_is_the_one_the_settings_class_makes() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text() == configuration_page(), "run make docs"


def test_the_schema_of_the_configuration_is_the_one_its_sections_make() -> None:
    assert (ROOT / "docs" / "batchd.schema.json").read_text() == configuration_schema(), "run make docs"
