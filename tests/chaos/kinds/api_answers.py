"""What an API can answer, or not: the mock API is told to, for some of the next calls."""

from __future__ import annotations

import json
from collections.abc import Iterator

from installation import api

from chaos.site import Site


def api_answers(site: Site) -> None:
    """Give the next calls another answer. A line is what `POST /faults` of the mock API takes."""
    for role in ("daemon", "worker"):
        site.start(role)
    for fault in site.segment.faults:
        site.in_mid_batch(fault)
        answered = json.loads(fault.line)
        # Each call that failed is made again, and beside it a row that had an answer, to tell an outage from a bad row.
        site.strike(fault, may_repeat=2 * answered["calls"])
        api(site.api, "/faults", answered)
        site.until(lambda: not api(site.api, "/faults")["active"] or site.drops.at_rest(), "the fault has been met", 60)
        api(site.api, "/faults", method="DELETE")


def lines() -> Iterator[str]:
    """Yield every answer that is tried."""
    for calls in (1, 4, 12):
        for status in (429, 500, 502, 503, 504):
            yield json.dumps({"kind": "status", "status": status, "calls": calls})
        for kind in ("drop", "rubbish", "drip", "hang"):
            yield json.dumps({"kind": kind, "calls": calls})
    for status in (204, 301, 308, 400, 401, 403, 404, 405, 409, 422):
        yield json.dumps({"kind": "status", "status": status, "calls": 1})
    for status in (429, 503):
        for after in ("1", "0", "-5", "soon", 0.5, "Wed, 21 Oct 2015 07:28:00 GMT"):
            yield json.dumps({"kind": "status", "status": status, "calls": 2, "retry_after": after})
