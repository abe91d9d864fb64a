"""What is said of a batch whose output folder was deleted, or that ended without a manifest."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from batchctl_runner import BatchctlRunner
from finished_work import FinishedWork
from page_site import PageSite

from activities.enrich_page import OpenPage
from workflows.errors import OutputRefused
from workflows.requests import EnrichPage


def test_a_manifest_that_was_deleted_is_said_to_be_gone(runner: BatchctlRunner, tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    folder = work.run()
    receipt = runner.completed(id=work.id, output_dir=str(folder), manifest="manifest.json")
    assert f"manifest  {folder}/manifest.json" in runner.run("status", receipt.id).out
    shutil.rmtree(folder)
    report = runner.run("status", receipt.id)
    assert (report.code, f"gone: {folder}/manifest.json was written and is not there any more" in report.out) == (
        0,
        True,
    )
    assert runner.run("status", receipt.id, "--json").json()["manifest"] is None


def test_a_retry_makes_no_folder_where_that_of_the_result_was_deleted(tmp_path: Path) -> None:
    site = PageSite(tmp_path)
    retried = replace(site.batch, generation=2)
    with pytest.raises(OutputRefused, match="batchctl rerun"):
        OpenPage.open(site.workspace, EnrichPage(batch=retried, page=site.page))
    assert not site.part.parent.exists()


def test_a_batch_that_ended_without_a_manifest_does_not_seem_to_wait_for_one(runner: BatchctlRunner) -> None:
    receipt = runner.receipt(state="failed", reason="the file is gone")
    assert "none: the batch ended without one" in runner.run("status", receipt.id).out
