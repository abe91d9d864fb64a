from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.disk.checked_lines import line, payload
from activities.output.call_stats import bucket, call_stats, percentile_ms
from activities.output.output_folder import OutputFolder
from activities.output.row_log import DurableRow, RowLog
from workflows.models import CallStats, Tolerated

ID = "users-0123456789ab"
NAME = ".part-000001"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[OutputFolder]:
    with OutputFolder.open(tmp_path, ID, create=True) as opened:
        yield opened


def row(number: int, element: bytes = b"{}", kind: str = "E", statuses: tuple[str, ...] = ("200",)) -> DurableRow:
    error = "" if kind == "E" else "http_500"
    return DurableRow(number, kind, error, statuses, 12.5, element)  # type: ignore[arg-type]


def test_rows_are_read_in_row_order_whatever_the_order_they_finished_in(folder: OutputFolder) -> None:
    rows = [row(3, b'{"a":"\xc3\xab"}'), row(1, kind="F", statuses=("500", "timeout")), row(2, b"{}", "R", ())]
    with RowLog.open(folder, 1) as part:
        part.append(rows[:1])
        part.append(rows[1:])
        assert part.done == {1, 2, 3}
        assert list(part) == [rows[1], rows[2], rows[0]]
    with RowLog.open(folder, 1) as again:
        assert again.done == {1, 2, 3}
        assert list(again) == [rows[1], rows[2], rows[0]]


def test_a_row_is_on_disk_when_append_returns(folder: OutputFolder) -> None:
    with RowLog.open(folder, 1) as part:
        part.append([row(1)])
        assert (folder.path / NAME).stat().st_size > 0
        part.sync()


def test_the_first_answer_for_a_row_stays(folder: OutputFolder) -> None:
    with RowLog.open(folder, 1) as part, RowLog.open(folder, 1) as zombie:
        part.append([row(1, b'{"first":1}')])
        zombie.append([row(1, b'{"second":1}')])
        assert [each.element for each in part] == [b'{"first":1}']


def test_what_reading_tolerated_is_kept_once_and_is_no_row(folder: OutputFolder) -> None:
    found = Tolerated(blank_lines=3, bare_quotes=70_000)
    with RowLog.open(folder, 1) as part:
        assert part.tolerated is None
        part.append([row(1)])
        part.keep_tolerated(found)
        part.append([row(2)])
    content = (folder.path / NAME).read_bytes()
    with RowLog.open(folder, 1) as again:
        assert (again.tolerated, again.done, len(list(again))) == (found, {1, 2}, 2)
        again.keep_tolerated(found)
    assert (folder.path / NAME).read_bytes() == content


def test_where_nothing_says_what_reading_tolerated_it_is_unknown_and_not_none_at_all(folder: OutputFolder) -> None:
    with RowLog.open(folder, 1) as part:
        part.keep_tolerated(Tolerated())
    with RowLog.open(folder, 1) as again:
        assert again.tolerated == Tolerated()
    (folder.path / NAME).write_bytes((folder.path / NAME).read_bytes()[:-3])
    with RowLog.open(folder, 1) as torn:
        assert torn.tolerated is None


def test_each_generation_has_its_own_part_file(folder: OutputFolder) -> None:
    with RowLog.open(folder, 1) as first, RowLog.open(folder, 1, 2) as second:
        first.append([row(1)])
        assert list(second) == []
    assert folder.names() == [".batchd", NAME, f"{NAME}-g2"]


def test_a_page_that_was_never_begun_has_no_part_file(folder: OutputFolder) -> None:
    assert RowLog.existing(folder, 1) is None
    assert folder.names() == [".batchd"]


def test_a_tail_torn_anywhere_costs_the_torn_row_only(folder: OutputFolder) -> None:
    with RowLog.open(folder, 1) as part:
        part.append([row(1), row(2)])
    path = folder.path / NAME
    whole = path.read_bytes()
    second = whole.index(b"\n") + 1
    for cut in range(second, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with RowLog.open(folder, 1) as part:
            assert part.done == {1}
            part.append([row(3)])
            assert [each.row for each in part] == [1, 3]


@settings(max_examples=60, deadline=None)
@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_costs_at_most_the_rows_it_touches(
    tmp_path_factory: pytest.TempPathFactory, position: int, bit: int
) -> None:
    with OutputFolder.open(tmp_path_factory.mktemp("flip"), ID, create=True) as folder:
        with RowLog.open(folder, 1) as part:
            part.append([row(number, b'{"n":%d}' % number) for number in range(1, 6)])
            before = list(part)
        path = folder.path / NAME
        content = bytearray(path.read_bytes())
        content[position % len(content)] ^= 1 << bit
        path.write_bytes(content)
        with RowLog.open(folder, 1) as part:
            after = list(part)
    assert all(each in before for each in after)
    assert len(after) >= 3, "a line feed that is lost joins two rows"


def test_rubbish_between_rows_is_ignored(folder: OutputFolder) -> None:
    with RowLog.open(folder, 1) as part:
        part.append([row(1)])
    with (folder.path / NAME).open("ab") as file:
        file.write(b"\n\nrubbish\n" + b"\x00" * 300_000 + b"\n" + line(b"")[:-1])
    with RowLog.open(folder, 1) as part:
        part.append([row(2)])
        assert [each.row for each in part] == [1, 2]


def test_two_attempts_may_append_at_once(folder: OutputFolder) -> None:
    def write(numbers: range) -> None:
        with RowLog.open(folder, 1) as part:
            for number in numbers:
                part.append([row(number, b"x" * number)])

    writers = [threading.Thread(target=write, args=(range(start, 600, 3),)) for start in (1, 2, 3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with RowLog.open(folder, 1) as part:
        assert [(each.row, len(each.element)) for each in part] == [(number, number) for number in range(1, 600)]


def test_what_would_break_a_line_is_refused(folder: OutputFolder) -> None:
    with RowLog.open(folder, 1) as part:
        for element in (b"{\n}", b"{\t}"):
            with pytest.raises(ValueError, match="row 1"):
                part.append([row(1, element)])
        assert part.done == set()


@given(st.binary().filter(lambda each: b"\n" not in each))
def test_a_line_gives_back_its_payload_and_no_prefix_of_it_does(content: bytes) -> None:
    whole = line(content)[:-1]
    assert payload(whole) == content
    assert all(payload(whole[:cut]) is None for cut in range(len(whole)))


def test_a_tally_counts_calls_retries_statuses_and_successful_latencies() -> None:
    rows = [row(1), row(2, kind="F", statuses=("500", "timeout", "500")), row(3, kind="R", statuses=())]
    assert call_stats(rows) == CallStats(
        calls=4, retries=2, by_status={"200": 1, "500": 2, "timeout": 1}, latency_ms={str(bucket(12.5)): 1}
    )


def test_tallies_of_two_halves_add_up_to_the_whole() -> None:
    rows = [row(number, statuses=("500",) * (number % 3) + ("200",)) for number in range(1, 20)]
    assert call_stats(rows[:7]).plus(call_stats(rows[7:])) == call_stats(rows)


@given(st.floats(0, 3_600_000))
def test_a_bucket_is_narrow(latency_ms: float) -> None:
    key = bucket(latency_ms)
    assert key == math.floor(8 * math.log2(latency_ms + 1))
    assert 0 <= key < 180


@given(st.lists(st.floats(0.5, 60_000), min_size=1, max_size=200), st.sampled_from([50, 95, 99]))
def test_a_percentile_is_within_a_bucket_of_the_exact_one(latencies: list[float], percent: int) -> None:
    stats = call_stats([DurableRow(1, "E", "", ("200",), each, b"{}") for each in latencies])
    exact = sorted(latencies)[math.ceil(len(latencies) * percent / 100) - 1]
    reported = percentile_ms(stats, percent)
    assert reported is not None
    assert (exact + 1) / 1.1 - 0.1 <= reported + 1 <= (exact + 1) * 1.1 + 0.1


def test_without_calls_there_is_no_percentile() -> None:
    assert percentile_ms(CallStats(), 50) is None
