"""Which batch is meant: an id, `batch-<id>`, a unique beginning of either, or a file name (its latest batch).

The receipts of the state folder know every batch of this host. Where they know nothing, the output root and then
Temporal are asked, so that batchctl also works from elsewhere.
"""

from __future__ import annotations

import contextlib
import re

from daemon.batchctl.exit_codes import NoSuchBatch
from daemon.batchctl.state.session import Session
from daemon.config.nearest_name import nearest
from workflows.errors import InvalidBatchId, TemporalUnreachable, TransientError, shortened
from workflows.ids import checked_id, slug

MAX_CANDIDATES = 10
MOST_COMPARED = 2_000
"""Batches among which one is looked for that may have been meant: to compare more takes seconds."""
PREFIX = "batch-"
_BEGINNING = re.compile(r"[a-z0-9-]{1,80}")


async def resolved(session: Session, name: str) -> str:
    """Return the id of the batch that `name` means.

    Raises:
        NoSuchBatch: none is meant, or more than one; the message lists the candidates.
        TemporalUnreachable: nothing here knows it, and Temporal does not answer.
    """
    here = resolved_here(session, name)
    if here:
        return here
    beginning = name.removeprefix(PREFIX)
    if _BEGINNING.fullmatch(beginning) is None:
        raise no_such_batch(session, name)
    try:
        return _only_one(session, name, await _known_to_temporal(session, name, beginning))
    except TemporalUnreachable as error:
        from daemon.temporal.outside_server import outside_server  # noqa: PLC0415 - loads Temporal's SDK

        if outside_server() is None:
            # The embedded server knows no batch that has no receipt here.
            raise no_such_batch(session, name) from error
        raise


async def _known_to_temporal(session: Session, name: str, beginning: str) -> list[str]:
    live = await session.live()
    identity = full_id(name)
    if identity:
        return [identity] if await live.run_of(identity) else []
    return await live.ids_beginning_with(PREFIX + beginning, MAX_CANDIDATES + 1)


def resolved_here(session: Session, name: str) -> str | None:
    """Return the id of the batch that `name` means by the receipts and the output root, None where they know none.

    Raises:
        NoSuchBatch: more than one is meant.
    """
    found = session.candidates(name, most=MAX_CANDIDATES + 1)
    if found:
        return _only_one(session, name, [each.id for each in found])
    identity = full_id(name)
    if identity and session.feed is None and session.output_dir(identity).is_dir():
        return identity
    return None


def offline(session: Session, name: str) -> str:
    """Return the id of the batch that `name` means without asking Temporal.

    Raises:
        NoSuchBatch: none is meant, or more than one.
    """
    here = resolved_here(session, name)
    if here is None:
        raise no_such_batch(session, name)
    return here


def full_id(name: str) -> str | None:
    """Return the id in `name` where that is `batch-<id>` or a whole id."""
    for candidate in (name.removeprefix(PREFIX), name):
        with contextlib.suppress(InvalidBatchId):
            return checked_id(candidate)
    return None


def no_such_batch(session: Session, name: str) -> NoSuchBatch:
    """Return the error that says where a batch was looked for, and what to try."""
    quoted = shortened(ascii(name), 120)
    state_dir = session.service.state_dir.absolute()
    if not state_dir.is_dir():
        return NoSuchBatch(
            f"no batch {quoted}: no batchd has ever run here, there is no state folder {state_dir}; go to the folder "
            "of batchd, or set BATCH_STATE_DIR"
        )
    return NoSuchBatch(
        f"no batch {quoted}; {_meant(session, name)}"
        "'batchctl list --all' shows what there is, 'batchctl explain FILE' why"
    )


def _meant(session: Session, name: str) -> str:
    """Return the question whether another batch was meant; empty where none is near, and among those of one feed."""
    ids = session.receipts.ids()[:MOST_COMPARED] if session.feed is None else []
    beginning = name.removeprefix(PREFIX)
    if full_id(name):
        close = nearest(beginning, ids)
        return f"did you mean {close}? " if close else ""
    latest: dict[str, str] = {}
    for each in ids:
        latest.setdefault(each.rpartition("-")[0], each)
    close = nearest(slug(beginning), latest)
    with contextlib.suppress(InvalidBatchId, TransientError):  # it is only a hint
        receipt = session.receipts.read(latest[close]) if close else None
        return f"did you mean {shortened(ascii(receipt.source.name), 120)} ({receipt.id})? " if receipt else ""
    return ""


def _only_one(session: Session, name: str, ids: list[str]) -> str:
    if len(ids) == 1:
        return ids[0]
    if not ids:
        raise no_such_batch(session, name)
    candidates = ", ".join(ids[:MAX_CANDIDATES]) + (" and more" if len(ids) > MAX_CANDIDATES else "")
    raise NoSuchBatch(f"{shortened(ascii(name), 120)} could be {candidates}; give more of it")
