"""What stands in the way of a file, and how one that is refused is moved out of it.

What must not be opened or moved (a link, a FIFO, a folder, a file that may not be read) is left where it is. What is
simply the wrong file is moved to `failed/refused-<slug>-<hex>/` with its reason, so that the inbox stays clean and the
sender learns of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from activities.disk.atomic_files import sweep, sync_folder
from activities.disk.failpoints import failpoint
from activities.disk.moves import move_into
from activities.file_source import FAILED
from activities.registry.reasons import Reason, write_reason
from activities.source.inbox import make_in
from daemon.intake.admit.checked_moves import digest_of
from daemon.intake.observe.entries import Dropped
from workflows.ids import displayed, slug

REFUSED = "refused-"

FileState = Literal["ignored", "left", "settling", "held", "refused", "duplicate", "waiting"]
"""How a file stands that breaks a rule, until something changes."""


class Obstacle(NamedTuple):
    """What stands in the way of a file: what is wrong, what would end it, and how the file stands until then.

    `wait_s` is for how many seconds it will last if nothing changes; it is not `certain` where it cannot be seen from
    here. `logged_why` and `logged_todo` are what the log says where that is something else.
    """

    why: str
    todo: str = ""
    leads_to: FileState = "waiting"
    wait_s: float | None = None
    certain: bool = True
    logged_why: str = ""
    logged_todo: str = ""


def unreadable(error: OSError) -> Obstacle:
    """Return that a file may not be read. It is left where it is: a change of its mode is enough."""
    return Obstacle(f"it cannot be read: {error.strerror or error}", "let the user of the service read it", "left")


def refuse(inbox: Path, dropped: Dropped, rule: str, obstacle: Obstacle) -> Path:
    """Move a file to `failed/` with its reason beside it, for the rule that it breaks; return where it lies now.

    Safe to repeat after a kill.

    Raises:
        FileNotFoundError: the file has been taken away.
        OSError: it cannot be moved.
    """
    folder = make_in(inbox, FAILED, refused_name(dropped))
    write_reason(
        folder,
        Reason(
            file=displayed(dropped.name),
            outcome="refused",
            what=obstacle.why,
            mend=obstacle.todo[:1].upper() + obstacle.todo[1:] + ".",
            error_type=rule,
            size_bytes=dropped.fingerprint.size_bytes,
        ),
    )
    failpoint("refusal.reasoned")
    moved = move_into(dropped.path, folder)
    failpoint("refusal.moved")
    sweep(folder, older_than_s=0.0)
    for each in (folder, folder.parent, dropped.folder):
        sync_folder(each)
    return moved


def refused_name(dropped: Dropped) -> str:
    """Return the name of the folder in `failed/` for a refused file: the same one for the same file, for ever."""
    return f"{REFUSED}{slug(displayed(dropped.name))}-{digest_of(dropped.name, dropped.fingerprint)}"
