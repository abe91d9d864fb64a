"""Why a file is not taken, and what is refused at sight: what must not be opened is left where it is."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.intake.observe.entries import Entry, Kind

_WITHIN_REACH = "drop a copy of the file itself"
_LEFT: dict[Kind, tuple[str, str]] = {
    "symbolic link": ("a symbolic link, which is never followed", _WITHIN_REACH),
    "folder": ("a folder; only files directly in the inbox are taken", "move its files into the inbox"),
    "FIFO": ("a FIFO, which is never opened", _WITHIN_REACH),
    "socket": ("a socket, which is never opened", _WITHIN_REACH),
    "device": ("a device, which is never opened", _WITHIN_REACH),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a file is not taken: the rule it breaks, what is wrong, and what would make it pass."""

    rule: str
    what: str
    mend: str


def kind_refusal(entry: Entry) -> Refusal | None:
    """Refuse whatever is not a regular file. It is left where it is."""
    if entry.kind == "file":
        return None
    what, mend = _LEFT[entry.kind]
    return Refusal(rule="kind", what=what, mend=mend)


def unreadable(error: OSError) -> Refusal:
    """Refuse a file that may not be read. It is left where it is: a change of its mode is enough."""
    why = error.strerror or str(error)
    return Refusal(rule="readable", what=f"it cannot be read: {why}", mend="let the user of the service read it")
