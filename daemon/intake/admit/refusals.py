"""Files that are not taken, and why.

What must not be opened or moved (a link, a FIFO, a folder, a file that may not be read) is left where it is. What is
simply the wrong file is moved to `failed/refused-<slug>-<hex>/` with its reason, so that the inbox stays clean and the
sender can be told.
"""

from __future__ import annotations

from pathlib import Path

from activities.disk.atomic_files import sweep, sync_folder
from activities.disk.failpoints import failpoint
from activities.disk.moves import move_into
from activities.file_source import FAILED
from activities.registry.reasons import Reason, write_reason
from activities.source.encoding import SAMPLE_BYTES, encoding_of
from activities.source.inbox import make_in
from daemon.config.settings import Settings
from daemon.intake.admit.checked_moves import digest_of
from daemon.intake.observe.entries import Dropped
from daemon.intake.observe.refusal import Refusal
from workflows.errors import InvalidCsv
from workflows.ids import displayed, slug

SAMPLED_BYTES = SAMPLE_BYTES
REFUSED = "refused-"


def size_refusal(size_bytes: int, settings: Settings) -> Refusal | None:
    """Refuse an empty file, and one over `BATCH_MAX_FILE_BYTES`."""
    if size_bytes == 0:
        return Refusal(
            rule="not empty", what="the file is empty", mend="drop it again with its content; a CSV file has a header"
        )
    if size_bytes > settings.max_file_bytes:
        what = f"{size_bytes} bytes, and BATCH_MAX_FILE_BYTES allows {settings.max_file_bytes}"
        return Refusal(rule="size", what=what, mend="split the file, or raise BATCH_MAX_FILE_BYTES and drop it again")
    return None


def content_refusal(sample: bytes, settings: Settings) -> Refusal | None:
    """Refuse what is no CSV text by its first `SAMPLED_BYTES` bytes."""
    try:
        encoding_of(sample, settings.encoding)
    except InvalidCsv as error:
        return Refusal(rule="content", what=str(error), mend="save it as CSV text in UTF-8 and drop it again")
    return None


def dialect_refusal(error: InvalidCsv) -> Refusal:
    """Refuse what is CSV text by its beginning, but cannot be read: most often for its header."""
    what, _, mend = str(error).rpartition("; ")
    return Refusal(rule="content", what=what or mend, mend=mend if what else "correct the file and drop it again")


def refuse(inbox: Path, dropped: Dropped, refusal: Refusal) -> Path:
    """Move a file to `failed/` with its reason beside it and return where it lies now. Safe to repeat after a kill.

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
            what=refusal.what,
            mend=refusal.mend[:1].upper() + refusal.mend[1:] + ".",
            error_type=refusal.rule,
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
