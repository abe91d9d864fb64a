"""Judges what `sync_recorder` has noted: what has to be on disk before what, in the life of one batch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

RECORDER = Path(__file__).with_name("sync_recorder")
"""The folder to put first on `PYTHONPATH`."""

VARIABLE = "SYNC_RECORD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A call: `sync` of a file or folder, or `name`: a file got the name `path` by a link or a rename."""

    call: str
    path: str
    inode: int
    size_bytes: int
    before: str = ""

    @property
    def folder(self) -> str:
        return str(Path(self.path).parent)

    @property
    def file(self) -> str:
        return Path(self.path).name


def noted(record: Path) -> list[Noted]:
    """Return the calls of all processes in the order in which they returned."""
    return [Noted(**json.loads(line)) for line in record.read_text().splitlines()]


def unsynced(calls: list[Noted], *, output: Path, receipt: Path, archive: Path) -> list[str]:
    """Return what a power cut could have taken from under something that vouches for it; nothing where all is right.

    Args:
        calls: what was noted.
        output: the output folder of a batch that was completed.
        receipt: its receipt.
        archive: the folder that its source was filed to.
    """
    of_output = [at for at, each in enumerate(calls) if each.call == "name" and each.folder == str(output)]
    closed = max(at for at, each in enumerate(calls) if each.call == "name" and each.path == str(receipt))
    manifest = next(at for at in of_output if calls[at].file == "manifest.json")
    chunks = [at for at in of_output if calls[at].file.startswith(("chunk-", "rejected-"))]
    return [
        *(
            f"{calls[at].file} got its name before it was synced"
            for at in [*of_output, closed]
            if not _whole(calls, at)
        ),
        *_names_late(calls, [at for at in of_output if at < manifest], output, manifest, "the manifest appeared"),
        *_names_late(calls, [manifest], output, closed, "the receipt was closed"),
        *_journal_early(calls, chunks, output, manifest),
        *_never(calls, range(closed), archive, "the receipt was closed"),
        *_never(calls, range(closed, len(calls)), receipt.parent, "the end"),
    ]


def _whole(calls: list[Noted], at: int) -> bool:
    """True if what got a name there was synced before, as long as it is now."""
    named = calls[at]
    same = (each for each in calls[:at] if each.call == "sync" and each.inode == named.inode)
    return any(each.size_bytes == named.size_bytes for each in same)


def _names_late(calls: list[Noted], named: list[int], folder: Path, before: int, what: str) -> Iterator[str]:
    for at in named:
        if not any(each.call == "sync" and each.path == str(folder) for each in calls[at:before]):
            yield f"the name of {calls[at].file} was not synced before {what}"


def _journal_early(calls: list[Noted], chunks: list[int], folder: Path, before: int) -> Iterator[str]:
    """The journal says that a chunk is saved: its name is synced by then. Of a batch that works a page at a time."""
    for at in chunks:
        after = [each.path for each in calls[at:before] if each.call == "sync" and each.folder in _within(folder)]
        journal = next((number for number, path in enumerate(after) if "journal" in Path(path).name), None)
        if journal is None:
            yield f"{calls[at].file} was not noted in a synced journal before the manifest appeared"
        elif str(folder) not in after[:journal]:
            yield f"the name of {calls[at].file} was not synced before the journal said that it is saved"


def _within(folder: Path) -> set[str]:
    """Return the folders of what is synced for a batch: its files, and its folder itself."""
    return {str(folder), str(folder.parent)}


def _never(calls: list[Noted], where: range, folder: Path, what: str) -> Iterator[str]:
    if not any(calls[at].call == "sync" and calls[at].path == str(folder) for at in where):
        yield f"the names in {folder.name} were not synced before {what}"
