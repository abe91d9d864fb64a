"""A claimed file whose rows must fit a schema, and the activities of a worker beside it, without Temporal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from page_site import PageSite

from activities.prepare_batch import prepare_batch
from activities.schema.table_schema import parse_schema
from workflows.models import CsvOptions
from workflows.requests import EnrichPage, PrepareBatch, PreparedBatch, SavePage

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
        self.schema = parse_schema(json.dumps(schema)).canonical()
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

    async def worked(self, url: str) -> None:
        """Work and save every page, with calls to `url`."""
        async with self.activities(url) as activities:
            for page in self.pages:
                enriched = await self.environment().run(
                    activities.enrich_chunk, EnrichPage(batch=self.batch, page=page)
                )
                assert enriched.outcome == "done", enriched
                await self.environment().run(activities.save_chunk, SavePage(batch=self.batch, page=page))

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
