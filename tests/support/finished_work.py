"""A batch worked without Temporal: a real source, real output, and answers that are made up here.

Run as a program it is the victim of the kill sweeps: it works a small batch from wherever an earlier run was killed.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from activities.manifest.first_generation import ManifestFacts, write_manifest
from activities.manifest.next_generation import fallback_rows, find_fallback_pages, write_generation
from activities.output.call_stats import call_stats
from activities.output.chunk_format import FALLBACK, element, failed_element
from activities.output.output_folder import OutputFolder
from activities.output.row_log import DurableRow, RowLog, kind_of
from activities.save_page import save_chunk
from activities.source.source_file import Record, Rejected, SourceFile
from activities.tally import Tally
from workflows.api_spec import ApiSpec
from workflows.ids import batch_id, identity_key
from workflows.models import (
    BatchRef,
    CallStats,
    Checked,
    Control,
    CsvOptions,
    Cursor,
    Identity,
    Page,
    Pause,
    Shape,
    Source,
    Tolerated,
)
from workflows.requests import LoadPages, SavedChunk, SavePage, WriteManifest, WrittenManifest

FINISHED_AT = "2026-01-02T03:04:15.500+00:00"
CSV = """id,name,country
1,"Smith, Anna",US
2,Bob,DE
3,ragged
4,"two
lines",US
5,=1+2,FR
6,Zoë,DE
7,Gus,US
"""

NAME = "users.csv"
Answer = Callable[[int, dict[str, str]], tuple[dict[str, Any] | None, str | None]]


def answers(number: int, row: dict[str, str]) -> tuple[dict[str, Any] | None, str | None]:
    """Answer as the mock API does; every third row fails."""
    if number % 3 == 2:
        return None, "http_500"
    return {**row, "enriched": True, "region": "NA" if row.get("country") == "US" else "INTL"}, None


def all_well(number: int, row: dict[str, str]) -> tuple[dict[str, Any] | None, str | None]:
    """Answer every row."""
    return {"region": "LATER"}, None


class FinishedWork:
    """One batch in `root`: `source` beside `out/batch-<id>`. Each step may be made alone."""

    def __init__(
        self,
        root: Path,
        csv: str | bytes = CSV,
        *,
        page_rows: int = 3,
        api: ApiSpec | None = None,
        options: CsvOptions | None = None,
    ) -> None:
        self.root = root
        self.api = api
        self.options = options or CsvOptions()
        root.mkdir(exist_ok=True)
        self.source = root / NAME
        if not self.source.exists():
            self.source.write_bytes(csv.encode() if isinstance(csv, str) else csv)
        self.out = root / "out"
        self.out.mkdir(exist_ok=True)
        content = self.source.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        self.feed = "contacts" if api else ""
        self.key = identity_key("name+content", name=NAME.encode(), sha256=sha256, feed=self.feed)
        self.id = batch_id(NAME.encode(), self.key)
        self.directory = self.out / f"batch-{self.id}"
        with SourceFile.open(self.source, self.options) as file:
            self.dialect = file.dialect
            self.pages = file.find_pages(Cursor(), page_rows=page_rows, max_pages=10_000).pages
        self.tally = Tally()
        self.batch = BatchRef(
            id=self.id,
            csv=self.options,
            source=Source(
                file=NAME,
                name=NAME,
                size_bytes=len(content),
                mtime_ns=0,
                inode=0,
                sha256=sha256,
                modified_at="2026-01-02T03:00:00+00:00",
            ),
        )

    def open(self) -> OutputFolder:
        return OutputFolder.open(self.out, self.id, create=True)

    def enrich(self, page: Page, answer: Answer = answers) -> CallStats:
        """Give each row of a page that has no durable answer one."""
        tolerated: list[Tolerated] = []
        with SourceFile.open(self.source, self.options) as file:
            records = file.read_page(page, tolerated.append)
        with self.open() as folder, RowLog.open(folder, page.number) as part:
            part.keep_tolerated(tolerated[0])
            for record in records:
                if record.number not in part.done:
                    part.append([self._row(record, answer)])
            part.sync()
            return call_stats(part)

    def save(self, page: Page, generation: int = 1, *, again: bool = False) -> SavedChunk:
        with self.open() as folder:
            request = SavePage(batch=replace(self.batch, generation=generation), page=page, again=again)
            return save_chunk(folder, request, self.tally)

    def work(self, pages: Iterable[Page] | None = None, answer: Answer = answers) -> None:
        for page in self.pages if pages is None else pages:
            while self.save(page).file is None:
                self.enrich(page, answer)

    def finish(
        self,
        *,
        cancelled: Control | None = None,
        finished_at: str = FINISHED_AT,
        checked: Checked = Checked(),  # noqa: B008 - frozen
        **facts: Any,
    ) -> WrittenManifest:
        with self.open() as folder:
            return write_manifest(
                folder,
                replace(self.request(cancelled=cancelled), checked=checked),
                lambda: self.facts(finished_at=finished_at, **facts),
            )

    def run(self, answer: Answer = answers) -> Path:
        """Work the batch to its manifest, as the workflow does, and return the folder."""
        self.work(answer=answer)
        written = self.finish()
        while written.file is None:
            self.work([self.pages[each.number - 1] for each in written.damaged], answer)
            written = self.finish()
        return self.directory

    def retry(self, generation: int = 2, answer: Answer = all_well) -> WrittenManifest:
        """Try the fallback rows again, as the workflow does."""
        batch = replace(self.batch, generation=generation)
        with self.open() as folder:
            load = LoadPages(batch=batch, cursor=Cursor(), page_rows=3, max_pages=100)
            for page in find_fallback_pages(folder, load).pages:
                self.retry_page(page.number, generation, answer)
            return write_generation(folder, self.request(generation), finished_at=FINISHED_AT, producer_version="0.1.0")

    def retry_page(self, number: int, generation: int = 2, answer: Answer = all_well) -> SavedChunk:
        """Try the fallback rows of one page again."""
        batch, page = replace(self.batch, generation=generation), self.pages[number - 1]
        with self.open() as folder:
            with RowLog.open(folder, number, generation) as part:
                for row, source in fallback_rows(folder, page, generation):
                    if row not in part.done:
                        part.append([self._answered(row, source, answer)])
            return save_chunk(folder, SavePage(batch=batch, page=page), self.tally)

    def request(self, generation: int = 1, *, cancelled: Control | None = None) -> WriteManifest:
        return WriteManifest(
            batch=replace(self.batch, generation=generation),
            identity=Identity(policy="name+content", key=self.key),
            mode="cursor",
            shape=Shape(page_rows=3, csv=self.options),
            started_at="2026-01-02T03:04:05.000+00:00",
            run_ids=["first-run", "second-run"],
            pauses=[Pause(since="2026-01-02T03:04:06+00:00", to="2026-01-02T03:04:07+00:00", by="ada", reason="lunch")],
            stats=CallStats(calls=9, retries=2, by_status={"200": 4, "500": 5}, latency_ms={"30": 4}),
            pages=len(self.pages),
            cancelled=cancelled,
            feed=self.feed,
            api=self.api,
            config_sha256="c" * 64 if self.api else "",
        )

    def facts(self, *, finished_at: str = FINISHED_AT, **facts: Any) -> ManifestFacts:
        reported: dict[str, Any] = {
            "delimiter": self.dialect.delimiter,
            "quote": self.dialect.quote,
            "encoding": self.dialect.encoding,
            "newline": self.dialect.newline,
            "columns": self.dialect.columns,
            "data_start": self.dialect.data_start,
            "record_rules": self.dialect.record_rules,
            "other_rules": self.dialect.other_rules(),
            "decided_by": self.dialect.decided_by,
            "data_end": self.dialect.data_end,
            "source_sha256": self.batch.source.sha256,
            "api_url": "http://127.0.0.1:3001/enrich",
            "producer_version": "0.1.0",
            "settings": {"api_attempts": 3},
        }
        return ManifestFacts(finished_at=finished_at, **{**reported, **facts})

    def _row(self, record: Record | Rejected, answer: Answer) -> DurableRow:
        if isinstance(record, Rejected):
            fields = {"_row": record.number, "line": record.line, "reason": record.reason, "detail": record.detail}
            return DurableRow(record.number, "R", record.reason, (), 0.0, orjson.dumps(fields))
        return self._answered(record.number, dict(zip(self.dialect.columns, record.values, strict=True)), answer)

    def _answered(self, number: int, source: dict[str, str], answer: Answer) -> DurableRow:
        added, error = answer(number, source)
        statuses = ("500", "500", "500") if error else ("200",)
        body = orjson.dumps(source)
        if error:
            fallback = self.api.fallback if self.api else FALLBACK
            text = failed_element(body, source, number, error, fallback)
        else:
            text = element(body, source, number, added or {})
        return DurableRow(number, kind_of(error), error or "", statuses, 0.0 if error else 12.5, text)


def kill_sweep(root: Path, job: Callable[[Path], object]) -> int:
    """Kill `job` at its first, second, ... failpoint, each time in a fresh folder, and let it finish afterwards.

    Returns how many kills it survived. Forks, so it runs in a process of its own without threads.
    """
    from activities.disk.failpoints import armed, watched  # noqa: PLC0415 - only the victim needs them

    for number in range(1, 1_000):
        folder = root / f"{number:03d}"
        folder.mkdir()
        hook = armed(f"*:{number}:kill")
        assert hook is not None
        pid = os.fork()
        if pid == 0:
            with watched(hook):
                job(folder)
            os._exit(0)
        killed = os.WIFSIGNALED(os.waitpid(pid, 0)[1])
        job(folder)
        if not killed:
            return number - 1
    raise AssertionError("it never finished")


def whole_batch(folder: Path) -> None:
    """Work a batch to its manifest."""
    FinishedWork(folder).run()


def retried_batch(folder: Path) -> None:
    """Work a batch, then its fallback rows once more."""
    work = FinishedWork(folder)
    if not (work.directory / "manifest.json").exists():
        work.run()
    while work.retry().file is None:
        pass


if __name__ == "__main__":
    job, root = sys.argv[1:]
    sys.stdout.write(str(kill_sweep(Path(root), {"whole": whole_batch, "retried": retried_batch}[job])))
