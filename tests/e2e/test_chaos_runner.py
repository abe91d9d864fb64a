"""A part of `make chaos`: sixty faults of a fixed seed; and what the runner itself promises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from chaos import catalogue
from chaos.fault import Segment
from chaos.places import DAEMON, ELSEWHERE, WORKER
from chaos.plan import part, plan
from chaos.record import Entry, Record
from chaos.runner import Run
from chaos.site import Site
from chaos.table import page

from activities.disk.failpoint_places import PLACES

SEED = 1
LANES = 4


@pytest.mark.timeout(300)
def test_sixty_faults_lose_no_row_double_none_and_repeat_no_more_calls_than_were_in_flight(
    temporal_address: str, tmp_path: Path
) -> None:
    entries: list[Entry] = []
    run = Run(work=tmp_path / "work", kept=tmp_path / "kept", temporal=temporal_address, say=print, note=entries.append)
    segments = part(SEED)
    run.go(segments, LANES)
    assert [each["findings"] for each in entries] == [[]] * len(segments)
    injected = [fault for each in entries for fault in each["faults"] if fault["injected"]]
    assert len(injected) == sum(len(each.faults) for each in segments) == 60


def test_what_breaks_a_rule_is_a_finding_and_its_site_is_kept(
    temporal_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tear_a_chunk(site: Site) -> None:
        for role in ("daemon", "worker"):
            site.start(role)
        site.drops.file("torn.csv", 20)
        site.until(site.drops.at_rest, "the batch has ended")
        [chunk] = site.installation.output_root.glob("batch-*/chunk-000002.json")
        rows = json.loads(chunk.read_bytes())
        chunk.write_text(json.dumps(rows[1:]))

    monkeypatch.setitem(catalogue.KINDS, "torn", catalogue.Kind(inject=tear_a_chunk, title="torn", size=1))
    entries: list[Entry] = []
    run = Run(work=tmp_path / "work", kept=tmp_path / "kept", temporal=temporal_address, say=print, note=entries.append)
    run.go([Segment(name="torn", kind="torn", variant="cursor", seed=SEED, faults=())], 1)
    [entry] = entries
    assert (entry["lost"], entry["doubled"]) == (1, 0)
    assert any("I1: torn-" in each and "1 records are lost" in each for each in entry["findings"])
    kept = tmp_path / "kept" / "torn"
    assert "1 records are lost" in (kept / "FINDINGS.txt").read_text()
    assert list(kept.glob("out/batch-*/chunk-000002.json"))
    assert "| torn | 0 | 2 |" in page(entries)


def test_a_seed_is_one_plan_of_a_thousand_faults_with_segments_of_different_names() -> None:
    segments = plan(SEED)
    assert segments == plan(SEED) != plan(SEED + 1)
    assert sum(len(each.faults) for each in segments) >= 1_000
    assert len({each.name for each in segments}) == len(segments)
    assert {each.kind for each in segments} == catalogue.KINDS.keys()


def test_every_failpoint_of_the_product_is_aimed_at() -> None:
    assert WORKER.keys() | DAEMON.keys() | ELSEWHERE.keys() == PLACES.keys()


def test_a_run_that_was_ended_goes_on_behind_what_is_noted(tmp_path: Path) -> None:
    record = Record(tmp_path, SEED)
    for name in ("one", "other", "one"):
        record.add({"segment": name, "findings": []})
    with record.path.open("a") as file:
        file.write('{"segment": "cut sho')
    assert [each["segment"] for each in Record(tmp_path, SEED).entries()] == ["other", "one"]
    assert Record(tmp_path, SEED + 1).entries() == []
