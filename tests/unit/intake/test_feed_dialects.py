"""What a feed says of its files is pinned at the claim, and what is claimed is read by it alone."""

from __future__ import annotations

from pathlib import Path

from csv_pages import pages_of
from feed_site import feed, running, started
from intake_site import FakeTemporal, until

from activities.registry.receipts import Receipts
from activities.source.source_file import Record, SourceFile
from workflows.models import CsvOptions

TEXT = "Orders of today\n# made by hand\n1||'O''Hara'||\n2|| Bob\n\n3||Cid||x\n-- 3 orders\n"
SAID = {
    "delimiter": "||",
    "quote": "'",
    "header": ("id", "name", "note"),
    "skip_lines": 1,
    "comment": "#",
    "trim": True,
    "short_rows": "pad",
    "footer": "-- .*",
}


async def test_a_claimed_file_is_read_by_what_its_feed_said_then(tmp_path: Path) -> None:
    temporal = FakeTemporal()
    async with running(tmp_path, temporal, "contacts") as inboxes:
        await inboxes.apply({"orders": feed(tmp_path, "orders", **SAID)})
        (tmp_path / "orders" / "orders.csv").write_text(TEXT)
        await until(lambda: "orders" in started(temporal), "its batch is started")
    batch = started(temporal)["orders"]
    kept = Receipts(tmp_path / "state").read(batch.id)
    assert kept is not None
    assert kept.terms is not None
    assert (kept.terms.shape.csv, kept.source) == (batch.shape.csv, batch.source)
    assert batch.source.dialect is not None
    assert batch.source.dialect.decided_by == {
        "encoding": "the file has ASCII characters alone",
        "delimiter": "setting",
        "header": "setting",
    }

    (claimed,) = (tmp_path / "orders" / ".processing").glob("*/orders.csv")
    (page,) = pages_of(claimed, 10, batch.shape.csv)
    for options in (batch.shape.csv, CsvOptions(column_names=batch.shape.csv.column_names)):
        with SourceFile.open(claimed, options, pinned=batch.source) as source:
            rows = source.read_page(page)
        assert rows == [
            Record(1, 3, ["1", "O'Hara", ""]),
            Record(2, 4, ["2", "Bob", ""]),
            Record(3, 6, ["3", "Cid", "x"]),
        ]


async def test_a_file_that_is_refused_says_which_key_of_its_feed_would_read_it(tmp_path: Path) -> None:
    temporal = FakeTemporal()
    async with running(tmp_path, temporal, "contacts") as inboxes:
        await inboxes.apply({"orders": feed(tmp_path, "orders")})
        (tmp_path / "orders" / "orders.csv").write_text("'id','name'\n'1','Ann, B'\n'2','Bob'\n")
        await until(lambda: list((tmp_path / "orders").glob("failed/*/REASON.txt")), "it is refused")
    (reason,) = (tmp_path / "orders").glob("failed/*/REASON.txt")
    assert 'set quote = "\'" for its feed' in reason.read_text()
