"""Pages that are missing or damaged on disk when a batch ends: found in one pass, worked again as all pages are."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from finished_work import FinishedWork, all_well
from installation import Installation, api, eventually, manifest_of, rows_of, temporal_server, users
from page_site import PageSite
from stub_activities import ROWS, StubActivities, request, workers
from temporalio import activity
from temporalio.client import Client

from activities.disk.directory import Directory
from activities.disk.hashing import Stored
from activities.output.page_journal import FileFacts, SavedPage, record
from activities.source.source_file import SourceFile
from activities.write_manifest import finish
from daemon.results.verify import verify
from daemon.worker import WORKFLOWS
from workflows.batch_workflows import CursorBatchWorkflow, InMemoryBatchWorkflow, RetryFailedWorkflow
from workflows.models import CallStats, Checked, Counts, Identity, Page, Shape
from workflows.requests import LoadedPages, WriteManifest, WrittenManifest

Make = Callable[..., Installation]
RENEWAL_EVENTS = 200
PAGES = 250


class Deleted(StubActivities):
    """A file of whose pages not one is on disk at the end: they are named a hundred at a time."""

    @activity.defn(name="write_manifest")
    async def write_manifest(self, request: WriteManifest) -> WrittenManifest:
        self.manifests.append(request)
        first = request.checked.page + 1
        if first <= self.pages:
            damaged = self._pages_from(first, 100).pages
            return WrittenManifest(file=None, damaged=damaged, checked=Checked(page=damaged[-1].number, since_ns=1))
        counts = Counts(records=self.pages * ROWS, enriched=self.pages * ROWS)
        return WrittenManifest(file="manifest.json", counts=counts)


@pytest.mark.timeout(120)
async def test_hundreds_of_damaged_pages_are_worked_several_at_once_in_runs_of_the_ordinary_length(
    tmp_path: Path,
) -> None:
    stub = Deleted(pages=PAGES)
    stub.gate.clear()
    at_the_end: list[int] = []
    with temporal_server(tmp_path, f"limit.historyCount.suggestContinueAsNew={RENEWAL_EVENTS}") as address:
        client = await Client.connect(address)
        async with workers(client, "damaged", WORKFLOWS, stub.all()):
            batch = request(1)
            # All pages are saved and none is open: only the manifest is missing.
            state = replace(batch.state, cursor=None, pages=PAGES, total_rows=PAGES * ROWS, counts=_counts())
            handle = await client.start_workflow(
                CursorBatchWorkflow.run, replace(batch, state=state), id=f"batch-{batch.id}", task_queue="damaged"
            )
            async with asyncio.timeout(30):
                while stub.open_now < 2:
                    await asyncio.sleep(0.02)
            stub.gate.set()
            result = await handle.result()
            progress = await handle.query(CursorBatchWorkflow.progress)
            run = handle.result_run_id
            while run:
                history = await client.get_workflow_handle(handle.id, run_id=run).fetch_history()
                at_the_end.append(len(history.events))
                run = history.events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    assert sorted(stub.enriched) == list(range(1, PAGES + 1))
    assert [each.checked.page for each in stub.manifests] == [0, 100, 200, 250]
    assert len(at_the_end) > 5
    assert max(at_the_end) < RENEWAL_EVENTS + 100, "a run ends soon after the server suggests it"
    assert (result.counts, progress.counts) == (_counts(), _counts())


def _counts() -> Counts:
    return Counts(records=PAGES * ROWS, enriched=PAGES * ROWS)


@pytest.mark.parametrize("workflow", [CursorBatchWorkflow, InMemoryBatchWorkflow, RetryFailedWorkflow])
async def test_a_page_that_is_worked_again_is_counted_once(temporal_address: str, workflow: Any) -> None:
    stub = StubActivities(pages=3)
    stub.damaged = stub._pages_from(2, 2).pages
    client = await Client.connect(temporal_address)
    batch = request(hash(workflow.__name__) % 10_000)
    async with workers(client, batch.id, WORKFLOWS, stub.all()):
        handle = await client.start_workflow(workflow.run, batch, id=f"batch-{batch.id}", task_queue=batch.id)
        await handle.result()
        progress = await handle.query(CursorBatchWorkflow.progress)
    assert sorted(stub.enriched) == [1, 2, 2, 3, 3]
    assert (progress.counts.records, progress.done_bytes) == (3 * ROWS, 300)


def test_damaged_pages_are_found_in_one_pass_over_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = FinishedWork(tmp_path, users(150), page_rows=1)
    work.work(answer=all_well)
    for page in range(11, 121):
        (work.directory / f"chunk-{page:06d}.json").write_bytes(b"torn")
    read = _reads(monkeypatch)
    facts = work.facts
    monkeypatch.setattr(work, "facts", lambda **reported: (read.update(["source"]), facts(**reported))[1])
    checked = Checked()
    found: list[int] = []
    while (written := work.finish(checked=checked)).file is None:
        found.append(len(written.damaged))
        work.work([work.pages[each.number - 1] for each in written.damaged], all_well)
        checked = written.checked
    assert found == [100, 10]
    assert read.pop("source") == 1
    chunks = Counter({name: times for name, times in read.items() if name.startswith("chunk-")})
    once, twice = {each for each in chunks if chunks[each] == 1}, {each for each in chunks if chunks[each] == 2}
    assert (len(once), len(twice)) == (40, 110), "twice: as it was damaged, and as it was made again"
    assert verify(work.directory, source=work.source).ok


@pytest.mark.parametrize("harm", ["torn", "flipped", "deleted"])
def test_what_was_found_sound_is_looked_at_again_where_it_changed_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    work = FinishedWork(tmp_path)
    work.work()
    first = work.directory / "chunk-000001.json"
    content = first.read_bytes()
    (work.directory / "chunk-000003.json").unlink()
    _reads(monkeypatch)
    checked = work.finish().checked
    assert checked.page == 3
    work.work([work.pages[2]])
    if harm == "deleted":
        first.unlink()
    else:
        first.write_bytes(content[:-5] if harm == "torn" else content.replace(b"o", b"0", 1))
    assert [each.number for each in work.finish(checked=checked).damaged] == [1]


def test_a_folder_that_was_deleted_behind_a_first_look_is_found_deleted(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    work.work()
    (work.directory / "chunk-000003.json").unlink()
    checked = work.finish().checked
    shutil.rmtree(work.directory)
    assert [each.number for each in work.finish(checked=checked).damaged] == [1, 2, 3]


@pytest.mark.parametrize("journalled", [[], [3, 7], [1, 2, 10]])
def test_pages_without_an_entry_in_the_journal_are_found_behind_those_that_have_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, journalled: list[int]
) -> None:
    site = PageSite(tmp_path, users(50), page_rows=5)
    with site.workspace.output(site.batch) as folder:
        for number in journalled:
            gone = FileFacts(file=f"chunk-{number:06d}.json", rows=5, bytes=1, sha256="0" * 64)
            record(folder, SavedPage(page=site.pages[number - 1], chunk=gone, enriched=5, fallback=0))
    walked: list[Page] = []
    find_pages = SourceFile.find_pages

    def counted(*arguments: Any, **options: Any) -> LoadedPages:
        loaded = find_pages(*arguments, **options)
        walked.extend(loaded.pages)
        return loaded

    monkeypatch.setattr(SourceFile, "find_pages", counted)
    written = finish(site.workspace, _asked(site))
    assert written.damaged == site.pages
    assert written.checked.page == 10
    assert len(walked) <= 10


def _asked(site: PageSite) -> WriteManifest:
    return WriteManifest(
        batch=site.batch,
        identity=Identity(policy="name", key="key"),
        mode="cursor",
        shape=Shape(page_rows=5),
        started_at="",
        run_ids=[],
        pauses=[],
        stats=CallStats(),
        pages=10,
    )


def _reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count how often each file is hashed, on a file system whose clock has fine steps."""
    monkeypatch.setattr("activities.disk.directory._CLOCK_STEP_NS", 0)
    counted: Counter[str] = Counter()
    stored = Directory.stored

    def counting(folder: Directory, name: str) -> Stored | None:
        counted[name] += 1
        return stored(folder, name)

    monkeypatch.setattr(Directory, "stored", counting)
    return counted


ROWS_OF_THE_FILE = 800
SETTINGS = {"BATCH_PAGE_ROWS": "20", "BATCH_IN_MEMORY_MAX_BYTES": "0", "BATCH_API_CONCURRENCY": "16"}


def _begun(make: Make, **settings: str) -> tuple[Installation, str, Path]:
    """Start a batch and return it once some of its pages are saved."""
    site = make(**SETTINGS | settings)
    base = site.mock_api(LATENCY_MIN_MS="60", LATENCY_MAX_MS="60")
    site.batchd()
    site.drop("users.csv", users(ROWS_OF_THE_FILE))
    chunks = eventually(lambda: (each := list(site.output_root.glob("batch-*/chunk-*")))[9:] and each, "some pages")
    return site, base, chunks[0].parent


def _judge(site: Installation) -> dict[str, Any]:
    """Return the manifest of a result that is whole: every row once, in order, cell by cell that of the source."""
    [folder] = site.finished()
    assert [row["_row"] for row in rows_of(folder)] == list(range(1, ROWS_OF_THE_FILE + 1))
    manifest = manifest_of(folder)
    archived = site.inbox / manifest["source"]["archived_as"]
    proof = site.batchctl("verify", str(folder), "--source", str(archived))
    assert proof.returncode == 0, proof.stdout
    status = eventually(lambda: (said := site.status("users.csv"))["state"] == "completed" and said, "it is completed")
    assert status["rows"]["done"] == ROWS_OF_THE_FILE
    return manifest


@pytest.mark.timeout(120)
def test_an_output_folder_that_is_deleted_in_mid_batch_is_made_again_whole(installation: Make) -> None:
    site, base, folder = _begun(installation)
    saved = 0
    while folder.exists():  # a page that is saved meanwhile makes it anew
        saved = max(saved, 20 * len(list(folder.glob("chunk-*"))))
        shutil.rmtree(folder, ignore_errors=True)
    manifest = _judge(site)
    assert manifest["counts"]["records"] == ROWS_OF_THE_FILE
    meanwhile = 4 * 20  # what was saved while the folder was being deleted
    assert api(base, "/calls")["total"] <= ROWS_OF_THE_FILE + saved + meanwhile


@pytest.mark.timeout(120)
def test_saved_pages_that_are_deleted_or_torn_are_made_again_and_no_other_is_called_again(installation: Make) -> None:
    site, base, folder = _begun(installation)
    chunks = sorted(folder.glob("chunk-*"))
    for chunk in chunks[:5]:
        chunk.unlink()
    for chunk in chunks[5:10]:
        chunk.write_bytes(chunk.read_bytes()[:-20])
    manifest = _judge(site)
    again = api(base, "/calls")["repeated"]
    assert len(again) == 10 * 20
    assert manifest["api"]["calls"] == ROWS_OF_THE_FILE + len(again), "each call was made"
