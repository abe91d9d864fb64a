"""What holds a cell, an answer or a secret does not show it where it is printed: in a traceback, say, or by asyncio."""

from __future__ import annotations

import pytest

from activities.api.options import ApiOptions
from activities.api.replies import Meaning, Reply
from activities.api.rows import CallRow, RowOutcome
from activities.api.transport.base import Answer, Request
from activities.output.row_log import DurableRow

CANARY = "canary"


@pytest.mark.parametrize(
    "held",
    [
        CallRow(1, "users-1", CANARY.encode(), typed={"name": CANARY}),
        RowOutcome(1, {"title": CANARY}, None, ("200",)),
        Reply(Meaning.DONE, "200", "", answer={"title": CANARY}),
        Request(b"GET", f"/?name={CANARY}".encode(), CANARY.encode(), headers=(("Authorization", CANARY),)),
        Answer(200, CANARY.encode(), None, ""),
        ApiOptions(url="http://127.0.0.1/", token=CANARY, headers=(("X-Api-Key", CANARY),), proxy=f"http://{CANARY}@h"),
        DurableRow(row=1, kind="D", error="", statuses=(), latency_ms=0.0, element=CANARY.encode()),
    ],
    ids=lambda held: type(held).__name__,
)
def test_a_cell_an_answer_or_a_secret_is_left_out(held: object) -> None:
    assert CANARY not in repr(held)
