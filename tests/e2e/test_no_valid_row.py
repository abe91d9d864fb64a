"""A file of records of which not one is a valid row fails, with a reason and a result that proves it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from finished_work import FinishedWork
from installation import Installation, api, eventually, manifest_of

from daemon.results.verify import verify
from workflows.models import Control

RAGGED = "id,name,country\n1,Ann\n2\n3,Cid\n4\n5,Eve\n"
Make = Callable[..., Installation]


@pytest.mark.parametrize("in_memory_bytes", ["0", "262144"], ids=["cursor", "in-memory"])
def test_a_file_of_rejected_records_alone_fails_with_the_first_reasons(
    installation: Make, in_memory_bytes: str
) -> None:
    site = installation(BATCH_IN_MEMORY_MAX_BYTES=in_memory_bytes, BATCH_PAGE_ROWS="4")
    base = site.mock_api()
    site.batchd()
    site.drop("users.csv", RAGGED)
    [reason_file] = eventually(lambda: list(site.inbox.glob("failed/*/REASON.json")), "the file has failed")
    eventually(lambda: site.status("users.csv")["state"] == "failed", "the batch has failed")

    reason = json.loads(reason_file.read_text())
    assert reason["what"].startswith("none of its 5 records is a valid row; row 1 (line 2): ragged, ")
    assert "row 3 (line 4)" in reason["what"]
    [folder] = site.outputs()
    assert f"{folder}/rejected-000001.json" in reason["what"]
    assert (reason["error_type"], reason["row"], reason["line"]) == ("NoValidRow", 1, 2)
    assert "BATCH_DELIMITER" in reason["mend"]

    manifest = manifest_of(folder)
    assert (manifest["status"], manifest["counts"]["rejected"]) == ("partial", 5)
    assert (site.inbox / manifest["source"]["archived_as"]).read_text() == RAGGED
    assert site.batchctl("verify", "users.csv").returncode == 0
    assert site.batchctl("wait", "users.csv").returncode == 1
    status = site.status("users.csv")
    assert (status["rows"]["rejected"], status["manifest"]) == (5, str(folder / "manifest.json"))
    assert api(base, "/calls")["total"] == 0
    assert not [each.name for each in folder.iterdir() if each.name.startswith(".")]


def test_one_valid_row_is_enough_and_so_is_none_of_no_records(tmp_path: Path) -> None:
    for name, csv in (("one", RAGGED + "6,Fay,US\n"), ("none", "id,name,country\n")):
        work = FinishedWork(_folder(tmp_path / name), csv)
        work.run()
        assert work.finish().status in {"complete", "complete_with_fallbacks"}


def test_a_result_of_rejected_records_that_an_earlier_version_called_complete_still_proves_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.manifest.facts.status_of", lambda _: "complete")
    work = FinishedWork(tmp_path, RAGGED)
    assert verify(work.run(), source=work.source).ok


def test_a_cancelled_batch_stays_cancelled_whatever_its_rows_are(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path, RAGGED)
    work.work()
    assert work.finish(cancelled=Control(by="ann")).status == "cancelled"


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
