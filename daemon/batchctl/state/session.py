"""What every command works with: the settings, the receipts, and Temporal where it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from activities.registry.control_states import ControlStates
from activities.registry.receipts import Receipt, Receipts
from daemon.batchctl.console.printing import say
from daemon.batchctl.settings_in_use import SettingsInUse, known_name
from daemon.batchctl.state.batch_view import ENDED, BatchView, merged
from daemon.batchctl.state.loaders import from_chunks, from_output, from_registry
from workflows.errors import OutputRefused, SettingsError, TemporalUnreachable
from workflows.ids import workflow_id
from workflows.models import ControlState

if TYPE_CHECKING:
    from daemon.batchctl.state.live import LiveBatches

ASKED_AT_ONCE = 8

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Session:
    """One per command. It connects to Temporal on the first question that needs it.

    With `feed`, only the batches of that feed count where several may be meant.
    """

    def __init__(self, in_use: SettingsInUse, feed: str | None = None) -> None:
        self.in_use = in_use
        self.service = in_use.service
        self.feed = feed
        self.receipts = Receipts(self.service.state_dir)
        self.control_states = ControlStates(self.service.state_dir)
        self._live: LiveBatches | None = None

    async def live(self) -> LiveBatches:
        """Return Temporal's view of batches.

        Raises:
            TemporalUnreachable: nobody answers.
        """
        from daemon.batchctl.state.live import LiveBatches  # noqa: PLC0415 - loads Temporal's SDK, where it is asked

        if self._live is None:
            self._live = await LiveBatches.connected(self.service)
        return self._live

    def refuse_where_none_ever_ran(self) -> None:
        """Check that a batchd has run with this state folder: elsewhere, an empty answer would be a wrong one.

        Raises:
            SettingsError: none has; the message says which folders the settings mean.
        """
        state_dir, file = self.service.state_dir.absolute(), self.in_use.file
        if state_dir.is_dir():
            return
        none = f"no batchd has ever run here: there is no state folder {state_dir}"
        if file:
            raise SettingsError(f"{none} (service.state_dir of {file}); start batchd with this file, or name another")
        raise SettingsError(
            f"{none} (inbox: {self.service.inbox.absolute()}); go to the folder of batchd, or set BATCH_STATE_DIR "
            "and BATCH_INBOX as batchd has them"
        )

    def newest_first(self) -> Iterator[Receipt]:
        """Yield the receipts of the feed that counts, or of all, the latest claim first."""
        return (each for each in self.receipts.newest_first() if self.counts(each))

    def candidates(self, name: str, *, most: int) -> list[Receipt]:
        """Return up to `most` batches that `name` may mean, newest first, see `Receipts.candidates`."""
        if self.feed is None:
            return self.receipts.candidates(name, most=most)
        latest = self.receipts.latest_of(name, self.counts)
        every = [latest] if latest else filter(self.counts, self.receipts.candidates(name, most=self.receipts.count()))
        return list(islice(every, most))

    def counts(self, receipt: Receipt) -> bool:
        """Return whether a batch is of the feed that counts."""
        return self.feed is None or self.in_use.feed_of(receipt) == self.feed

    def output_dir(self, batch_id: str, receipt: Receipt | None = None) -> Path:
        """Return where the output of a batch is, or will be."""
        if receipt and receipt.output_dir:
            return Path(receipt.output_dir)
        folders = [root.absolute() / workflow_id(batch_id) for root in self.in_use.output_roots]
        return next((each for each in folders if each.is_dir()), folders[0])

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
            return merged(batch_id, output_dir, {"registry": self._of_registry(receipt), "manifest": manifest})

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
                "registry": self._of_registry(receipt),
                "manifest": manifest,
                "chunks": None if says_all else from_chunks(output_dir),
            },
            no_server=no_server,
        )

    async def views_of(self, receipts: Sequence[Receipt]) -> tuple[list[BatchView], bool]:
        """Return the state of each batch, and whether Temporal was asked in vain: then the last one known, and say so.

        Only what has not ended is asked about.
        """
        is_silent = False
        if any(not each.ended for each in receipts):
            try:
                await self.live()
            except TemporalUnreachable as error:
                say(f"{error}; of batches that have not ended, the last known state is shown")
                is_silent = True

        async def view(receipt: Receipt) -> BatchView:
            if receipt.ended or is_silent:
                return self.view_of_receipt(receipt, no_server=is_silent)
            try:
                return await self.view(receipt.id)
            except OutputRefused as error:
                say(str(error))
                return self.view_of_receipt(receipt)

        return await ask_each(view, receipts), is_silent

    def _of_registry(self, receipt: Receipt | None, control: ControlState | None = None) -> BatchView | None:
        view = from_registry(receipt, control)
        if view is None or receipt is None:
            return view
        return replace(view, feed=self.in_use.feed_of(receipt), api=self.in_use.api_of(receipt))

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
                "registry": self._of_registry(receipt, None if server else self.control_states.read(batch_id)),
                "server": server,
                "workflow": workflow,
                "manifest": manifest,
                "chunks": None if manifest or workflow else from_chunks(output_dir),
            },
        )


def known_feed(in_use: SettingsInUse, wanted: str | None) -> str | None:
    """Return the feed that is wanted, as the configuration or a receipt has it; None where none is.

    Raises:
        SettingsError: neither has it; the message has the nearest name.
    """
    if wanted is None or wanted in in_use.feeds:
        return wanted
    of_receipts = {in_use.feed_of(each) for each in Receipts(in_use.service.state_dir).newest_first()}
    return known_name("feed", wanted, sorted({*in_use.feeds, *of_receipts}))


async def ask_each(ask: Callable[[Item], Awaitable[Answer]], items: Iterable[Item]) -> list[Answer]:
    """Return what `ask` answers for each item, in their order; a few are asked at a time."""
    room = asyncio.Semaphore(ASKED_AT_ONCE)

    async def answer(item: Item) -> Answer:
        async with room:
            return await ask(item)

    return await asyncio.gather(*(answer(each) for each in items))
