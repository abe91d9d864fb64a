"""Many rows in one call, for an API that offers it: the body sent, and the answers found in what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from activities.api.replies import Reply
from activities.api.rows import CallRow

OK = 200


def bulk_body(rows: Sequence[CallRow]) -> bytes:
    """Return the body of a bulk call: `{"rows":[{"key":...,"row":{...}}, ...]}`."""
    return b'{"rows":[%b]}' % b",".join(b'{"key":%b,"row":%b}' % (orjson.dumps(row.key), row.body) for row in rows)


def bulk_answers(reply: Reply) -> dict[str, dict[str, Any]]:
    """Return what a bulk call answered, by key, for each row that it has a good answer for."""
    results = (reply.answer or {}).get("results")
    return {
        each["key"]: each["row"]
        for each in (results if isinstance(results, list) else [])
        if isinstance(each, dict)
        and isinstance(each.get("key"), str)
        and each.get("status") == OK
        and isinstance(each.get("row"), dict)
    }
