"""What `doctor` can see of batches that wait for a person: their pauses, as they are kept on disk."""

from __future__ import annotations

from collections.abc import Collection

from activities.registry.control_states import control_states_beside
from activities.registry.receipts import Receipts
from daemon.batchctl.checks.findings import Finding, fail, ok, warn
from workflows.errors import TransientError, shortened
from workflows.ids import DEFAULT_FEED
from workflows.models import Pause

CHECK = "pauses"
MAX_REASON_CHARS = 300


def pause_finding(receipts: Receipts, feeds: Collection[str]) -> Finding:
    """Return what batches of these feeds stand still for: what the API refused first, which mends itself by nothing."""
    try:
        pauses = _pauses(receipts, feeds)
    except TransientError as error:
        return warn(CHECK, str(error), "let the user of the service read it")
    refused = {batch: pause for batch, pause in pauses.items() if pause.kind == "refusal"}
    asking = {batch: pause for batch, pause in pauses.items() if pause.kind == "question"}
    if refused:
        return fail(CHECK, f"over a refusal of the API: {_told(refused)}", "mend that, then: batchctl resume --all")
    if asking:
        return warn(
            CHECK, f"over a question: {_told(asking)}", "batchctl list --state paused shows them; resume or cancel each"
        )
    return ok(CHECK, f"by people: {_told(pauses)}" if pauses else "no batch stands still until somebody resumes it")


def _pauses(receipts: Receipts, feeds: Collection[str]) -> dict[str, Pause]:
    """Return the pauses of what has not ended."""
    states, found = control_states_beside(receipts), {}
    for batch in states.ids():
        receipt, state = receipts.read(batch), states.read(batch)
        if receipt is None or receipt.ended or state is None or state.pause is None or state.cancel:
            continue
        feed = receipt.terms.feed if receipt.terms else ""
        if (feed or DEFAULT_FEED) in feeds:
            found[batch] = state.pause
    return found


def _told(pauses: dict[str, Pause]) -> str:
    batch, pause = next(iter(pauses.items()))
    batches = "1 batch" if len(pauses) == 1 else f"{len(pauses):,} batches, such as"
    why = f": {shortened(pause.reason, MAX_REASON_CHARS)}" if pause.reason else ""
    return f"{batches} {batch}{why}"
