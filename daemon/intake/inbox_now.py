"""How one inbox is at this moment, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FILE_STATES = ("settling", "held", "left", "queued", "starting", "claimed")


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxNow:
    """The files of the inbox of `feed` by state, None where it cannot be seen. Ages in seconds.

    `settling` has changed a moment ago; `held` is open for writing or lacks its marker; `left` is nothing to be taken;
    `queued` is to be hashed and claimed; `starting` is claimed and its workflow is not started yet; `claimed` belongs
    to a batch that was started and has not ended. `oldest_s` is how long the file waits that waits longest to become a
    batch, 0 where none does; those that are `left` do not wait.
    """

    feed: str
    files: Mapping[str, int] | None
    oldest_s: float
    scan_age_s: float
