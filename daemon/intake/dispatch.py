"""Claimed files on their way to a started workflow: a few at a time, again and again until Temporal answers."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import deque
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal, Protocol

from activities.disk.failpoints import failpoint
from activities.registry.control_states import control_states_beside
from activities.registry.receipts import Receipt, Receipts
from activities.registry.timestamps import moment_of, now_text
from activities.tally import Tally
from activities.workspace import PROCESSING
from daemon.config.settings import Settings
from daemon.intake.attempts import Postponed, Started
from workflows.contract import steps_are_local
from workflows.errors import BatchdError, StartRefused, TemporalUnreachable
from workflows.models import Mode
from workflows.state import BatchRequest, BatchState

Outcome = Literal["running", "completed", "failed", "cancelled", "terminated", "timed_out", "unknown"]

MOST_PENDING = 256
"""Claims run ahead of starts by this many; the other files wait in the inbox, where a sender can still see them."""

RETRY_S = 2.0

logger = logging.getLogger(__name__)


class Starter(Protocol):
    """Starts workflows and knows what became of them.

    Both methods raise TemporalUnreachable, and StartRefused where the answer is about the one batch.
    """

    async def start(self, request: BatchRequest, mode: Mode) -> Literal["started", "exists"]:
        """Start the workflow of a batch, once for ever; calling again is safe and says `exists`."""

    async def outcome(self, batch_id: str) -> Outcome:
        """Return what Temporal knows of a batch."""


class Launches:
    """The batches to be started. Lives in one event loop."""

    def __init__(
        self,
        settings: Settings,
        receipts: Receipts,
        starter: Starter,
        on_room: Callable[[], None],
        *,
        tally: Tally,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._control_states = control_states_beside(receipts)
        self._starter = starter
        self._on_room = on_room
        self._pending: deque[Receipt] = deque()
        self._tally = tally
        self._clock = clock
        self._postponed = Postponed(clock)
        self._waiting_since_s: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = Started(receipts)
        self._unreachable = False
        self.unseen: set[str] = set()
        """Batches started since the last scan looked at what is claimed; it takes out those that it was to see."""

    def __contains__(self, batch_id: str) -> bool:
        return batch_id in self._waiting_since_s or batch_id in self._started

    def __len__(self) -> int:
        return len(self._waiting_since_s)

    @property
    def ids(self) -> AbstractSet[str]:
        """The batches that are claimed and not started yet."""
        return self._waiting_since_s.keys()

    @property
    def waiting_since_s(self) -> float | None:
        """When the file of these that was dropped first was first seen, by the clock; None where there is none."""
        return min(self._waiting_since_s.values(), default=None)

    @property
    def retry_in_s(self) -> float | None:
        """Seconds after which `retry` should be called; None where nothing waits for it."""
        return RETRY_S if self._unreachable and self._waiting_since_s else self._postponed.next_in_s

    @property
    def tasks(self) -> set[asyncio.Task[None]]:
        """What is running now."""
        return self._tasks | self._started.tasks

    def has_room(self) -> bool:
        """True if more files may be claimed. Batches that cannot be started for their own fault hold up none."""
        return len(self) - len(self._postponed) < MOST_PENDING

    def add(self, receipt: Receipt) -> None:
        """Start the workflow of a batch as soon as may be."""
        if receipt.id not in self:
            self._waiting_since_s[receipt.id] = self._clock() - (_age_s(receipt.source.first_seen_at) or 0.0)
            self._pending.append(receipt)
            self._run_more()

    def retry(self) -> None:
        """Try again what did not work. While Temporal is silent, a single call asks whether it is back."""
        self._pending.extend(self._postponed.take_due())
        self._run_more(probing=True)
        self._started.note_due()

    def _run_more(self, *, probing: bool = False) -> None:
        most = self._settings.starts_in_flight
        if self._unreachable:
            most = 1 if probing else 0
        for _ in range(min(most - len(self._tasks), len(self._pending))):
            task = asyncio.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _work(self) -> None:
        while self._pending:
            receipt = self._pending.popleft()
            try:
                if receipt.reason and not await self._is_still_claimed(receipt):
                    self._forget(receipt.id)
                    continue
                await self._start(receipt)
            except TemporalUnreachable as error:
                self._pending.append(receipt)  # another one asks next, so that none can keep all from being started
                self._note_silence(error)
                return
            except BatchdError as error:
                if isinstance(error, StartRefused):
                    self._note_answer()
                await self._postpone(receipt, error)
            except Exception as error:
                logger.exception("batch.start_failed", extra={"fields": {"id": receipt.id}})
                await self._postpone(receipt, error)
            else:
                self._forget(receipt.id)

    async def _start(self, receipt: Receipt) -> None:
        # Set before Temporal lost the run: a batch that was paused begins paused.
        control = await asyncio.to_thread(self._control_states.read, receipt.id)
        terms = receipt.terms or self._settings.terms()
        request = BatchRequest(
            id=receipt.id,
            source=receipt.source,
            identity=receipt.identity,
            shape=terms.shape,
            feed=terms.feed,
            api=terms.api,
            config_sha256=terms.config_sha256,
            schema=terms.schema,
            local_steps=steps_are_local(receipt.source.size_bytes),
            steps_together=True,
            state=BatchState.begun_with(control),
        )
        failpoint("launch.begun")
        how = await self._starter.start(request, receipt.mode)
        failpoint("launch.started")
        self._note_answer()
        delay_s = _age_s(receipt.source.stable_at)
        if how == "started" and delay_s is not None and not receipt.started_at:
            self._tally.count_start(delay_s)
        running = replace(
            receipt, state="running", started_at=receipt.started_at or now_text(), reason="", error_type=""
        )
        self._started.add(running)
        self.unseen.add(receipt.id)
        if receipt.reason:
            await self._started.note([running])
        # "exists" is a start whose reply was lost, or one of ours before a restart: never a failure.
        logger.info("batch.started", extra={"fields": {"id": receipt.id, "mode": receipt.mode, "how": how}})

    async def _postpone(self, receipt: Receipt, error: Exception) -> None:
        """Put a batch off, with the reason in its receipt."""
        why = str(error) or type(error).__name__
        reasoned = replace(receipt, reason=why, error_type=type(error).__name__)
        if self._postponed.add(reasoned, why):
            logger.warning("batch.start_delayed", extra={"fields": {"id": receipt.id, "why": why}})
        if reasoned != receipt:
            await self._started.note([reasoned])
        self._on_room()

    async def _is_still_claimed(self, receipt: Receipt) -> bool:
        """True if nobody has taken the claim of a postponed batch away, as its reason may have asked for."""
        claimed = self._settings.inbox.absolute() / PROCESSING / receipt.id
        there = await asyncio.to_thread(os.path.lexists, claimed)
        if not there:
            logger.warning("batch.start_given_up", extra={"fields": {"id": receipt.id, "why": f"{claimed} is gone"}})
        return there

    def _forget(self, batch_id: str) -> None:
        self._waiting_since_s.pop(batch_id, None)
        self._postponed.forget(batch_id)
        self._on_room()

    def _note_silence(self, error: TemporalUnreachable) -> None:
        if not self._unreachable:
            self._unreachable = True
            fields = {"why": str(error), "waiting": len(self)}
            logger.warning("temporal.unreachable", extra={"fields": fields})

    def _note_answer(self) -> None:
        if self._unreachable:
            self._unreachable = False
            logger.info("temporal.reachable", extra={"fields": {"waiting": len(self)}})
            self._run_more()


def _age_s(moment: str) -> float | None:
    """Return how long ago a moment was, at least 0; None where it was not recorded."""
    then = moment_of(moment)
    return max(0.0, (datetime.now(tz=UTC) - then).total_seconds()) if then else None
