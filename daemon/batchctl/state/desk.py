"""What every command works with: the settings, the receipts, and Temporal where it is asked."""

from __future__ import annotations

from pathlib import Path

from activities.registry.control_states import ControlStates
from activities.registry.receipts import Receipt, Receipts
from daemon.batchctl.state.live import LiveBatches
from daemon.batchctl.state.results import result_in
from daemon.batchctl.state.status_report import ENDED, Known, StatusReport, report_of
from daemon.batchctl.state.unwatched import UnwatchedInbox
from daemon.config.settings import Settings
from workflows.errors import SettingsError, TemporalUnreachable
from workflows.ids import workflow_id


class Desk:
    """One per command. It connects to Temporal on the first question that needs it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.receipts = Receipts(settings.state_dir)
        self.unwatched = UnwatchedInbox(settings)
        self.control_states = ControlStates(settings.state_dir)
        self._live: LiveBatches | None = None

    async def live(self) -> LiveBatches:
        """Return Temporal's view of batches.

        Raises:
            TemporalUnreachable: nobody answers.
        """
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

    async def report(self, batch_id: str) -> StatusReport:
        """Return the state of a batch from all that know of it.

        Raises:
            OutputRefused: its newest manifest is damaged.
            TemporalUnreachable: the batch has not ended as far as is known here, and Temporal does not answer.
        """
        receipt = self.receipts.read(batch_id)
        output_dir = self.output_dir(batch_id, receipt)
        if receipt and receipt.started_elsewhere:
            # What Temporal has under this id, and any result of it, is another installation's.
            return report_of(Known(id=batch_id, receipt=receipt, output_dir=output_dir))
        at_rest = Known(id=batch_id, receipt=receipt, result=result_in(output_dir), output_dir=output_dir)
        if receipt and receipt.ended:
            return report_of(at_rest)
        try:
            return await self._live_report(batch_id)
        except TemporalUnreachable:
            if at_rest.result:
                return report_of(at_rest)
            raise

    async def _live_report(self, batch_id: str) -> StatusReport:
        live = await self.live()
        run = await live.run_of(batch_id)
        progress = await live.progress(batch_id, patient=run.beating) if run and run.outcome is None else None
        ending = await live.ending(batch_id) if run and run.outcome else None
        # Read after Temporal was asked: a batch that ended in between has left both.
        receipt = self.receipts.read(batch_id)
        output_dir = self.output_dir(batch_id, receipt)
        working = run is not None and run.outcome is None and not (progress and progress.state in ENDED)
        return report_of(
            Known(
                id=batch_id,
                receipt=receipt,
                run=run,
                progress=progress,
                ending=ending,
                control=self.control_states.read(batch_id) if run is None else None,
                result=None if working else result_in(output_dir),
                output_dir=output_dir,
            )
        )
