"""A second drop of the same file: set aside in `duplicates/`, with a receipt that names the first batch."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from activities.disk.atomic_files import sync_folder, write_whole
from activities.disk.failpoints import failpoint
from activities.disk.moves import MAX_NAME_BYTES, move_where_free, numbered_paths
from activities.registry.receipts import Receipt
from activities.registry.timestamps import now_text
from activities.source.inbox import make_in
from daemon.intake.observe.entries import DUPLICATES, Dropped
from workflows.ids import displayed

RECEIPT = ".receipt.json"

_NEXT = {
    "completed": "Nothing has to be done: the result is there. To work the file again on purpose: {rerun}",
    "failed": "The first batch failed, see its reason. Once the cause is mended: {rerun}",
    "cancelled": "The first batch was cancelled. To work the file after all: {rerun}",
    "running": "The first batch has not ended; 'batchctl status {id}' shows how far it is.",
    "claimed": "The first batch waits to be started; 'batchctl status {id}' shows how far it is.",
}


def set_aside(inbox: Path, dropped: Dropped, first: Receipt, *, sha256: str) -> Path:
    """Move a file to `duplicates/` and return where it lies now. Killed anywhere, repeating it ends the same.

    Raises:
        FileNotFoundError: the file has been taken away.
        OSError: it cannot be moved.
    """
    folder = make_in(inbox, DUPLICATES)
    document = _document(dropped, first, sha256)
    for target in numbered_paths(folder, os.fsdecode(dropped.name)):
        receipt = folder / os.fsdecode(_receipt_name(os.fsencode(target.name)))
        if os.path.lexists(target):
            continue
        # The receipt first: a file without one would be a riddle, a receipt without its file is taken over next time.
        named = {**document, "kept_as_hex": os.fsencode(target.name).hex()}
        write_whole(receipt, json.dumps(named, indent=1).encode() + b"\n")
        failpoint("duplicate.receipted")
        try:
            move_where_free(dropped.path, target)
        except FileExistsError:
            continue
        except FileNotFoundError:
            if not os.path.lexists(target):  # else another daemon was faster, and it is that one's receipt
                receipt.unlink(missing_ok=True)
            raise
        failpoint("duplicate.moved")
        sync_folder(folder)
        sync_folder(dropped.folder)
        return target
    raise AssertionError


def kept_duplicates(inbox: Path, batch_id: str) -> Iterator[Path]:
    """Yield the files in `duplicates/` that were set aside for a batch: copies of its source."""
    for receipt in sorted((inbox / DUPLICATES).glob(f"*{RECEIPT}")):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            document = json.loads(receipt.read_bytes())
            if document["duplicate_of"] == batch_id:
                yield inbox / DUPLICATES / os.fsdecode(bytes.fromhex(document["kept_as_hex"]))


def what_next(first: Receipt) -> str:
    """Return what can be done about a file whose batch exists."""
    return _NEXT[first.state].format(id=first.id, rerun=f'batchctl rerun {first.id} --reason "..."')


def _document(dropped: Dropped, first: Receipt, sha256: str) -> dict[str, Any]:
    kept = {"workflow_id", "state", "claimed_at", "started_at", "finished_at", "output_dir", "manifest", "counts"}
    facts = asdict(first)
    return {
        "file": displayed(dropped.name),
        "duplicate_of": first.id,
        "first": {
            "file": first.source.name,
            **{key: facts[key] for key in facts if key in kept},
            "archived_as": first.archived_as,
            "reason": first.reason,
        },
        "identity": {"policy": first.identity.policy, "key": first.identity.key},
        "sha256": sha256,
        "size_bytes": dropped.fingerprint.size_bytes,
        "first_seen_at": dropped.first_seen_at,
        "set_aside_at": now_text(),
        "what_next": what_next(first),
    }


def _receipt_name(name: bytes) -> bytes:
    ending = RECEIPT.encode()
    if len(name) + len(ending) <= MAX_NAME_BYTES:
        return name + ending
    ending = b"~" + hashlib.sha256(name).hexdigest()[:8].encode() + ending
    return name[: MAX_NAME_BYTES - len(ending)] + ending
