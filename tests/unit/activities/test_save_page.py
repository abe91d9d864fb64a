from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest
from finished_work import FinishedWork
from hypothesis import given
from hypothesis import strategies as st
from repository import TESTS

from activities.disk.failpoints import watched
from activities.output.chunk_format import array, element, elements_of, failed_element
from activities.output.page_journal import entries
from activities.save_page import already_saved
from daemon.results.verify import verify
from workflows.errors import TransientError

names = st.text(min_size=1, max_size=8).filter(lambda name: name not in {"_row", "enriched", "error"})
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def made(source: dict[str, str], number: int, added: dict[str, Any] | None, error: str | None = None) -> bytes:
    if error:
        return failed_element(orjson.dumps(source), source, number, error)
    return element(orjson.dumps(source), source, number, added or {})


def test_an_enriched_row_is_the_source_then_our_columns_then_what_the_api_added_by_name() -> None:
    row = made({"b": "1", "a": "ë"}, 7, {"zone": 1, "region": "NA", "b": "1", "enriched": True})
    assert row == '{"b":"1","a":"ë","_row":7,"enriched":true,"region":"NA","zone":1}'.encode()


def test_a_row_the_api_added_nothing_to_is_still_enriched() -> None:
    assert made({"a": "1"}, 1, {}) == b'{"a":"1","_row":1,"enriched":true}'
    assert made({"a": "1"}, 1, {"a": "1"}) == b'{"a":"1","_row":1,"enriched":true}'


def test_a_fallback_row_says_why() -> None:
    assert made({"a": "1"}, 3, None, "http_500") == (
        b'{"a":"1","_row":3,"enriched":false,"region":"UNKNOWN","error":"http_500"}'
    )


def test_the_source_keeps_its_columns_whatever_the_api_answers() -> None:
    row = json.loads(made({"region": "Tyrol", "api_region": "x"}, 1, {"region": "EU", "_row": 9, "error": "no"}))
    assert row == {
        "region": "Tyrol",
        "api_region": "x",
        "_row": 1,
        "enriched": True,
        "api__row": 9,
        "api_error": "no",
        "api_api_region": "EU",
    }
    row = json.loads(made({"region": "Tyrol"}, 1, None, "timeout"))
    assert row == {"region": "Tyrol", "_row": 1, "enriched": False, "api_region": "UNKNOWN", "error": "timeout"}


def test_two_answers_never_share_a_name() -> None:
    row = made({"x": "1"}, 1, {"x": 2, "api_x": 3})
    assert json.loads(row) == {"x": "1", "_row": 1, "enriched": True, "api_x": 3, "api_api_x": 2}


def test_an_answer_nested_deeper_than_can_be_written_loses_that_value_only() -> None:
    deep: Any = []
    for _ in range(500):
        deep = [deep]
    assert json.loads(made({"a": "1"}, 1, {"deep": deep, "region": "NA"}))["region"] == "NA"


@given(st.dictionaries(names, st.text(max_size=8), min_size=1, max_size=4), st.dictionaries(names, values, max_size=4))
def test_any_row_with_any_answer_is_one_line_of_json_with_the_source_verbatim(
    source: dict[str, str], added: dict[str, Any]
) -> None:
    row = made(source, 5, added)
    assert b"\n" not in row
    assert b"\t" not in row
    pairs = list(json.loads(row).items())
    assert pairs[: len(source)] == list(source.items())
    assert row.count(b'"_row":5,') == 1
    news = [name for name, value in added.items() if name not in source or source[name] != value]
    assert len(pairs) == len(source) + 2 + len(news)


@given(st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=5), min_size=1), max_size=4))
def test_a_file_of_elements_is_json_and_gives_them_back_line_by_line(rows: list[dict[str, str]]) -> None:
    elements = [orjson.dumps(row) for row in rows]
    content = b"".join(array(elements))
    assert json.loads(content) == rows
    assert list(elements_of(content.splitlines(keepends=True))) == elements


@pytest.mark.parametrize("content", [b"", b"[", b"[\n", b"[\n{}\n", b"[\n{},\n", b"{}\n", b"[]\n[]\n", b"[\n{}\n]\n\n"])
def test_a_file_of_another_form_is_no_chunk(content: bytes) -> None:
    with pytest.raises(ValueError, match="list of rows"):
        list(elements_of(content.splitlines(keepends=True)))


def test_a_page_becomes_a_chunk_and_a_file_of_its_rejected_records(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    work.enrich(work.pages[0])
    saved = work.save(work.pages[0])
    assert (saved.file, saved.enriched, saved.fallback, saved.rejected) == ("chunk-000001.json", 1, 1, 1)
    assert saved.by_error == {"http_500": 1}
    rows = json.loads((work.directory / "chunk-000001.json").read_bytes())
    assert [row["_row"] for row in rows] == [1, 2]
    assert rows[0]["name"] == "Smith, Anna"
    assert json.loads((work.directory / "rejected-000001.json").read_bytes()) == [
        {"_row": 3, "line": 4, "reason": "ragged", "detail": "2 fields, the header has 3"}
    ]
    assert sorted(each.name for each in work.directory.iterdir()) == [
        ".batchd",
        ".journal",
        "chunk-000001.json",
        "rejected-000001.json",
    ]


def test_a_page_of_rejected_records_only_has_an_empty_chunk(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path, "a,b\n1\n2\n")
    work.work()
    assert (work.directory / "chunk-000001.json").read_bytes() == b"[]\n"
    assert work.finish().counts.rejected == 2
    assert verify(work.directory, source=work.source).ok


def test_a_page_with_rows_missing_is_not_saved(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    page = work.pages[0]
    assert work.save(page).file is None
    work.enrich(page)
    part = work.directory / ".part-000001"
    part.write_bytes(part.read_bytes()[:-10])
    assert work.save(page).file is None
    assert not (work.directory / "chunk-000001.json").exists()
    work.enrich(page)
    assert work.save(page).file == "chunk-000001.json"


def test_saving_again_adopts_what_was_saved_though_the_rows_are_gone(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    work.enrich(work.pages[0])
    first = work.save(work.pages[0])
    before = (work.directory / "chunk-000001.json").stat()
    assert work.save(work.pages[0]) == first
    assert (work.directory / "chunk-000001.json").stat().st_ino == before.st_ino
    with work.open() as folder:
        saved = already_saved(folder, work.pages[0])
        assert saved is not None
        assert saved.result() == first
        assert already_saved(folder, work.pages[1]) is None


def test_the_order_in_which_rows_finish_does_not_change_a_byte(tmp_path: Path) -> None:
    contents = []
    for name, reverse in (("forth", False), ("back", True)):
        (tmp_path / name).mkdir()
        work = FinishedWork(tmp_path / name)
        for page in sorted(work.pages, key=lambda each: each.number, reverse=reverse):
            work.enrich(page)
            part = work.directory / f".part-{page.number:06d}"
            lines = part.read_bytes().splitlines(keepends=True)
            part.write_bytes(b"".join(reversed(lines) if reverse else lines))
            work.save(page)
        contents.append([(work.directory / f"chunk-{number:06d}.json").read_bytes() for number in (1, 2, 3)])
    assert contents[0] == contents[1]


@pytest.mark.parametrize("harm", ["torn", "emptied", "flipped", "deleted", "rejected deleted", "symlink"])
def test_a_chunk_that_no_longer_is_what_was_saved_is_made_again(tmp_path: Path, harm: str) -> None:
    work = FinishedWork(tmp_path)
    work.enrich(work.pages[0])
    first = work.save(work.pages[0])
    chunk = work.directory / "chunk-000001.json"
    good = chunk.read_bytes()
    damage(work.directory, harm)

    assert work.save(work.pages[0]).file is None
    work.enrich(work.pages[0])
    assert work.save(work.pages[0]) == first
    assert chunk.read_bytes() == good
    assert not chunk.is_symlink()


def damage(directory: Path, harm: str) -> None:
    chunk = directory / "chunk-000001.json"
    content = chunk.read_bytes()
    if harm == "torn":
        chunk.write_bytes(content[:-20])
    elif harm == "emptied":
        chunk.write_bytes(b"")
    elif harm == "flipped":
        chunk.write_bytes(content[:30] + bytes([content[30] ^ 1]) + content[31:])
    elif harm == "deleted":
        chunk.unlink()
    elif harm == "symlink":
        chunk.rename(directory.parent / "elsewhere")
        chunk.symlink_to(directory.parent / "elsewhere")
    else:
        (directory / "rejected-000001.json").unlink()


def test_a_chunk_of_an_attempt_that_was_never_journalled_is_replaced_where_it_differs(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    work.enrich(work.pages[0])
    (work.directory / "chunk-000001.json").write_bytes(b"[\ntorn")
    assert work.save(work.pages[0]).file == "chunk-000001.json"
    assert len(json.loads((work.directory / "chunk-000001.json").read_bytes())) == 2


@pytest.mark.parametrize("generation", [1, 2])
def test_a_late_attempt_at_a_page_of_a_batch_that_was_finished_meanwhile_leaves_nothing_behind(
    tmp_path: Path, generation: int
) -> None:
    """It stands still at each step in turn, while another worker does all that is left."""
    for step in count(1):
        work = FinishedWork(tmp_path / str(step))
        if generation == 1:
            work.enrich(work.pages[0])
        else:
            work.run()
        passes = count(1)

        def stands_still(_: str, work: FinishedWork = work, passes: Iterator[int] = passes, step: int = step) -> None:
            if next(passes) == step:
                work.run() if generation == 1 else work.retry()

        with watched(stands_still), suppress(TransientError):
            work.save(work.pages[0]) if generation == 1 else work.retry_page(1)
        if next(passes) <= step:
            break
        assert [each.name for each in work.directory.iterdir() if each.name.startswith(".")] == [], f"at step {step}"
        assert verify(work.directory, source=work.source).ok
    assert step > 10, "every step has a failpoint"


def test_a_torn_journal_costs_the_torn_entry_only(tmp_path: Path) -> None:
    work = FinishedWork(tmp_path)
    work.work()
    journal = work.directory / ".journal"
    journal.write_bytes(journal.read_bytes()[:-30])
    with work.open() as folder:
        assert sorted(entries(folder)) == [1, 2]
    assert work.finish().damaged[0].number == 3
    work.run()
    assert verify(work.directory, source=work.source).ok


@pytest.mark.parametrize("job", ["whole", "retried"])
def test_killed_at_any_step_the_result_is_the_same(tmp_path: Path, job: str) -> None:
    script = str(TESTS / "support" / "finished_work.py")
    done = subprocess.run([sys.executable, script, job, str(tmp_path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 90, "every step has a failpoint"
    results = set()
    for folder in sorted(tmp_path.glob("*/out/batch-*")):
        files = {each.name: each.read_bytes() for each in folder.iterdir()}
        assert not [name for name in files if name.startswith(".")]
        results.add(tuple(sorted(files.items())))
    assert len(results) == 1, "bytes and names are the same whenever it was killed"
    verdict = verify(next(tmp_path.glob("001/out/batch-*")), source=tmp_path / "001" / "users.csv")
    assert verdict.ok, verdict.failed()
