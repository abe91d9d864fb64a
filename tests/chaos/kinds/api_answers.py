"""What an API can answer, or not: the mock API is told to, for some of the next calls."""

from __future__ import annotations

import json
from collections.abc import Iterator

from installation import api

from chaos.site import IN_FLIGHT, Site

MAX_WAIT = "2s"
"""The longest Retry-After that is honoured: one of 1e9 seconds is as long as this."""

AGAIN_WHERE_EMPTY = '{ status = 204, then = "retry" }'
"""A described API enriches a row with nothing by an empty answer, unless a rule says what it means."""

ATTEMPTS = 3
"""A row is called so often; where all are 429, rows that had an answer say whether everybody is turned away."""

ANSWERS_IN_A_ROW = 8
"""So many of these have to be answered, since an API with a limit of its own answers some calls all the same."""

FAR_AWAY = "Fri, 31 Dec 9999 23:59:59 GMT"


def api_answers(site: Site) -> None:
    """Give the next calls another answer. A line is what `POST /faults` of the mock API takes."""
    section = f'url = "{site.api}/enrich"\nconcurrency = {IN_FLIGHT}\ntimeout_s = 1\nmax_wait = "{MAX_WAIT}"\n'
    site.describe(f"[api.mock]\n{section}answer.rules = [{AGAIN_WHERE_EMPTY}]\n")
    for role in ("daemon", "worker"):
        site.start(role)
    for fault in site.segment.faults:
        site.in_mid_batch(fault)
        answered = json.loads(fault.line)
        # Each call that failed is made again, and beside it a row that had an answer, to tell an outage from a bad row.
        asked = ANSWERS_IN_A_ROW if answered.get("status") == 429 and answered["calls"] >= ATTEMPTS else 0
        site.strike(fault, may_repeat=2 * answered["calls"] + asked)
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
        for after in ("1", "0", "-5", "soon", 0.5, "1000000000", "1e9", "Wed, 21 Oct 2015 07:28:00 GMT", FAR_AWAY):
            yield json.dumps({"kind": "status", "status": status, "calls": 2, "retry_after": after})
