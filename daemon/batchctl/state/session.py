"""What every command works with: the settings, the receipts, and Temporal where it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from activities.registry.control_states import ControlStates
from activities.registry.receipts import Receipt, Receipts
from daemon.batchctl.state.batch_view import ENDED, BatchView, merged
from daemon.batchctl.state.loaders import from_chunks, from_output, from_registry
from daemon.config.settings import Settings
from workflows.errors import SettingsError, TemporalUnreachable
from workflows.ids import workflow_id

if TYPE_CHECKING:
    from daemon.batchctl.state.live import LiveBatches

ASKED_AT_ONCE = 8

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Session:
    """One per command. It connects to Temporal on the first question that needs it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.receipts = Receipts(settings.state_dir)
        self.control_states = ControlStates(settings.state_dir)
        self._live: LiveBatches | None = None

    async def live(self) -> LiveBatches:
        """Return Temporal's view of batches.

        Raises:
            TemporalUnreachable: nobody answers.
        """
        from daemon.batchctl.state.live import LiveBatches  # noqa: PLC0415 - loads Temporal's SDK, where it is asked

        if self._live is None:
            self._live = await LiveBatches.connected(self.settings)
        return self._live

    def refuse_where_none_ever_ran(self) -> None:
        """Check that a batchd has run with this state folder: elsewhere, an empty answer would be a wrong one.

        Raises:
            SettingsError: none has; the message says which folders the settings mean.
        """
        state_dir, inbox = self.settings.state_dir.absolute(), self.settings.inbox.absolute()
        if not state_dir.is_dir():
            raise SettingsError(
                f"no batchd has ever run here: there is no state folder {state_dir} (inbox: {inbox}); go to "
                "the folder of batchd, or set BATCH_STATE_DIR and BATCH_INBOX as batchd has them"
            )

    def output_dir(self, batch_id: str, receipt: Receipt | None = None) -> Path:
        """Return where the output of a batch is, or will be."""
        if receipt and receipt.output_dir:
            return Path(receipt.output_dir)
        return self.settings.output_root.absolute() / workflow_id(batch_id)

    async def view(self, batch_id: str) -> BatchView:
        """Return the state of a batch from all that know of it.

        Raises:
            OutputRefused: its newest manifest is damaged.
            TemporalUnreachable: the batch has not ended as far as is known here, and Temporal does not answer.
        """
        receipt = self.receipts.read(batch_id)
        output_dir = self.output_dir(batch_id, receipt)
        if receipt and receipt.started_elsewhere:
            # What Temporal has under this id, and any result of it, is another installation's.
            return self.view_of_receipt(receipt)
        manifest = from_output(output_dir)
        if receipt and receipt.ended:
            return self.view_of_receipt(receipt, manifest=manifest)
        try:
            return await self._live_view(batch_id)
        except TemporalUnreachable:
            if manifest is None:
                raise
            return merged(batch_id, output_dir, {"registry": from_registry(receipt), "manifest": manifest})

    def view_of_receipt(
        self, receipt: Receipt, *, manifest: BatchView | None = None, no_server: bool = False
    ) -> BatchView:
        """Return the state of a batch without Temporal; `no_server` where that was asked in vain.

        The saved chunks are read only where neither receipt nor manifest has it all: a list must stay cheap.
        """
        output_dir = self.output_dir(receipt.id, receipt)
        says_all = manifest or (receipt.state == "completed" and receipt.counts)
        return merged(
            receipt.id,
            output_dir,
            {
                "registry": from_registry(receipt),
                "manifest": manifest,
                "chunks": None if says_all else from_chunks(output_dir),
            },
            no_server=no_server,
        )

    async def _live_view(self, batch_id: str) -> BatchView:
        live = await self.live()
        server = await live.run_of(batch_id)
        workflow = await live.progress(batch_id, patient=server.heartbeat) if server and server.running else None
        if server and not server.running:
            server = await live.with_end(server, batch_id)
        # Read after Temporal was asked: a batch that ended in between has left both.
        receipt = self.receipts.read(batch_id)
        output_dir = self.output_dir(batch_id, receipt)
        working = server is not None and server.running and not (workflow and workflow.state in ENDED)
        manifest = None if working else from_output(output_dir)
        return merged(
            batch_id,
            output_dir,
            {
                "registry": from_registry(receipt, None if server else self.control_states.read(batch_id)),
                "server": server,
                "workflow": workflow,
                "manifest": manifest,
                "chunks": None if manifest or workflow else from_chunks(output_dir),
            },
        )


async def ask_each(ask: Callable[[Item], Awaitable[Answer]], items: Iterable[Item]) -> list[Answer]:
    """Return what `ask` answers for each item, in their order; a few are asked at a time."""
    room = asyncio.Semaphore(ASKED_AT_ONCE)

    async def answer(item: Item) -> Answer:
        async with room:
            return await ask(item)

    return await asyncio.gather(*(answer(each) for each in items))
