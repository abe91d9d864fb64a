"""Where the files of a batch are: its inbox and the folder of the outputs.

A request names a feed; it never names a path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from activities.registry.receipts import Receipts
from workflows.errors import InboxMissing
from workflows.ids import DEFAULT_FEED
from workflows.models import BatchRef

MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """The folders of one feed, and those of its settings that a manifest shows beside the ones of the batch."""

    inbox: Path
    output_root: Path
    settings: Mapping[str, Any] = field(default_factory=dict)


class FeedFolders:
    """The folders of all feeds that a worker knows. Safe to use from many threads at once.

    What the receipt of a batch says comes first: its feed may have other folders since the claim, or be gone.
    """

    def __init__(self, feeds: Mapping[str, Folders], receipts: Receipts) -> None:
        self._feeds = feeds
        self._receipts = receipts
        self._of_batches: dict[str, Folders] = {}

    def of(self, batch: BatchRef) -> Folders:
        """Return the folders of a batch.

        Raises:
            InboxMissing: neither its receipt nor the configuration says where they are on this host.
            TransientError: the receipt cannot be read now.
        """
        if not batch.feed and "" in self._feeds:
            return self._feeds[""]
        known = self._of_batches.get(batch.id)
        if known is None:
            known = self._found(batch)
            if len(self._of_batches) >= MOST_REMEMBERED:
                self._of_batches.clear()
            self._of_batches[batch.id] = known
        return known

    def apply(self, feeds: Mapping[str, Folders]) -> None:
        """Use another configuration from now on."""
        self._feeds = feeds
        self._of_batches = {}

    def _found(self, batch: BatchRef) -> Folders:
        configured = self._feeds.get(batch.feed or DEFAULT_FEED)
        receipt = self._receipts.read(batch.id)
        if receipt and receipt.inbox and receipt.output_dir and Path(receipt.inbox).is_dir():
            settings = configured.settings if configured else {}
            return Folders(inbox=Path(receipt.inbox), output_root=Path(receipt.output_dir).parent, settings=settings)
        if configured is None:
            feed = batch.feed or DEFAULT_FEED
            raise InboxMissing(
                f"the inbox of the feed {feed} is not known here: add [feed.{feed}] to this worker's file"
            )
        return configured
