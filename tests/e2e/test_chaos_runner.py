"""A part of `make chaos`: sixty faults of a fixed seed; and what the runner itself promises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from chaos import catalogue
from chaos.fault import Fault, Segment
from chaos.mutants.breakages import MUTANTS
from chaos.mutants.found import FOUND, PAGE
from chaos.places import DAEMON, ELSEWHERE, WORKER
from chaos.plan import part, plan
from chaos.record import Entry, Record
from chaos.runner import Run
from chaos.shrink import Shortest, shortest
from chaos.site import Site
from chaos.table import page

from activities.disk.failpoint_places import PLACES

ROOT = Path(__file__).resolve().parents[2]
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
        site.drops.file(f"{site.segment.tag}-0.csv", 20)
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
    assert entry["shortest"] == []
    assert "fails without any fault" in (kept / "SHORTEST.txt").read_text()
    assert "1 records are lost" in (kept / "shortest" / "FINDINGS.txt").read_text()
    assert "| `torn` | torn | 0 | 3 |" in page(entries)


def faults(*lines: str) -> tuple[Fault, ...]:
    return tuple(Fault(number=number, kind="any", line=line) for number, line in enumerate(lines, 1))


@pytest.mark.parametrize("needed", ["c", "af", "bcg", "abcdefgh"])
def test_what_failed_is_made_shorter_until_no_fault_can_be_left_out(needed: str) -> None:
    asked: list[str] = []

    def fails(some: tuple[Fault, ...]) -> bool:
        asked.append("".join(each.line for each in some))
        return set(needed) <= set(asked[-1])

    found = shortest(faults(*"abcdefgh"), fails, most_tries=100)
    assert "".join(each.line for each in found.faults) == needed
    assert (found.again, found.certain, found.tries) == (True, True, len(asked))
    assert asked[:2] == ["", "abcdefgh"]


def test_what_does_not_fail_again_or_fails_of_nothing_is_said_so() -> None:
    assert not shortest(faults(*"ab"), lambda _: False).again
    assert shortest(faults(*"ab"), lambda _: True) == Shortest(faults=(), tries=1)
    assert shortest(faults(*"abcdefgh"), lambda some: len(some) > 6, most_tries=5) == Shortest(
        faults=faults(*"abcdefgh"), tries=5, certain=False
    )


def test_every_breakage_of_the_mutation_check_can_be_made_and_stands_in_the_page() -> None:
    for mutant in MUTANTS:
        for edit in mutant.edits:
            assert (ROOT / edit.file).read_text().count(edit.old) == 1, f"{mutant.name} in {edit.file}"
        assert f"| {mutant.breakage} |" in FOUND.read_text()
    assert FOUND.read_text().strip() in PAGE.read_text()
    assert "not found" not in FOUND.read_text()


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
