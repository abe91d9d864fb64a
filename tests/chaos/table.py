"""`docs/reliability.md`, from the record of a run."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from chaos.catalogue import KINDS
from chaos.mutants.found import FOUND
from chaos.record import Entry
from chaos.site import IN_FLIGHT

TEMPLATE = Path(__file__).with_name("reliability.md")
_COLUMNS = """\
| kind | fault | times | batches | rows | lost | doubled | calls repeated (at most) | seconds to recover: p50, max |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"""


def page(entries: Iterable[Entry]) -> str:
    """Return the page."""
    listed = list(entries)
    rows = [
        _row(f"`{name}` | {kind.title}", [each for each in listed if each["kind"] == name])
        for name, kind in KINDS.items()
    ]
    said = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "seed": ", ".join(sorted({str(each["seed"]) for each in listed})),
        "faults": f"{sum(fault['injected'] for each in listed for fault in each['faults']):,}",
        "sites": str(len(listed)),
        "minutes": f"{sum(each['took_s'] for each in listed) / 60:.0f}",
        "table": "\n".join([_COLUMNS, *filter(None, rows), _row("**all** |", listed)]),
        "in_flight": str(IN_FLIGHT),
        "breakages": FOUND.read_text().strip(),
    }
    return TEMPLATE.read_text().format(**said)


def _row(title: str, entries: list[Entry]) -> str:
    if not entries:
        return ""
    faults = [each for entry in entries for each in entry["faults"] if each["injected"]]
    took = sorted(each["recovered_s"] for each in faults if each["recovered_s"] is not None)
    seconds = f"{statistics.median(took):.1f}, {took[-1]:.1f}" if took else "not measured"
    total = {
        key: sum(each[key] for each in entries) for key in ("batches", "rows", "lost", "doubled", "repeats", "bound")
    }
    counts = f"{total['batches']:,} | {total['rows']:,} | {total['lost']} | {total['doubled']}"
    return f"| {title} | {len(faults):,} | {counts} | {total['repeats']:,} ({total['bound']:,}) | {seconds} |"
