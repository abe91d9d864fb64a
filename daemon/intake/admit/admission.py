"""One settled file, step by step, until it is claimed, set aside, refused, or has to be looked at again."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Set as AbstractSet
from pathlib import Path

from activities.disk.failpoints import failpoint
from activities.registry.receipts import Receipt, Receipts
from daemon.config.settings import Settings
from daemon.intake.admit.candidate import Candidate, RuleContext
from daemon.intake.admit.claim import Claims, Duplicate
from daemon.intake.admit.duplicates import set_aside
from daemon.intake.admit.identify import Identified
from daemon.intake.admit.refusals import Obstacle, refuse
from daemon.intake.admit.rules import SETTLED_FILE, Rule, first_broken
from daemon.intake.observe.entries import Dropped, entry_at
from workflows.errors import BatchdError
from workflows.ids import displayed, printable

logger = logging.getLogger(__name__)


class Taking:
    """Takes files of one inbox. Blocking, safe to use from many threads at once."""

    def __init__(self, settings: Settings, receipts: Receipts, stopping: threading.Event) -> None:
        self._context = RuleContext(settings, stopping)
        self._claims = Claims(settings, receipts)

    @property
    def being_claimed(self) -> AbstractSet[str]:
        """The batches that this process is claiming at this moment."""
        return self._claims.being_claimed

    def take_few(self, few: list[Dropped]) -> list[tuple[Dropped, Receipt | Obstacle | Exception | None]]:
        """Take one file after another, as `take` does; what it raises stands in the place of the result."""
        return [(dropped, self._result(dropped)) for dropped in few]

    def _result(self, dropped: Dropped) -> Receipt | Obstacle | Exception | None:
        try:
            return self.take(dropped)
        except (OSError, BatchdError) as error:
            return error
        except Exception as error:
            logger.exception("file.failed", extra={"fields": {"file": displayed(dropped.name)}})
            return error

    def take(self, dropped: Dropped) -> Receipt | Obstacle | None:
        """Return the receipt of the claimed file, or why it is left in the inbox; None where neither.

        A file that was refused or is a duplicate has been moved when this returns, and the log says so.

        Raises:
            OSError: a folder cannot be written; nothing is lost, and taking the file again is safe.
            TransientError: the same of the state folder.
        """
        failpoint("take.begun")
        try:
            return self._take(dropped)
        except FileNotFoundError:
            if entry_at(dropped.path) is not None:
                raise
            return None  # somebody has taken it away: a sender, or another daemon

    def _take(self, dropped: Dropped) -> Receipt | Obstacle | None:
        candidate = Candidate.of(self._context, dropped)
        broken = first_broken(SETTLED_FILE, candidate)
        if broken:
            return self._turn_away(dropped, *broken)
        found = candidate.content
        if not isinstance(found, Identified) or self._lost_its_marker(candidate):
            return None
        claimed = self._claims.claim(dropped, found)
        if claimed is None:
            return None
        if isinstance(claimed, Duplicate):
            self._set_aside(dropped, claimed.first, found)
            return None
        source = claimed.receipt.source
        fields = {"id": claimed.receipt.id, "file": source.name, "bytes": source.size_bytes, "mode": found.mode}
        logger.info("file.claimed", extra={"fields": fields})
        return claimed.receipt

    def _lost_its_marker(self, candidate: Candidate) -> bool:
        """True if the marker went away in the inbox: not ready. Beside a claimed file, it had done its work."""
        is_in_inbox = candidate.dropped.folder == self._context.inbox
        return is_in_inbox and candidate.marker is not None and candidate.promise is None

    def _turn_away(self, dropped: Dropped, rule: Rule, obstacle: Obstacle) -> Obstacle | None:
        """Move a refused file to `failed/`; return the obstacle of one that is left, None for one that has changed."""
        if obstacle.leads_to == "left":
            return obstacle
        if obstacle.leads_to == "refused":
            name = rule.recorded_as or rule.name
            with self._claims.set_aside(dropped) as held:
                if held is not None:
                    moved = refuse(self._context.inbox, held, name, obstacle)
                    self._drop_marker(held)
                    self._log_moved("file.refused", dropped, moved, rule=name, why=obstacle.logged_why or obstacle.why)
        return None

    def _set_aside(self, dropped: Dropped, first: Receipt, identified: Identified) -> None:
        with self._claims.set_aside(dropped) as held:
            if held is not None:
                moved = set_aside(self._context.inbox, held, first, sha256=identified.sha256)
                self._drop_marker(held)
                self._log_moved("file.duplicate", dropped, moved, id=first.id, state=first.state)

    def _drop_marker(self, held: Dropped) -> None:
        """Remove the ready marker that was taken along with a file; one in the inbox speaks for the next file."""
        marker = self._marker(held)
        if marker is not None:
            marker.unlink(missing_ok=True)

    def _marker(self, dropped: Dropped) -> Path | None:
        name = self._context.names.marker_of(dropped.name)
        return None if name is None else dropped.folder / os.fsdecode(name)

    def _log_moved(self, event: str, dropped: Dropped, moved: Path, **facts: str) -> None:
        fields = {
            "file": displayed(dropped.name),
            **{key: printable(value) for key, value in facts.items()},
            "moved_to": displayed(str(moved.relative_to(self._context.inbox))),
        }
        logger.info(event, extra={"fields": fields})
