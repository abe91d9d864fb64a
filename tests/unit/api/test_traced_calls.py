"""A call that is traced says so to the API, once, and never against what the API's description says of that header."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from described_api import Asked, DescribedApi, described_api

from activities.api.calls.described_calls import ApiAccess, DescribedCalls
from activities.api.calls.posted_rows import PostedRows
from activities.api.calls.traced_calls import TracedCalls
from activities.api.options import ApiOptions
from activities.api.replies import Reply
from activities.api.rows import CallRow, RowCalls
from workflows.api_spec import ApiSpec

HEADER = f"00-{'a' * 32}-{'b' * 16}-01"


@dataclass
class Trace:
    """One trace that all calls with an odd row have."""

    traceparent: str = HEADER
    begun: list[tuple[int, int]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def begin(self, row: int, rows: int) -> Trace | None:
        self.begun.append((row, rows))
        return self if row % 2 else None

    def end(self, status: str) -> None:
        self.ended.append(status)


async def called(calls: RowCalls, trace: Trace, *numbers: int) -> None:
    for number in numbers:
        over: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        row = CallRow(number, f"users-{number}", b'{"id":"1"}')
        TracedCalls(calls, trace).begin_row(row, over.set_result)
        await asyncio.wait_for(over, 20)
        assert row.traceparent == "", "another call of the row is another call"


def headers(api: DescribedApi) -> list[str | None]:
    return [each.headers.get("traceparent") for each in api.asked]


def fails(_: Asked) -> tuple[int, bytes]:
    return 500, b"{}"


@pytest.mark.parametrize("http2", [False, True], ids=["fast", "general"])
async def test_a_posted_row_carries_the_trace_of_its_call_and_ends_it(*, http2: bool) -> None:
    with described_api(fails) as api:
        calls, trace = PostedRows(ApiOptions(url=f"{api.url}/enrich", http2=http2)), Trace()
        await called(calls, trace, 1, 2, 3)
        await calls.aclose()
    assert headers(api) == [HEADER, None, HEADER]
    assert (trace.begun, trace.ended) == ([(1, 1), (2, 1), (3, 1)], ["500", "500"])


async def test_many_rows_in_one_call_are_one_trace() -> None:
    with described_api(fails) as api:
        calls, trace = PostedRows(ApiOptions(url=f"{api.url}/x", bulk_url=f"{api.url}/bulk", bulk_size=2)), Trace()
        over: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        rows = [CallRow(number, f"users-{number}", b"{}") for number in (1, 2)]
        TracedCalls(calls, trace).begin_bulk(rows, lambda reply, _: over.set_result(reply))
        await asyncio.wait_for(over, 20)
        await calls.aclose()
    assert headers(api) == [HEADER]
    assert (trace.begun, trace.ended) == ([(1, 2)], ["500"])


@pytest.mark.parametrize(("own", "carried"), [({}, HEADER), ({"Traceparent": "theirs"}, "theirs")], ids=["none", "own"])
async def test_a_described_call_carries_it_unless_the_description_has_a_header_of_that_name(
    own: dict[str, str], carried: str
) -> None:
    with described_api(lambda _: (200, b"{}")) as api:
        spec = ApiSpec(name="people", method="GET", url=f"{api.url}/people", headers=own)
        calls, trace = DescribedCalls(spec, ApiAccess(ApiOptions(url=""))), Trace()
        await called(calls, trace, 1)
        await calls.aclose()
    assert headers(api) == [carried]
    assert trace.ended == ["200"]
