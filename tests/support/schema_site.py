"""A claimed file whose rows must fit a schema, and the activities of a worker beside it, without Temporal.

Run as a program it is killed at each step of preparing, and prepared again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from finished_work import kill_sweep
from page_site import PageSite

from activities.output.output_folder import OutputFolder
from activities.prepare_batch import prepare_batch
from activities.schema.table_schema import parse_schema
from activities.uniqueness.duplicate_rows import duplicates_in
from activities.write_manifest import finish
from workflows.api_spec import ApiSpec
from workflows.models import CallStats, CsvOptions, Identity, Shape
from workflows.requests import EnrichPage, PrepareBatch, PreparedBatch, SavePage, WriteManifest, WrittenManifest

PEOPLE = {
    "fields": [
        {"name": "id", "type": "integer", "constraints": {"required": True, "unique": True}},
        {"name": "email", "format": "email"},
        {"name": "age", "type": "integer", "constraints": {"minimum": 18}},
        {"name": "paid", "type": "number"},
    ]
}


class SchemaSite(PageSite):
    """A `PageSite` with a schema; `prepared` makes its output folder ready."""

    def __init__(
        self, root: Path, csv: str, schema: Mapping[str, Any] = PEOPLE, *, page_rows: int = 3, **options: Any
    ) -> None:
        super().__init__(root, csv, page_rows=page_rows)
        self.schema = parse_schema(json.dumps(schema), decimal=options.get("decimal", ".")).canonical()
        digest = sha256(self.schema.encode()).hexdigest()
        self.batch = replace(self.batch, csv=CsvOptions(schema_sha256=digest, **options))

    @property
    def folder(self) -> Path:
        """The output folder."""
        return self.part.parent

    def prepared(self) -> PreparedBatch:
        """Make the output folder ready."""
        return prepare_batch(self.workspace, PrepareBatch(batch=self.batch, schema=self.schema))

    def asked(self, page: int = 1) -> EnrichPage:
        """Return the request for the work on a page."""
        return EnrichPage(batch=self.batch, page=self.pages[page - 1])

    async def worked(self, url: str, generation: int = 1) -> None:
        """Work and save every page, with calls to `url`; of a later generation those with fallback rows."""
        batch = replace(self.batch, generation=generation)
        async with self.activities(url, attempts=1) as activities:
            for page in self.pages:
                if generation > 1 and not any(row.get("error") for row in self.rows(page.number)):
                    continue
                enriched = await self.environment().run(activities.enrich_chunk, EnrichPage(batch=batch, page=page))
                assert enriched.outcome == "done", enriched
                await self.environment().run(activities.save_chunk, SavePage(batch=batch, page=page))

    async def finished(self, url: str) -> Path:
        """Work the whole batch with calls to `url`, and return the folder of its result."""
        self.prepared()
        await self.worked(url)
        self.concluded()
        return self.folder

    def concluded(self, generation: int = 1) -> WrittenManifest:
        """Write the manifest of a generation."""
        return finish(self.workspace, self.ending(generation))

    def ending(self, generation: int = 1) -> WriteManifest:
        """Return the request for the manifest of a generation; a retry has no text of the schema."""
        return WriteManifest(
            batch=replace(self.batch, generation=generation),
            identity=Identity(policy="name+content", key=self.key),
            mode="cursor",
            shape=Shape(page_rows=3, csv=self.batch.csv),
            started_at="2026-01-02T03:04:05.000+00:00",
            run_ids=["a-run"],
            pauses=[],
            stats=CallStats(),
            pages=len(self.pages),
            api=ApiSpec(name="people", url="https://api.example.com/enrich"),
            config_sha256="c" * 64,
            schema=self.schema if generation == 1 else "",
        )

    def rows(self, page: int = 1) -> list[dict[str, Any]]:
        """Return the rows of a chunk."""
        return self._read(f"chunk-{page:06d}.json")

    def rejected(self, page: int = 1) -> list[dict[str, Any]]:
        """Return the rejected records of a page."""
        return self._read(f"rejected-{page:06d}.json")

    def _read(self, name: str) -> list[dict[str, Any]]:
        path = self.folder / name
        found: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
        return found


def prepared_site(root: Path) -> None:
    """Prepare a batch in `root`, from wherever an earlier run was killed, and check what came of it."""
    rows = "".join(f"{each % 5},a@example.com,20,1\n" for each in range(20))
    site = SchemaSite(root, f"id,email,age,paid\n{rows}")
    site.prepared()
    with OutputFolder.existing(site.folder) as folder:
        assert sorted(duplicates_in(folder, 1, 20)) == list(range(6, 21))


if __name__ == "__main__":
    sys.stdout.write(str(kill_sweep(Path(sys.argv[1]), prepared_site)))
