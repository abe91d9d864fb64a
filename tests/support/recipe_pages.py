"""A page of docs/recipes: what it says is taken from it and never copied, and called against its API."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from random import Random

import orjson

from activities.api.calls.described_calls import DescribedCalls
from activities.api.client import CallRow, EnrichmentClient, PageOutcome, PageRows, RowOutcome
from activities.output.chunk_format import element, failed_element
from daemon.api_access import api_access
from daemon.config.api_spec import api_spec_of
from daemon.config.configuration import load_configuration
from daemon.config.sections.api_section import ApiSection

PAGES = Path(__file__).parents[2] / "docs" / "recipes"
BATCH = "batch-4a9964649433"


class Page:
    """The parts of a page, found by their kind of code block."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = (PAGES / f"{name}.md").read_text()
        self.configuration = self._block("toml")
        self.curl = re.sub(r"-A batchd/\S+", f"-A batchd/{version('batchd')}", self._block("sh"))
        self.result_lines = self._block("json").splitlines()
        self.file_name = re.findall(r"^`(\w+\.csv)`:$", self.text, re.MULTILINE)[0]
        self.file_text = self._block("csv") + "\n"
        self.rows = [dict(each) for each in csv.DictReader(io.StringIO(self.file_text))]

    def call_rows(self) -> list[CallRow]:
        """Return the rows of its file, to be called."""
        return [CallRow(number, f"{BATCH}-{number}", orjson.dumps(row)) for number, row in enumerate(self.rows, 1)]

    def _block(self, kind: str) -> str:
        found: list[str] = re.findall(rf"^```{kind}\n(.*?)^```$", self.text, re.MULTILINE | re.DOTALL)
        assert len(found) == 1, f"{self.name}.md has {len(found)} blocks of {kind}"
        return found[0].rstrip("\n")


@dataclass(frozen=True)
class Recipe:
    """A page whose section is installed in a folder of its own, with its secrets."""

    page: Page
    file: Path
    environ: Mapping[str, str]

    @classmethod
    def installed(cls, page: Page, folder: Path, secret: str, *, origin: str = "") -> Recipe:
        """Write the page's file; with `origin`, every API in it is found there. Nothing else is changed."""
        text = re.sub(r'https://[^/"]+', origin, page.configuration) if origin else page.configuration
        file = folder / "batchd.toml"
        file.write_text(text)
        for path in re.findall(r'\b(?:file|ca|cert|key) = "(secrets/[^"]+)"', text):
            (folder / path).parent.mkdir(exist_ok=True)
            if not (folder / path).exists():
                (folder / path).write_text(secret + "\n")
                (folder / path).chmod(0o600)
        return cls(page, file, dict.fromkeys(re.findall(r'\benv = "(\w+)"', text), secret))

    def section(self) -> tuple[str, ApiSection]:
        """Return its one API, as `batchctl config check` reads it."""
        apis = load_configuration(self.file, self.environ).apis
        assert len(apis) == 1, "a recipe is of one API"
        return next(iter(apis.items()))

    async def call(self) -> Called:
        """Call the API for the rows of the page."""
        async with self.calls() as call:
            return await call()

    @asynccontextmanager
    async def calls(self) -> AsyncIterator[Callable[[], Awaitable[Called]]]:
        """Give what calls the API for the rows of the page, once or again, as one worker does."""
        name, section = self.section()
        access = api_access(name, section, environ=self.environ)
        with closing(access.credentials):
            async with EnrichmentClient(access.options, random=Random(1)) as client:
                calls = DescribedCalls(api_spec_of(name, section), access)
                try:
                    yield lambda: self._called(client, calls, dict(section.answer.fallback))
                finally:
                    await calls.aclose()

    async def _called(self, client: EnrichmentClient, calls: DescribedCalls, fallback: dict[str, object]) -> Called:
        kept: list[RowOutcome] = []
        rows = self.page.call_rows()
        outcome = await client.enrich(BATCH, PageRows(rows, calls=calls), keep=kept.append)
        lines = {each.number: _line(rows[each.number - 1], self.page.rows, each, fallback) for each in kept}
        return Called(outcome, [lines[number] for number in sorted(lines)], kept)


@dataclass(frozen=True)
class Called:
    """What became of a page of rows: `lines` are those of the chunk."""

    outcome: PageOutcome
    lines: list[str]
    kept: list[RowOutcome]


def _line(row: CallRow, rows: list[dict[str, str]], kept: RowOutcome, fallback: dict[str, object]) -> str:
    source = rows[row.number - 1]
    if kept.added is None:
        return failed_element(row.body, source, row.number, str(kept.error), fallback).decode()
    return element(row.body, source, row.number, kept.added).decode()
