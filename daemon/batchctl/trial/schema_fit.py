"""How the first records of a file fit the schema of its feed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from activities.batch_schema import BatchSchema
from activities.source.detection.examination import Examination
from activities.source.source_file import Record
from daemon.config.feed_settings import FeedSettings
from daemon.config.settings import Settings
from workflows.errors import InvalidCsv
from workflows.ids import printable


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaFit:
    """How many of the records that were looked at break which rule in which column.

    `refusal` says which columns the header lacks: then no record was looked at. What only one row may have is of all
    rows, and is not looked at.
    """

    records: int = 0
    broken: Counter[tuple[str, str]] = field(default_factory=Counter)
    refusal: InvalidCsv | None = None

    def sentence(self) -> str:
        """Return it in words."""
        if not self.broken:
            return f"all of the first {self.records:,} records fit it"
        rules = (f"{printable(column)} ({rule}) {count:,}" for (column, rule), count in self.broken.most_common())
        return f"of the first {self.records:,} records {self.broken.total():,} break it: {', '.join(rules)}"

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        broken = [
            {"column": column, "rule": rule, "records": count} for (column, rule), count in self.broken.most_common()
        ]
        return {"records": self.records, "broken": broken, "refused": str(self.refusal) if self.refusal else None}


def schema_fit(found: Examination, settings: Settings) -> SchemaFit | None:
    """Hold the first records of a file to the schema of its feed; None where it has none, or the file no records.

    Raises:
        SettingsError: the schema cannot be read.
    """
    text = settings.checked_schema_text() if isinstance(settings, FeedSettings) else ""
    if not text or found.dialect is None or found.first is None:
        return None
    columns = found.dialect.columns
    try:
        schema = BatchSchema.of_text(text, columns, settings.shape().csv)
    except InvalidCsv as refusal:
        return SchemaFit(refusal=refusal)
    rows = [Record(number, 0, list(row)) for number, row in enumerate(found.first.rows) if len(row) == len(columns)]
    refusals = [each for each in map(schema.refusal, rows) if each]
    return SchemaFit(records=len(rows), broken=Counter((each.column, each.rule) for each in refusals))
