"""batchctl in windows of every width: numbers and states whole, names cut in the middle, nothing hidden unsaid."""

from __future__ import annotations

import re

import pytest
from batchctl_runner import BatchctlRunner
from rich.cells import cell_len
from terminal_window import in_window

from activities.registry.receipts import Receipt
from daemon.batchctl.console.table import Column, cut_middle, fitted
from workflows.models import Source

LONG = "a-very-long-name-of-a-file-" + "x" * 200 + ".csv"


def long_one(runner: BatchctlRunner) -> Receipt:
    source = Source(file=LONG, name=LONG, size_bytes=1_400_000, mtime_ns=0, inode=1, sha256="5" * 64)
    return runner.completed(id=f"{'a-very-long-name-of-a-file-xxxxxxxxxxxxxxx'[:40]}-111111111111", source=source)


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_one_long_name_cuts_no_number_and_no_state_of_any_row(runner: BatchctlRunner, columns: int) -> None:
    long_one(runner)
    runner.completed("users.csv", id="users-222222222222")
    runner.completed("users.csv", id="users-333333333333", state="failed", reason="torn")
    code, lines, _ = in_window(columns, "list")
    assert code == 0
    assert max(map(cell_len, lines)) <= columns
    rows = {each.split()[0][-12:]: each for each in lines if re.search(r"\d{12}", each)}
    assert set(rows) == {"111111111111", "222222222222", "333333333333"}
    for row in (rows["111111111111"], rows["222222222222"]):
        assert " completed " in row
        assert " 100 %" in row
        assert " 100 " in row
    assert " failed " in rows["333333333333"]
    assert "…" in rows["111111111111"]
    if columns >= 80:
        assert re.search(r"a-.*….*\.csv", rows["111111111111"].partition("111111111111")[2])


def test_columns_that_have_no_room_are_named(runner: BatchctlRunner) -> None:
    long_one(runner)
    assert "60 columns have no room for FILE, SIZE, REJECTED, STARTED; widen the window" in in_window(60, "list")[2]
    assert in_window(200, "list")[2] == ""


def test_list_says_how_many_batches_it_does_not_show_and_how_to_see_them(runner: BatchctlRunner) -> None:
    for number in range(60):
        runner.completed(id=f"users-{number:012x}", state="completed" if number % 2 else "failed", reason="torn")
    answer = runner.run("list")
    assert len(answer.out.splitlines()) == 51
    assert answer.err == "batchctl: 10 of 60 batches are not shown, the oldest; '--limit 0' shows all\n"
    failed = runner.run("list", "--state", "failed", "--limit", "5", "--json")
    assert "25 of 30 batches are not shown" in failed.err
    everything = runner.run("list", "--limit", "0")
    assert (len(everything.out.splitlines()), everything.err) == (61, "")


@pytest.mark.parametrize("columns", [40, 60, 120])
def test_watch_never_cuts_the_share_done_nor_the_state(runner: BatchctlRunner, columns: int) -> None:
    receipt = long_one(runner)
    _, lines, _ = in_window(columns, "watch", receipt.id)
    row = [each for each in lines if "111111111111" in each]
    assert row
    assert all("100.0 %" in each and "completed" in each for each in row[1:]), row
    assert max(map(cell_len, lines)) <= columns


def test_what_to_do_is_wrapped_and_never_cut(runner: BatchctlRunner) -> None:
    runner.set(BATCH_INBOX=runner.inbox / "none")
    _, lines, _ = in_window(60, "doctor")
    assert "start batchd here once, or set BATCH_INBOX" in " ".join(" ".join(lines).split())
    assert max(map(cell_len, lines)) <= 60


def test_a_name_is_cut_in_the_middle_and_counts_wide_characters_twice() -> None:
    assert cut_middle("users.csv", 9) == "users.csv"
    assert cut_middle("a-very-long-name.csv", 13) == "a-very…me.csv"
    assert cut_middle("users-of-the-world-111111111111", 17, tail=13) == "use…-111111111111"
    assert cell_len(cut_middle("顧客リスト顧客リスト.csv", 12)) <= 12


def test_the_columns_that_matter_least_go_first_and_names_before_sentences() -> None:
    columns = [
        Column(heading="A", kind="name", least=4),
        Column(heading="B", left_out=2),
        Column(heading="C", left_out=1),
        Column(heading="D", kind="sentence"),
    ]
    widths = [20, 10, 10, 100]
    assert fitted(columns, widths, 200) == {0: 20, 1: 10, 2: 10, 3: 100}
    assert fitted(columns, widths, 60) == {0: 10, 1: 10, 2: 10, 3: 24}
    assert fitted(columns, widths, 50) == {0: 12, 1: 10, 3: 24}
    assert fitted(columns, widths, 32) == {0: 6, 3: 24}
