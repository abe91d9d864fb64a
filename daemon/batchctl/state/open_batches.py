"""Every batch that has not ended, and every retry of fallback rows that runs: what a word for all is about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from activities.registry.receipts import Receipt
from daemon.batchctl.settings_in_use import known_name
from daemon.batchctl.state.batch_view import ENDED, NO_WORKER, BatchView
from daemon.batchctl.state.retries import running_retry
from daemon.batchctl.state.session import Session, ask_each
from workflows.errors import OutputRefused
from workflows.models import Pause

Sign = Literal["seen", "kept", "unknown"]
"""How a pause is known: a worker says so, it stands in the state folder, or neither can be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBatch:
    """A batch that has not ended, or its retry, with its pause; `trouble` where its state cannot be read."""

    view: BatchView
    pause: Pause | None = None
    sign: Sign = "seen"
    trouble: str = ""


async def open_batches(session: Session, api: str | None) -> list[OpenBatch]:
    """Return those of the feed that counts and of this API, or of all, the latest claim first; retries behind them.

    Raises:
        SettingsError: no API has this name.
        TemporalUnreachable: it does not answer.
    """
    every = list(session.newest_first())
    if api is not None:
        known_name("API", api, {*session.in_use.apis, *map(session.in_use.api_of, every)})
    counted = [each for each in every if api in {None, session.in_use.api_of(each)}]
    unended = [each for each in counted if not each.ended]
    if not counted:
        return []
    retried = set(await (await session.live()).retried())
    found = await ask_each(lambda each: _batch(session, each), unended)
    found += await ask_each(lambda each: _retry(session, each), (each for each in counted if each.id in retried))
    return [each for each in found if each is not None and each.view.state not in ENDED]


async def _batch(session: Session, receipt: Receipt) -> OpenBatch | None:
    try:
        return _with_pause(session, await session.view(receipt.id))
    except OutputRefused as error:
        return OpenBatch(view=session.view_of_receipt(receipt), sign="unknown", trouble=str(error))


async def _retry(session: Session, receipt: Receipt) -> OpenBatch | None:
    view = await session.view(receipt.id)
    retry = await running_retry(session, view)
    return _with_pause(session, retry) if retry else None


def _with_pause(session: Session, view: BatchView) -> OpenBatch:
    if view.waiting_on != NO_WORKER:
        return OpenBatch(view=view, pause=view.paused)
    if view.suffix:  # nothing of a retry is kept beside its workflow
        return OpenBatch(view=view, sign="unknown", trouble="no worker answers, so a pause of it cannot be seen")
    control = session.control_states.read(view.id)
    return OpenBatch(view=view, pause=control.pause if control else None, sign="kept")


def kinds(batches: Iterable[OpenBatch]) -> dict[str, int]:
    """Return how many of these are paused for what."""
    found = [each.pause.kind for each in batches if each.pause]
    return {kind: found.count(kind) for kind in ("refusal", "question", "person") if kind in found}
