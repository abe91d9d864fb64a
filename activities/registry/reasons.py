"""Why a file lies in `failed/`: REASON.json for programs, REASON.txt for whoever finds it at 3 a.m."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from activities.disk.atomic_files import write_whole
from activities.disk.failpoints import failpoint
from activities.registry.timestamps import now_text, readable_time
from workflows.errors import shortened
from workflows.ids import printable

REASON_JSON = "REASON.json"
REASON_TXT = "REASON.txt"

_PLACE = re.compile(r"\b(row|line) (\d{1,18})\b")
_DROP_CORRECTED = "Mend the file and drop it into the inbox again: with other content it is a new batch."
_WHAT_TO_DO = {
    "SourceChanged": "The file was written to after it had been taken. Let the sender finish, then drop the whole "
    "file again: with other content it is a new batch, and with the content first taken it is set aside for the "
    "command below.",
    "SourceVanished": "The file was removed from .processing while it was worked. Drop it again: it is set aside as a "
    "duplicate, and the command below takes it from there.",
    "SourceUnreadable": "Give the user of the service the right to read the file, then do the batch again.",
    "InvalidCsv": _DROP_CORRECTED,
    "NoValidRow": "If the file is sound, it was read otherwise than it was written: 'dialect' in the manifest says "
    "how. Set BATCH_DELIMITER or BATCH_ENCODING (delimiter or encoding of its feed) and do the batch again. "
    + _DROP_CORRECTED,
    "OutputRefused": "Remove or rename what stands at the place of the output folder, then do the batch again.",
    "cancelled": "Nothing is broken: an operator ended the batch. The chunks that were finished are in the output "
    "folder.",
    "terminated": "Somebody ended the workflow in Temporal, past batchd. Do the batch again if that was not meant.",
    "no_result": "Do the batch again; where two installations share a namespace of Temporal, give each its own first.",
    "timed_out": "The workflow ran into a time limit that was set in Temporal. Do the batch again.",
}
_WHAT_TO_DO_ELSE = "Mend what the reason names, then do the batch again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """What REASON.json holds. `retry` is a command to copy, empty where no command helps."""

    file: str
    outcome: Literal["failed", "cancelled", "refused"]
    what: str
    mend: str
    retry: str = ""
    id: str | None = None
    error_type: str = ""
    row: int | None = None
    line: int | None = None
    rows_done: int | None = None
    output_dir: str | None = None
    sha256: str | None = None
    size_bytes: int | None = None
    at: str = ""


def what_to_do_about(error_type: str) -> str:
    """Return what an operator can do about an error of this type."""
    return _WHAT_TO_DO.get(error_type, _WHAT_TO_DO_ELSE)


def place_in(what: str, word: Literal["row", "line"]) -> int | None:
    """Return the row or the line that a message names first; a record is a row."""
    found = _PLACE.findall(what.replace("record ", "row "))
    return next((int(number) for kind, number in found if kind == word), None)


def write_reason(folder: Path, reason: Reason) -> None:
    """Write both files into a folder that is there, each at once. Repeating it changes nothing but the time."""
    document = {**asdict(reason), "what": shortened(reason.what), "at": reason.at or now_text()}
    failpoint("reason.write.before")
    write_whole(folder / REASON_JSON, (json.dumps(document, indent=1) + "\n").encode())
    write_whole(folder / REASON_TXT, _as_text(document).encode("utf-8", "backslashreplace"))
    failpoint("reason.written")


def read_reason(folder: Path) -> Reason | None:
    """Return the reason that stands in a folder; None where there is none that can be read."""
    known = {each.name for each in fields(Reason)}
    try:
        document = json.loads((folder / REASON_JSON).read_bytes())
        return Reason(**{key: value for key, value in document.items() if key in known})
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def _as_text(document: dict[str, Any]) -> str:
    place = ", ".join(f"{key} {document[key]}" for key in ("row", "line") if document[key] is not None)
    lines = [
        f"{printable(document['file'])} was not completed: {document['outcome']}."
        if document["outcome"] != "refused"
        else f"{printable(document['file'])} was refused.",
        "",
        f"What:   {printable(document['what'])}",
        *([f"Where:  {place}"] if place else []),
        f"Mend:   {document['mend']}",
        *([f"Again:  {document['retry']}"] if document["retry"] else []),
        *([f"Done:   {document['rows_done']:,} rows"] if document["rows_done"] else []),
        *([f"Output: {document['output_dir']}"] if document["output_dir"] else []),
        *([f"Batch:  {document['id']}"] if document["id"] else []),
        f"When:   {readable_time(document['at'])}",
    ]
    return "\n".join(lines) + "\n"
