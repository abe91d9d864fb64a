from __future__ import annotations

import hashlib
import json
import re
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from finished_work import CSV, FinishedWork
from manifest_schema import manifest_schema
from repository import ROOT

from activities.disk.failpoints import watched
from activities.output.page_journal import record
from daemon.results.verify import verify
from workflows.errors import OutputRefused, SourceChanged
from workflows.models import Control, Counts, Page
from workflows.requests import WrittenManifest

DOCS = ROOT / "docs"
SCHEMA = json.loads((DOCS / "manifest.schema.json").read_text())


def manifest_of(work: FinishedWork, name: str = "manifest.json") -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((work.directory / name).read_bytes())
    return loaded


def check_schema(manifest: dict[str, Any]) -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(manifest)] == []


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_a_finished_batch_has_a_manifest_that_says_everything(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    work.run()
    manifest = manifest_of(work)
    check_schema(manifest)
    assert manifest["id"] == work.id
    assert manifest["status"] == "complete_with_fallbacks"
    assert manifest["counts"] == {
        "records": 7,
        "enriched": 4,
        "fallback": 2,
        "rejected": 1,
        "by_error": {"http_500": 2},
    }
    assert [each["source_start"] for each in manifest["chunks"]] == [16, 53, 90]
    assert manifest["chunks"][-1]["source_end"] == manifest["source"]["bytes"] == len(CSV.encode())
    assert manifest["timing"] == {
        "started_at": "2026-01-02T03:04:05.000+00:00",
        "finished_at": "2026-01-02T03:04:15.500+00:00",
        "duration_s": 10.5,
        "rows_per_s": 0.7,
    }
    assert manifest["pauses"][0] == {
        "from": "2026-01-02T03:04:06+00:00",
        "to": "2026-01-02T03:04:07+00:00",
        "by": "ada",
        "reason": "lunch",
    }
    assert manifest["settings"]["page_rows"] == 3
    assert manifest["settings"]["api_attempts"] == 3


def test_the_digest_is_over_the_canonical_json_of_the_rest(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    work.run()
    manifest = manifest_of(work)
    integrity = manifest.pop("integrity")
    canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert integrity == {
        "algorithm": "sha256",
        "digest": hashlib.sha256(canonical).hexdigest(),
        "previous": None,
    }


def test_sha256sum_checks_every_file(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    work.run()
    done = subprocess.run(
        ["sha256sum", "-c", "manifest.sha256"],  # noqa: S607 - the tool the format is for
        cwd=work.directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    listed = {each.removesuffix(": OK") for each in done.stdout.splitlines()}
    assert listed == {each.name for each in work.directory.iterdir()} - {"manifest.sha256"}


def test_nothing_hidden_stays_and_every_file_is_private(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    work.run()
    assert sorted(each.name for each in work.directory.iterdir()) == [
        "chunk-000001.json",
        "chunk-000002.json",
        "chunk-000003.json",
        "manifest.json",
        "manifest.sha256",
        "rejected-000001.json",
    ]
    assert {each.stat().st_mode & 0o777 for each in work.directory.iterdir()} == {0o600}
    assert {each.stat().st_nlink for each in work.directory.iterdir()} == {1}


def test_the_manifest_is_never_rewritten(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    work.work()
    first = work.finish()
    content = (work.directory / "manifest.json").read_bytes()
    (work.directory / ".journal").touch()
    assert work.finish(finished_at="2027-01-01T00:00:00+00:00") == first
    assert (work.directory / "manifest.json").read_bytes() == content
    assert not (work.directory / ".journal").exists(), "what a kill left behind goes"


def test_work_on_a_complete_batch_leaves_it_as_it_is(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    work.run()
    before = {each.name: each.read_bytes() for each in work.directory.iterdir()}
    assert work.save(work.pages[0]).enriched == 1
    work.enrich(work.pages[1], lambda *_: ({"region": "OTHER"}, None))
    assert work.save(work.pages[1]).fallback == 1
    assert {each.name: each.read_bytes() for each in work.directory.iterdir()} == before


def test_no_manifest_is_there_without_all_it_vouches_for(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    work.work()
    seen: list[tuple[bool, bool]] = []

    def look(_: str) -> None:
        manifest, sums = work.directory / "manifest.json", work.directory / "manifest.sha256"
        seen.append((manifest.exists(), sums.exists()))

    with watched(look):
        work.finish()
    assert (False, True) in seen
    assert (True, False) not in seen


def test_two_attempts_at_once_agree_on_one_manifest(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    work.work()
    results: list[WrittenManifest] = []

    def finish(second: int) -> None:
        results.append(work.finish(finished_at=f"2026-01-02T03:05:{second:02d}+00:00"))

    attempts = [threading.Thread(target=finish, args=(second,)) for second in range(6)]
    for attempt in attempts:
        attempt.start()
    for attempt in attempts:
        attempt.join()
    assert len(results) == 6
    verdict = verify(work.directory)
    assert verdict.ok, verdict.failed()


class Killed(BaseException):
    """Ends an attempt on the spot."""


def test_an_attempt_killed_before_its_manifest_appeared_does_not_decide_what_is_true_later(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    work.work()

    def kill(name: str) -> None:
        if name == "manifest.link.before":
            raise Killed

    with watched(kill), pytest.raises(Killed):
        work.finish()
    assert (work.directory / ".manifest.json").exists()
    (work.directory / "chunk-000002.json").unlink()
    assert [each.number for each in work.finish().damaged] == [2]
    work.work([work.pages[1]], lambda *_: ({"region": "OTHER"}, None))
    assert work.finish(finished_at="2026-01-02T03:09:00+00:00").file == "manifest.json"
    verdict = verify(work.directory, source=work.source)
    assert verdict.ok, verdict.failed()
    assert manifest_of(work)["counts"]["fallback"] == 1


@pytest.mark.parametrize("name", ["chunk-000002.json", "rejected-000001.json"])
@pytest.mark.parametrize("harm", ["delete", "tear", "flip"])
def test_a_damaged_page_is_named_and_its_files_go(tmp_path: Path, name: str, harm: str) -> None:
    work = FinishedWork(tmp_path)
    work.work()
    path = work.directory / name
    content = path.read_bytes()
    if harm == "delete":
        path.unlink()
    else:
        path.write_bytes(content[:-5] if harm == "tear" else content.replace(b"o", b"0", 1))
    written = work.finish()
    number = int(name[-6])
    assert written.file is None
    assert written.damaged == [work.pages[number - 1]]
    assert not path.exists()
    work.run()
    assert path.read_bytes() == content
    assert verify(work.directory, source=work.source).ok


def test_a_page_the_journal_does_not_know_is_named_by_its_number_only(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    work.work([work.pages[0], work.pages[2]])
    [damaged] = work.finish().damaged
    assert damaged == Page(number=2, source_start=-1, source_end=-1, first_row=-1, records=-1, line=-1)


def test_an_output_folder_that_was_deleted_is_worked_again_whole(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    work.work()
    for each in work.directory.iterdir():
        each.unlink()
    work.directory.rmdir()
    assert [each.number for each in work.finish().damaged] == [1, 2, 3]
    work.run()
    assert verify(work.directory, source=work.source).ok


def test_a_source_that_changed_gets_no_manifest(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    work.work()
    with pytest.raises(SourceChanged, match=r"users\.csv"):
        work.finish(source_sha256="0" * 64)
    assert not (work.directory / "manifest.json").exists()


@pytest.mark.parametrize("wrong", [{"source_start": 54}, {"source_start": 50}, {"first_row": 5}, {"records": 2}])
def test_pages_that_do_not_add_up_get_no_manifest(tmp_path: Path, wrong: dict[str, int]) -> None:
    work = FinishedWork(tmp_path)
    work.work()
    with work.open() as folder:
        from activities.output.page_journal import entries  # noqa: PLC0415 - beside its use

        saved = entries(folder)[2]
        record(folder, replace(saved, page=replace(saved.page, **wrong)))
    with pytest.raises(OutputRefused, match="do not add up"):
        work.finish()


def test_a_file_with_a_header_only_has_a_manifest_without_chunks(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path, "id,name\n\n\n")
    assert work.pages == []
    written = work.finish()
    assert (written.file, written.status, written.counts) == ("manifest.json", "complete", Counts())
    check_schema(manifest_of(work))
    assert verify(work.directory, source=work.source).ok


def test_a_source_with_records_gets_no_manifest_without_chunks(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    work.pages = []
    with pytest.raises(OutputRefused, match="do not add up"):
        work.finish()


def test_a_cancelled_batch_says_what_is_done_and_what_is_not(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    work.work([work.pages[1]])
    (work.directory / "chunk-000003.json").write_bytes(b"[\nnever journalled")
    work.enrich(work.pages[0])
    written = work.finish(cancelled=Control(by="ada", reason="wrong file"))
    manifest = manifest_of(work)
    check_schema(manifest)
    assert (written.status, written.counts.records) == ("cancelled", 3)
    assert manifest["cancelled"] == {"by": "ada", "reason": "wrong file"}
    assert manifest["gaps"] == [
        {"source_start": 16, "source_end": 53, "first_row": 1, "last_row": 3},
        {"source_start": 90, "source_end": 99, "first_row": 7, "last_row": None},
    ]
    assert sorted(each.name for each in work.directory.iterdir()) == [
        "chunk-000002.json",
        "manifest.json",
        "manifest.sha256",
    ]
    verdict = verify(work.directory, source=work.source)
    assert verdict.ok, verdict.failed()


def test_a_damaged_page_of_a_cancelled_batch_is_a_gap(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    work.work()
    (work.directory / "chunk-000001.json").write_bytes(b"")
    assert work.finish(cancelled=Control()).counts.records == 4
    assert verify(work.directory, source=work.source).ok


def test_texts_that_json_cannot_hold_are_shown_as_escapes(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    work.work()
    work.finish(api_url="http://api/\udcff", settings={"inbox": Path("/in"), "share": 0.5, "none": None})
    manifest = manifest_of(work)
    assert manifest["api"]["url"] == "http://api/\\udcff"
    assert manifest["settings"]["inbox"] == "/in"
    assert verify(work.directory).ok


def test_the_published_schema_is_the_one_the_model_makes() -> None:
    assert (DOCS / "manifest.schema.json").read_text() == manifest_schema(), "run make docs"


def test_the_examples_in_the_documentation_are_what_is_written(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    work.run()
    page = (DOCS / "output.md").read_text()
    for name in ("chunk-000001.json", "rejected-000001.json", "manifest.json", "manifest.sha256"):
        shown = re.search(rf"^`{re.escape(name)}`[^\n]*\n+```\w*\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
        assert shown is not None, f"docs/output.md shows no {name}"
        assert shown[1] == (work.directory / name).read_text(), name
