"""`list` with five hundred batches in a real terminal: every row one line, whatever the file is called."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

import pytest
from batchctl_runner import BatchctlRunner
from installation import BIN
from rich.cells import cell_len
from terminal_screen import TerminalScreen
from wcwidth import wcswidth, wcwidth

from activities.registry.receipts import Receipt
from daemon.batchctl.console.table import cut_middle
from workflows.ids import batch_id, identity_key
from workflows.models import Source

BATCHES = 500
NAMES = [
    "users.csv",
    "顧客リスト" * 20 + ".csv",
    "👩‍👩‍👧‍👦 family.csv",
    "🇩🇪🇫🇷🇮🇹" * 12 + ".csv",
    "❤️👍🏽1️⃣" * 12 + ".csv",
    "مرحبا بالعالم" * 8 + ".csv",
    "e\u0301" * 80 + ".csv",
    "\u202egnp.csv",
    "\x1b[2J\x1b]0;owned\x07.csv",
    "नमस्ते.csv",
    "a" * 240 + ".csv",
]


def five_hundred(runner: BatchctlRunner) -> list[Receipt]:
    """Write the receipts of batches that have ended, one a minute, by the product's own writer; newest first."""
    made = []
    for number in range(BATCHES):
        name, sha256 = NAMES[number % len(NAMES)], f"{number:064x}"
        key = identity_key("name+content", name=name.encode(), sha256=sha256)
        source = Source(file=name, name=name, size_bytes=number, mtime_ns=0, inode=1, sha256=sha256)
        at = f"2026-01-{1 + number // 60:02}T10:{number % 60:02}:00.000+00:00"
        identity = batch_id(name.encode(), key)
        made.append(runner.completed(name, id=identity, source=source, claimed_at=at, started_at=at, finished_at=at))
    return made[::-1]


def listed(columns: int, *arguments: str, **environ: str) -> tuple[list[str], list[str], str]:
    """Return the lines that `list` wrote, those on the screen, and all it wrote with its escape sequences."""
    env: Mapping[str, str] = {**os.environ, **environ}
    with TerminalScreen([BIN / "batchctl", "list", *arguments], columns=columns, rows=BATCHES + 20, env=env) as screen:
        assert screen.ended() == 0
        written = screen.raw.decode()
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written)
        return plain.replace("\r", "").splitlines(), [each for each in screen.lines if each], written


@pytest.mark.parametrize("columns", [60, 200])
def test_each_of_five_hundred_batches_has_one_line_with_its_id_the_newest_first(
    runner: BatchctlRunner, columns: int
) -> None:
    made = five_hundred(runner)
    written, on_screen, _ = listed(columns, "--limit", "0")
    rows = written[1 : BATCHES + 1]
    assert max(map(cell_len, written)) <= columns
    assert len(on_screen) == len(written), "the terminal broke no line"
    for receipt, row in zip(made, rows, strict=True):
        first, _, digits = receipt.id.rpartition("-")
        assert row.split()[0].endswith(f"-{digits}"), "an id may lose its middle, never what tells it from others"
        assert row.startswith(first[:4])
        assert " completed " in row


def test_fifty_are_shown_and_the_rest_is_counted_in_a_sentence_that_breaks_between_words(
    runner: BatchctlRunner,
) -> None:
    five_hundred(runner)
    written, _, _ = listed(60)
    assert sum(" completed " in each for each in written) == 50
    said = " ".join(" ".join(written).split())
    assert "batchctl: 450 of 500 batches are not shown, the oldest; '--limit 0' shows all" in said


@pytest.mark.parametrize("plain", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_colours_and_on_a_dumb_terminal_there_is_no_escape_sequence(
    runner: BatchctlRunner, plain: dict[str, str]
) -> None:
    runner.completed()
    assert "\x1b" in listed(80)[2]
    assert "\x1b" not in listed(80, **plain)[2]
    assert "\x1b" not in runner.run("list").out


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", range(12, 24))
def test_a_cut_name_never_takes_more_cells_than_it_is_given(name: str, width: int) -> None:
    cut = cut_middle(name, width)
    assert wcswidth(cut) <= width, "as a terminal counts that puts them together"
    assert sum(max(wcwidth(each), 0) for each in cut) <= width, "and as one that does not"
