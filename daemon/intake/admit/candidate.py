"""A file that may become a batch, with the facts that the rules ask for. Each fact is found when it is first asked for.

So a rule may be asked by the daemon, which has most facts from its scan, and by `batchctl`, which has none.
"""

from __future__ import annotations

import os
import threading
import time
from functools import cached_property

from activities.registry.receipts import Receipts
from daemon.config.settings import Settings
from daemon.intake.admit.identify import Identified, identify
from daemon.intake.admit.identities import Identification, Identities
from daemon.intake.admit.refusals import Obstacle
from daemon.intake.observe.entries import Dropped, Entry, NameKind, Names
from daemon.intake.observe.markers import Promise, promise_in
from daemon.intake.observe.queue import LARGE_BYTES
from daemon.intake.observe.writing import Writer, quiet_time_s, writers_of
from daemon.intake.sign_of_life import Watch, watch_of


class RuleContext:
    """What is the same for all files of one inbox.

    With `reads_large` off, a file of 64 MiB or more is read at its beginning only.
    """

    def __init__(
        self, settings: Settings, stopping: threading.Event | None = None, *, reads_large: bool = True
    ) -> None:
        self.settings = settings
        self.inbox = settings.inbox.absolute()
        self.names = Names(settings)
        self.stopping = stopping or threading.Event()
        self.reads_large = reads_large

    @cached_property
    def identities(self) -> Identities:
        """The identities of all batches of this installation."""
        return Identities(self.settings, Receipts(self.settings.state_dir.absolute()))

    @cached_property
    def watch(self) -> Watch:
        """Whether a daemon works the inbox, as it was when this was first asked."""
        return watch_of(self.settings)


class Candidate:
    """One file. Blocking; whoever knows a fact already may set it."""

    def __init__(self, context: RuleContext, entry: Entry) -> None:
        self.context = context
        self.entry = entry

    @classmethod
    def of(cls, context: RuleContext, dropped: Dropped) -> Candidate:
        """Return a settled file as a candidate."""
        candidate = cls(context, Entry(dropped.name, "file", dropped.fingerprint))
        candidate.dropped = dropped
        return candidate

    @cached_property
    def dropped(self) -> Dropped:
        """The file with the folder it lies in."""
        return Dropped(name=self.entry.name, folder=self.context.inbox, fingerprint=self.entry.fingerprint)

    @cached_property
    def name_kind(self) -> NameKind:
        """What its name alone says."""
        return self.context.names.kind(self.entry.name)

    @property
    def quiet_s(self) -> float:
        """For how long it has not changed, by the file system's own time of change, which no program can set."""
        return max(0.0, time.time() - self.entry.fingerprint.ctime_ns / 1e9)

    @property
    def wanted_quiet_s(self) -> float:
        """For how long it must not change."""
        return quiet_time_s(self.entry.fingerprint.size_bytes, self.context.settings.settle_s)

    @property
    def marker(self) -> bytes | None:
        """The name of the ready marker that it needs; None where it needs none."""
        return self.context.names.marker_of(self.entry.name)

    @cached_property
    def has_marker(self) -> bool:
        """True if its ready marker stands beside it."""
        return self.marker is not None and os.path.lexists(self.dropped.folder / os.fsdecode(self.marker))

    @cached_property
    def promise(self) -> Promise | None:
        """What its ready marker says of it; None where there is no marker.

        Raises:
            OSError: the marker cannot be read.
        """
        try:
            return None if self.marker is None else promise_in(self.dropped.folder / os.fsdecode(self.marker))
        except FileNotFoundError:
            return None

    @cached_property
    def writer(self) -> Writer | None:
        """A process that has it open for writing."""
        return next(iter(writers_of([self.entry.fingerprint]).values()), None)

    @property
    def beginning_only(self) -> bool:
        """True if it is too large to be read as a whole here."""
        return not self.context.reads_large and self.entry.fingerprint.size_bytes >= LARGE_BYTES

    @cached_property
    def content(self) -> Identified | Obstacle | None:
        """What it holds, by reading all of it; None where it changed meanwhile, or reading was stopped."""
        return identify(self.dropped, self.context.settings, self.context.stopping)

    @cached_property
    def identification(self) -> Identification | None:
        """Which batch it is; None where its content does not make one.

        Raises:
            TransientError: a receipt cannot be read.
        """
        if not isinstance(self.content, Identified):
            return None
        return self.context.identities.identified(self.entry.name, self.content.sha256)
