"""What `doctor` can see of who else has a hand in the inbox: folders, modes, and writers that nobody can see."""

from __future__ import annotations

from pathlib import Path

from activities.source.inbox import blocked_folder, in_the_way
from daemon.batchctl.checks.findings import Finding, fail, ok, warn
from daemon.intake.observe.inbox_access import cannot_be_claimed, check_own_folders, is_shared, weakness
from daemon.intake.observe.names import FOLDERS
from daemon.intake.observe.writers import hidden_by

WHOLE_FILES = "let senders rename a file into the inbox when it is whole, or set BATCH_READY_MARKER"


def inbox_checks(inbox: Path) -> list[Finding]:
    """Look at batchd's folders in an inbox that is there, at who may write it, and at whether writers can be seen."""
    return [_own_folders(inbox), _access(inbox), _writers(inbox)]


def _own_folders(inbox: Path) -> Finding:
    blocked = blocked_folder(inbox, FOLDERS)
    if blocked:
        return fail("inbox folders", in_the_way(blocked), "batches that have ended wait to be filed until then")
    try:
        check_own_folders(inbox)
    except OSError as error:
        return fail("inbox folders", f"{error.filename}: {error.strerror}", "no file is taken until then")
    return ok("inbox folders", "nothing stands in their way")


def _access(inbox: Path) -> Finding:
    if problem := cannot_be_claimed(inbox):
        return fail("inbox access", *problem)
    if problem := weakness(inbox):
        return warn("inbox access", *problem)
    who = "senders can touch their own files only" if is_shared(inbox) else "nobody else may write it"
    return ok("inbox access", who)


def _writers(inbox: Path) -> Finding:
    """Say where a file that another user is still writing could look whole."""
    hidden = hidden_by()
    if hidden and is_shared(inbox):
        return warn("writers", f"who still writes a file is seen only where it is this user: {hidden}", WHOLE_FILES)
    if hidden:
        return ok("writers", f"those of this user are seen, and no other but root may write the inbox ({hidden})")
    return ok("writers", "whoever still writes a file on this host is seen")
