"""The independent checker: a lost, doubled, swapped, torn or miscounted row is said, under the rule it breaks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from finished_work import FinishedWork
from forging import forge

from daemon.checker.__main__ import main
from daemon.checker.result import check_result
from daemon.checker.site import Evidence, check_site

Rows = list[dict[str, Any]]


def mock_answer(row: Any) -> dict[str, str]:
    return {"region": "NA" if row["country"] == "US" else "INTL"}


@pytest.fixture
def work(tmp_path: Path) -> FinishedWork:
    made = FinishedWork(tmp_path / "made")
    made.work()
    made.finish()
    return made


def rules(work: FinishedWork) -> set[str]:
    return {each.rule for each in check_result(work.directory, work.source, answer=mock_answer)}


def test_of_a_sound_result_it_has_nothing_to_say(work: FinishedWork) -> None:
    assert check_result(work.directory, work.source, answer=mock_answer) == []
    work.retry()
    assert check_result(work.directory, work.source) == []


def lost(rows: Rows) -> None:
    rows.pop()


def doubled(rows: Rows) -> None:
    rows.append(rows[0])


def swapped(rows: Rows) -> None:
    rows[0]["_row"], rows[1]["_row"] = rows[1]["_row"], rows[0]["_row"]


def changed(rows: Rows) -> None:
    rows[0]["name"] = "Smith, Ann"


def answered_for_another(rows: Rows) -> None:
    rows[0]["region"] = "INTL"


def enriched_with_an_error(rows: Rows) -> None:
    rows[0]["error"] = "http_500"


def columns_out_of_order(rows: Rows) -> None:
    rows[0] = {key: rows[0][key] for key in ("name", "id", "country", "_row", "enriched", "region")}


@pytest.mark.parametrize(
    "change", [lost, doubled, swapped, changed, answered_for_another, enriched_with_an_error, columns_out_of_order]
)
def test_a_row_that_is_not_what_its_record_makes_breaks_rule_1_though_all_digests_hold(
    work: FinishedWork, change: Callable[[Rows], None]
) -> None:
    forge(work, lambda _: None, chunk=change)
    assert "I1" in rules(work)


def test_a_record_that_was_rejected_though_it_is_valid_breaks_rule_1(work: FinishedWork) -> None:
    work.source.write_text(work.source.read_text().replace("3,ragged", "3,r,aged"))
    assert "I1" in rules(work)


def overlap(manifest: dict[str, Any]) -> None:
    manifest["chunks"][1]["source_start"] -= 1


def gap(manifest: dict[str, Any]) -> None:
    manifest["chunks"][0]["source_end"] -= 1


def short(manifest: dict[str, Any]) -> None:
    manifest["chunks"].pop()


@pytest.mark.parametrize("change", [overlap, gap, short])
def test_ranges_that_are_no_partition_of_the_source_break_rule_2(
    work: FinishedWork, change: Callable[[dict[str, Any]], None]
) -> None:
    forge(work, change)
    assert "I2" in rules(work)


def miscounted(manifest: dict[str, Any]) -> None:
    manifest["counts"]["enriched"] += 1


def miscounted_chunk(manifest: dict[str, Any]) -> None:
    manifest["chunks"][0]["fallback"] += 1


def another_source(manifest: dict[str, Any]) -> None:
    manifest["source"]["sha256"] = "0" * 64


@pytest.mark.parametrize("change", [miscounted, miscounted_chunk, another_source])
def test_a_manifest_that_is_not_true_breaks_rule_3(
    work: FinishedWork, change: Callable[[dict[str, Any]], None]
) -> None:
    forge(work, change)
    assert "I3" in rules(work)


def torn(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-5])


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[20] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("name", ["chunk-000002.json", "rejected-000001.json", "manifest.json", "manifest.sha256"])
@pytest.mark.parametrize("damage", [torn, flipped, Path.unlink])
def test_a_damaged_file_breaks_rule_3(work: FinishedWork, name: str, damage: Callable[[Path], None]) -> None:
    damage(work.directory / name)
    assert "I3" in rules(work)


@pytest.mark.parametrize("name", [".tmp-1", ".part-000001", "chunk-000001.json.bak"])
def test_a_file_that_is_left_over_breaks_rule_7(work: FinishedWork, name: str) -> None:
    (work.directory / name).touch()
    assert rules(work) == {"I7"}


@pytest.fixture
def site(tmp_path: Path) -> dict[str, Any]:
    """The receipt of a completed batch, whose files are where it says; a test changes it and writes it with `put`."""
    made = FinishedWork(tmp_path / "made")
    made.work()
    made.finish()
    archived = tmp_path / "inbox" / "archive" / made.id / "users.csv"
    archived.parent.mkdir(parents=True)
    made.source.rename(archived)
    (tmp_path / "state" / "receipts").mkdir(parents=True)
    return {
        "id": made.id,
        "state": "completed",
        "identity": {"key": made.key},
        "inbox": str(tmp_path / "inbox"),
        "archived_as": f"archive/{made.id}/users.csv",
        "output_dir": str(made.directory),
        "reason": "",
    }


def put(tmp_path: Path, *receipts: dict[str, Any]) -> Path:
    for each in receipts:
        (tmp_path / "state" / "receipts" / f"{each['id']}.json").write_text(json.dumps(each))
    return tmp_path / "state"


def found(state_dir: Path, **evidence: Any) -> set[str]:
    return {each.rule for each in check_site(Evidence(state_dir=state_dir, **evidence))}


def test_of_a_sound_installation_it_has_nothing_to_say(
    tmp_path: Path, site: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    state = put(tmp_path, site)
    assert found(state, calls={"a-1": 1}, runs=(("batch-a", "r1"), ("batch-a", "r1"))) == set()
    assert main(["--state-dir", str(state)]) == 0
    assert capsys.readouterr().out == "every rule holds\n"


def test_two_batches_of_one_identity_or_two_starts_of_one_batch_break_rule_4(
    tmp_path: Path, site: dict[str, Any]
) -> None:
    assert found(put(tmp_path, site), runs=(("batch-a", "r1"), ("batch-a", "r2"))) == {"I4"}
    assert found(put(tmp_path, site, {**site, "id": "users-000000000000"})) >= {"I4"}


def test_more_repeated_calls_than_were_in_flight_break_rule_5(tmp_path: Path, site: dict[str, Any]) -> None:
    state = put(tmp_path, site)
    assert found(state, calls={"a-1": 3, "a-2": 1}, most_repeats=2) == set()
    assert found(state, calls={"a-1": 3, "a-2": 2}, most_repeats=2) == {"I5"}


@pytest.mark.parametrize("key", ["{id}-7", "{id}-0", "{id}-1-again", "{id}-01"])
def test_a_call_of_a_batch_with_a_key_that_none_of_its_rows_has_breaks_rule_5(
    tmp_path: Path, site: dict[str, Any], key: str
) -> None:
    state = put(tmp_path, {**site, "counts": {"records": 6}})
    assert found(state, calls={f"{site['id']}-6": 1}) == set()
    assert found(state, calls={key.format(**site): 1}) == {"I5"}


def test_a_claim_that_is_left_over_breaks_rule_7(tmp_path: Path, site: dict[str, Any]) -> None:
    (tmp_path / "inbox" / ".processing" / site["id"]).mkdir(parents=True)
    assert found(put(tmp_path, site)) == {"I7"}


@pytest.mark.parametrize(
    "change",
    [{"state": "running"}, {"state": "claimed"}, {"archived_as": None}, {"archived_as": "archive/x/users.csv"}],
)
def test_a_batch_that_has_not_ended_or_whose_source_is_not_filed_breaks_rule_8(
    tmp_path: Path, site: dict[str, Any], change: dict[str, Any]
) -> None:
    assert "I8" in found(put(tmp_path, site | change))


def test_a_batch_that_failed_without_a_reason_breaks_rule_8(tmp_path: Path, site: dict[str, Any]) -> None:
    source = tmp_path / "inbox" / site["archived_as"]
    failed = tmp_path / "inbox" / "failed" / site["id"] / source.name
    failed.parent.mkdir(parents=True)
    source.rename(failed)
    state = put(tmp_path, site | {"state": "failed", "archived_as": f"failed/{site['id']}/{source.name}"})
    assert found(state) == {"I8"}
    (failed.parent / "REASON.json").write_text("{}")
    assert found(state) == set()


def test_the_command_says_what_does_not_hold_and_ends_with_1(
    work: FinishedWork, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--folder", str(work.directory), "--source", str(work.source)]
    assert main(words) == 0
    forge(work, lambda _: None, chunk=lost)
    assert main(words) == 1
    said = capsys.readouterr().out
    assert "I1: 1 records are lost, such as [2]" in said
