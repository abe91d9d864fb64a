"""The pause, the limits and the cancel of a running batch on disk, beside its receipt: Temporal may lose its database.

One small file for each batch that was ever paused, limited or cancelled, and none for the others; it goes when the
batch ends. Whoever starts a batch again begins with what stands here, so that nobody's pause is undone by a lost run.
"""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from activities.disk.atomic_files import make_folder, sync_folder, write_whole
from activities.disk.errors import disk_errors, translated
from activities.disk.failpoints import failpoint
from activities.registry.receipts import Receipts, built
from activities.registry.timestamps import now_text
from workflows.ids import checked_id
from workflows.models import QUESTION, SERVICE, CallLimits, Control, ControlState, Pause
from workflows.requests import KeepControlState

MAX_BYTES = 65_536
FILE = re.compile(r"[a-z0-9-]+-[0-9a-f]{12}\.json")


class ControlStates:
    """All control states of one state folder. Blocking."""

    def __init__(self, state_dir: Path) -> None:
        self.folder = state_dir / "control"

    def write(self, batch_id: str, state: ControlState) -> None:
        """Put a control state in place, durable when this returns. An older one never replaces a newer one.

        Raises:
            StorageFull: there is no room; the one before stays.
            TransientError: the folder cannot be written.
        """
        path = self._path(batch_id)
        before = self.read(batch_id)
        if before and before.at > state.at:
            return
        with disk_errors(f"writing {path}"):
            make_folder(self.folder)
            failpoint("control.write.before")
            write_whole(path, json.dumps(asdict(state)).encode())
            sync_folder(self.folder.parent)
        failpoint("control.written")

    def read(self, batch_id: str) -> ControlState | None:
        """Return what stands for a batch, None where nothing was ever set. What makes no sense counts as a pause.

        Raises:
            TransientError: whether something was set cannot be seen.
        """
        path = self._path(batch_id)
        try:
            with path.open("rb") as file:
                content = file.read(MAX_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise translated(error, f"reading {path}") from error
        try:
            return _decoded(json.loads(content))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            reason = f"{path} is damaged, so what was set for this batch is not known; {QUESTION}"
            return ControlState(pause=Pause(since=now_text(), by=SERVICE, reason=reason))

    def ids(self) -> list[str]:
        """Return the batches for which something is set, by id.

        Raises:
            TransientError: that cannot be seen.
        """
        try:
            return sorted(each.stem for each in self.folder.iterdir() if FILE.fullmatch(each.name))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise translated(error, f"reading {self.folder}") from error

    def remove(self, batch_id: str) -> None:
        """Forget what was set for a batch that has ended; a file that cannot be removed does no harm."""
        with contextlib.suppress(OSError):
            self._path(batch_id).unlink()

    def _path(self, batch_id: str) -> Path:
        return self.folder / f"{checked_id(batch_id)}.json"


def control_states_beside(receipts: Receipts) -> ControlStates:
    """Return the control states of the state folder that holds these receipts."""
    return ControlStates(receipts.folder.parent)


def keep_control_state(receipts: Receipts, request: KeepControlState) -> None:
    """Write the control state of a batch, unless the batch has ended meanwhile. Blocking and idempotent.

    Raises:
        StorageFull, TransientError: it is not on disk; it is safe to try again.
    """
    receipt = receipts.read(request.batch.id)
    if receipt is None or not receipt.ended:
        control_states_beside(receipts).write(request.batch.id, request.state)


def _decoded(found: dict[str, Any]) -> ControlState:
    nested = {"pause": Pause, "limits": CallLimits, "cancel": Control}
    parts: dict[str, Any] = {key: built(kind, found[key]) for key, kind in nested.items() if found.get(key) is not None}
    known = {each.name for each in fields(ControlState)} - nested.keys()
    return ControlState(**parts, **{key: found[key] for key in known if key in found})
