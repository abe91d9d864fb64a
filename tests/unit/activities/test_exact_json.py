"""Numbers arrive digit for digit: from an answer over a socket to the chunk, its retry, its export and its proof."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from finished_work import FinishedWork
from hypothesis import given
from hypothesis import strategies as st
from scripted_api import scripted_api

from activities.api.client import ApiOptions, CallRow, EnrichmentClient, PageRows, RowOutcome
from activities.exact_json import loads
from daemon.results.export import export_rows
from daemon.results.verify import verify

HARD = (
    "12345678901234567890123",
    "-9223372036854775809",
    "18446744073709551616",
    "0.1000000000000000055511151231257827",
    "1.10",
    "1e5",
    "1E-7",
    "1e400",
    "-0",
    "-0.0",
)
numbers = st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?", fullmatch=True)


@pytest.mark.parametrize("number", HARD)
@pytest.mark.parametrize("document", ['{"n":%s}', '{"a":{"n":[1,%s]},"t":"1.5"}', "[%s]", '{"a":1,"n": %s }'])
def test_a_number_is_written_as_it_was_read(number: str, document: str) -> None:
    text = document % number
    assert orjson.dumps(loads(text.encode())) == text.replace(" ", "").encode()


@given(st.dictionaries(st.text(max_size=4), numbers, max_size=4), st.text(max_size=8))
def test_any_object_of_numbers_keeps_every_digit(found: dict[str, str], text: str) -> None:
    pairs = [f"{json.dumps(key)}:{number}" for key, number in {**found, "n": "7"}.items()]
    written = orjson.dumps(loads(f"{{{','.join(pairs)},{json.dumps('t')}:{json.dumps(text)}}}".encode()))
    again = json.loads(written, parse_float=str, parse_int=str)
    assert again == {**found, "n": "7", "t": text}


@pytest.mark.parametrize("document", [b"", b"{", b'{"a":NaN,"b":1e400}', b'{"a":"\\ud800","b":1e400}', b'{"a":1.5}x'])
def test_what_is_no_json_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        loads(document)


def test_a_document_too_deep_to_keep_its_numbers_is_refused_and_not_rounded() -> None:
    # Python 3.11 cannot read it so that its numbers are kept; later ones can, and then it cannot be written.
    with pytest.raises((ValueError, TypeError), match=r"nested too deeply|Recursion limit"):
        orjson.dumps(loads(b'{"n":1.10,"deep":%b%b}' % (b"[" * 1_020, b"]" * 1_020)))


def test_a_whole_result_keeps_the_digits_of_its_answers(tmp_path: Path) -> None:
    answer = b'{"balance":12345678901234567890123,"geo":{"lat":1.10,"lon":1e400},"error":"customer not found"}'

    def answers(number: int, _: object) -> tuple[dict[str, Any] | None, str | None]:
        return (None, "http_500") if number == 2 else (loads(answer), None)

    work = FinishedWork(tmp_path)
    work.run(answers)
    work.retry(answer=lambda *_: (loads(answer), None))
    assert verify(work.directory, source=work.source).ok
    for name in ("chunk-000001.json", "chunk-000001-g2.json"):
        line = (work.directory / name).read_bytes().splitlines()[1]
        assert line.startswith(b'{"id":"1","name":"Smith, Anna","country":"US","_row":1,"enriched":true,')
        assert b'"balance":12345678901234567890123,"geo":{"lat":1.10,"lon":1e400}' in line
        assert b'"api_error":"customer not found"' in line
    out = io.BytesIO()
    export_rows(work.directory, out, "csv")
    header, first, *_ = csv.reader(io.StringIO(out.getvalue().decode(), newline=""))
    row = dict(zip(header, first, strict=True))
    assert (row["balance"], row["geo"]) == ("12345678901234567890123", '{"lat":1.10,"lon":1e400}')
    assert row["api_error"] == "customer not found"


@pytest.mark.parametrize("bulk", [False, True], ids=["single", "bulk"])
async def test_an_answer_over_the_wire_keeps_its_digits(bulk: bool) -> None:
    row = b'{"balance":12345678901234567890123}'
    body = b'{"results":[{"key":"users-1","status":200,"row":%b}]}' % row if bulk else row
    kept: list[RowOutcome] = []
    async with scripted_api(lambda *_: 200, body=body) as api:
        options = ApiOptions(url=api.url, bulk_url=api.url if bulk else "", bulk_size=2)
        async with EnrichmentClient(options) as client:
            await client.enrich("users", PageRows([CallRow(1, "users-1", b"{}")]), keep=kept.append)
    assert [orjson.dumps(each.added) for each in kept] == [row]
