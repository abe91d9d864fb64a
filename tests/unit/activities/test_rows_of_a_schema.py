"""What a schema refuses is rejected before a call is paid for; what it accepts is called typed and kept verbatim."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import schema_site
from described_api import Asked, described_api
from page_site import soon
from schema_site import SchemaSite
from temporalio.testing import ActivityEnvironment

from activities.batch_schema import BatchSchema, Unprepared
from activities.enrich_page import OpenPage
from activities.output.names import DUPLICATES, SCHEMA
from activities.output.output_folder import OutputFolder
from activities.output.row_log import RowLog
from activities.page_rows import PageRows
from activities.prepare_batch import prepare_batch
from activities.source.source_file import SourceFile
from workflows.errors import OutputRefused, TransientError
from workflows.models import Cursor
from workflows.requests import EnrichedPage, PrepareBatch

FEWEST_STEPS = 8
COLUMNS = ("id", "email", "age", "paid")
CSV = """id,email,age,paid
1,ada@example.com,36,10.50
2,not an address,40,1
3,eva@example.com,7,2
1,again@example.com,50,3
5,,,
x,zoe@example.com,20,4
"""


def answered(_: Asked) -> tuple[int, bytes]:
    return 200, b'{"region":"NA","age":36,"paid":10.5}'


@contextmanager
def open_page(site: SchemaSite, page: int = 1) -> Iterator[OpenPage]:
    work = OpenPage.open(site.workspace, site.asked(page))
    try:
        yield work
    finally:
        work.close()


def refused(site: SchemaSite) -> list[tuple[int, str, str]]:
    """Return number, column and rule of the rows of the first page that the schema refused."""
    with OutputFolder.existing(site.folder) as folder, RowLog.open(folder, 1) as part:
        found = [json.loads(each.element) for each in part if each.kind == "R"]
    return [(each["_row"], each["column"], each["rule"]) for each in found]


def bodies(asked: list[Asked]) -> list[bytes]:
    return [each.body for each in asked]


async def test_rows_that_a_schema_refuses_are_rejected_with_column_and_rule_and_never_called(tmp_path: Path) -> None:
    site = SchemaSite(tmp_path, CSV)
    assert site.prepared().duplicates == 1
    with described_api(answered) as api:
        await site.worked(api.url)
    kept = {each["_row"]: (each["column"], each["rule"]) for page in (1, 2) for each in site.rejected(page)}
    assert kept == {2: ("email", "format"), 3: ("age", "minimum"), 4: ("id", "unique"), 6: ("id", "type")}
    assert {each["reason"] for page in (1, 2) for each in site.rejected(page)} == {"schema"}
    assert [each["_row"] for page in (1, 2) for each in site.rows(page)] == [1, 5]
    assert len(api.asked) == 2, "no call is made for a row that is no valid one"


async def test_no_cell_of_a_row_stands_where_it_is_rejected(tmp_path: Path) -> None:
    site = SchemaSite(tmp_path, "id,email,age,paid\n1,canary-5up3r,20,1\n2,a@example.com,canary-5up3r,1\n")
    site.prepared()
    with described_api(answered) as api:
        await site.worked(api.url)
    assert len(site.rejected()) == 2
    assert "canary" not in json.dumps(site.rejected())


async def test_a_row_is_sent_typed_and_digit_for_digit_and_kept_as_the_source_has_it(tmp_path: Path) -> None:
    site = SchemaSite(tmp_path, CSV)
    site.prepared()
    with described_api(answered) as api:
        await site.worked(api.url)
    assert sorted(bodies(api.asked)) == [
        b'{"id":1,"email":"ada@example.com","age":36,"paid":10.50}',
        b'{"id":5,"email":null,"age":null,"paid":null}',
    ]
    (row,) = site.rows(1)
    assert {key: row[key] for key in ("id", "email", "age", "paid")} == {
        "id": "1",
        "email": "ada@example.com",
        "age": "36",
        "paid": "10.50",
    }


async def test_typed_values_that_the_api_sends_back_are_left_out_and_others_are_kept_beside(tmp_path: Path) -> None:
    site = SchemaSite(tmp_path, CSV)
    site.prepared()
    with described_api(answered) as api:
        await site.worked(api.url)
    first, second = site.rows(1)[0], site.rows(2)[0]
    assert first["region"] == "NA"
    assert not {"api_age", "api_paid"} & first.keys()
    assert (second["api_age"], second["api_paid"]) == (36, 10.5)


def test_the_first_row_of_a_key_counts_over_pages_and_a_row_with_another_fault_takes_no_part(tmp_path: Path) -> None:
    rows = [
        "1,a@example.com,7,1",
        *("1,a@example.com,20,1" for _ in range(3)),
        *(f"{each},,20,1" for each in (2, 3, 2)),
    ]
    site = SchemaSite(tmp_path, "id,email,age,paid\n" + "\n".join(rows) + "\n", page_rows=2)
    assert site.prepared().duplicates == 3
    waiting = []
    for page in range(1, len(site.pages) + 1):
        with open_page(site, page) as work:
            waiting += [each.number for each in work.rows_to_call(probe=False)]
    assert waiting == [2, 5, 6]


def test_rows_without_a_value_repeat_nothing(tmp_path: Path) -> None:
    schema = {"fields": [{"name": "id"}, {"name": "code", "constraints": {"unique": True}}]}
    site = SchemaSite(tmp_path, "id,code\n1,\n2,\n3,a\n4,a\n", schema)
    assert site.prepared().duplicates == 1


def test_the_null_token_and_the_decimal_separator_are_those_of_the_feed(tmp_path: Path) -> None:
    site = SchemaSite(tmp_path, 'id,email,age,paid\n1,n/a,20,"1,50"\n', null="n/a", decimal=",")
    site.prepared()
    with open_page(site) as work:
        assert [each.body for each in work.rows_to_call(probe=False)] == [b'{"id":1,"email":null,"age":20,"paid":1.50}']


def test_a_bound_is_read_with_the_decimal_separator_of_the_feed(tmp_path: Path) -> None:
    schema = {"fields": [{"name": "paid", "type": "number", "constraints": {"minimum": "1,5"}}]}
    site = SchemaSite(tmp_path, 'paid\n"1,4"\n"1,6"\n', schema, decimal=",")
    site.prepared()
    with open_page(site) as work:
        assert [each.number for each in work.rows_to_call(probe=False)] == [2]


@pytest.mark.parametrize("lost", [SCHEMA, DUPLICATES])
@pytest.mark.parametrize("how", ["gone", "cut"])
async def test_a_page_that_finds_its_preparation_gone_is_not_begun_until_it_is_put_back(
    tmp_path: Path, lost: str, how: str
) -> None:
    site = SchemaSite(tmp_path, CSV)
    site.prepared()
    path = site.folder / lost
    path.unlink() if how == "gone" else path.write_bytes(path.read_bytes()[:-1])
    with described_api(answered) as api:
        async with site.activities(api.url) as activities:
            enriched: EnrichedPage = await site.environment().run(activities.enrich_chunk, site.asked())
            assert enriched.outcome == "unprepared"
            assert not api.asked
        assert site.prepared().duplicates == (lost == DUPLICATES), "what is whole is not made again"
        await site.worked(api.url)
    assert [each["_row"] for each in site.rows(2)] == [5]


def test_preparing_twice_reads_the_source_once(tmp_path: Path) -> None:
    site = SchemaSite(tmp_path, CSV)
    site.prepared()
    before = (site.folder / DUPLICATES).stat().st_ino
    site.prepared()
    assert (site.folder / DUPLICATES).stat().st_ino == before


def test_preparing_that_is_called_off_leaves_nothing_but_the_schema(tmp_path: Path) -> None:
    site = SchemaSite(tmp_path, CSV)
    with pytest.raises(TransientError, match="called off"):
        prepare_batch(site.workspace, PrepareBatch(batch=site.batch, schema=site.schema), lambda: True)
    assert sorted(each.name for each in site.folder.iterdir()) == [".batchd", SCHEMA]


@pytest.mark.parametrize(
    ("end", "raised"),
    [(ActivityEnvironment.cancel, asyncio.CancelledError), (ActivityEnvironment.worker_shutdown, TransientError)],
    ids=["cancel", "the worker stops"],
)
async def test_preparing_ends_soon_where_nobody_waits_for_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    end: Callable[[ActivityEnvironment], None],
    raised: type[BaseException],
) -> None:
    site, begun = SchemaSite(tmp_path, CSV), threading.Event()
    pages = SourceFile.find_pages

    def found(source: SourceFile, *arguments: Any, **options: Any) -> Any:
        begun.set()
        return replace(pages(source, *arguments, **options), next=Cursor())  # it never comes to an end

    monkeypatch.setattr(SourceFile, "find_pages", found)
    where = site.environment()
    async with site.activities("http://127.0.0.1:1/") as activities:
        asked = PrepareBatch(batch=site.batch, schema=site.schema)
        work = asyncio.ensure_future(where.run(activities.prepare_batch, asked))
        await soon(begun.is_set, "the source is being read")
        end(where)
        with pytest.raises(raised):
            await asyncio.wait_for(work, 20)
    assert not (site.folder / DUPLICATES).exists()


def test_a_kill_at_any_step_of_preparing_leaves_what_the_next_attempt_makes_whole(tmp_path: Path) -> None:
    """The sweep forks, and so does not run in this process, which has threads."""
    script = str(Path(schema_site.__file__))
    done = subprocess.run([sys.executable, script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= FEWEST_STEPS


def test_a_schema_without_keys_reads_no_source_and_leaves_no_file(tmp_path: Path) -> None:
    schema = {"fields": [{"name": "id", "type": "integer"}]}
    site = SchemaSite(tmp_path, "id\n1\n1\n", schema)
    site.prepared()
    assert sorted(each.name for each in site.folder.iterdir()) == [".batchd", SCHEMA]


def test_a_retry_whose_schema_is_gone_says_so(tmp_path: Path) -> None:
    site = SchemaSite(tmp_path, CSV)
    site.prepared()
    with pytest.raises(OutputRefused, match="schema of the rows; put it back"):
        prepare_batch(site.workspace, PrepareBatch(batch=site.batch, schema=""))


def test_a_page_without_its_schema_names_what_is_missing(tmp_path: Path) -> None:
    site = SchemaSite(tmp_path, CSV)
    with pytest.raises(Unprepared, match="is gone, or is not"), open_page(site):
        pass


def test_keys_of_several_columns_are_found_and_named_together(tmp_path: Path) -> None:
    schema: dict[str, Any] = {"fields": [{"name": "a"}, {"name": "b"}], "primaryKey": ["a", "b"]}
    site = SchemaSite(tmp_path, "a,b\n1,2\n1,3\n12,\n1,2\n", schema, page_rows=10)
    site.prepared()
    with open_page(site) as work:
        assert [each.number for each in work.rows_to_call(probe=False)] == [1, 2]
    assert refused(site) == [(3, "b", "required"), (4, "a, b", "primaryKey")]


@pytest.mark.parametrize("value", [True, "36", 1e400, {"deep": [[]]}, 36.5, None, "\ud800"])
def test_an_answer_that_is_another_value_than_the_typed_one_is_no_echo(tmp_path: Path, value: object) -> None:
    site = SchemaSite(tmp_path, CSV)
    rows = PageRows(COLUMNS, BatchSchema.of_text(site.schema, COLUMNS, site.batch.csv))
    source = {"id": "1", "email": "ada@example.com", "age": "36", "paid": "1"}
    assert rows.news(source, {"age": value}) == {"age": value}


@pytest.mark.parametrize("value", [36, 36.0])
def test_an_answer_that_is_the_typed_value_is_an_echo(tmp_path: Path, value: float) -> None:
    site = SchemaSite(tmp_path, CSV)
    rows = PageRows(COLUMNS, BatchSchema.of_text(site.schema, COLUMNS, site.batch.csv))
    source = {"id": "1", "email": "ada@example.com", "age": "36", "paid": "1"}
    assert rows.news(source, {"age": value, "region": "NA"}) == {"region": "NA"}


def test_a_row_that_the_schema_did_not_refuse_before_is_not_called_again_by_other_rules(tmp_path: Path) -> None:
    site = SchemaSite(tmp_path, CSV)
    rows = PageRows(COLUMNS, BatchSchema.of_text(site.schema, COLUMNS, site.batch.csv))
    source = {"id": "1", "email": "ada@example.com", "age": "36", "paid": "1"}
    assert rows.again(1, source) == (1, b"1\0ada@example.com\00036\0001")
    with pytest.raises(OutputRefused, match=r"row 2 breaks the rule minimum of schema\.json in age") as refused:
        rows.again(2, {**source, "age": "7"})
    assert "7" not in str(refused.value)
