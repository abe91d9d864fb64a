"""Whether the names of a batch follow from what its manifest says of the source: identity, id and workflow ID."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from workflows.ids import batch_id, identity_key, workflow_id

RERUN = "\nrerun:"
"""Stands between the identity of a batch and the number of its deliberate rerun."""

COLLISION = "\ncollision:"
"""Stands between the identity of a batch and a number, where the id without one was taken by another identity."""

_NUMBER = re.compile(r"[1-9][0-9]*")


def identity_problems(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Yield in words which names of a manifest of the right shape are not those that its source has."""
    identity, name = manifest["identity"], manifest["source"]["name"].encode()
    key = identity["key"]
    sha256, feed = manifest["source"]["sha256"], manifest.get("feed") or ""
    if not _is_key_of(key, identity_key(identity["policy"], name=name, sha256=sha256, feed=feed)):
        yield f"its identity is not that of its source by {identity['policy']}"
    # By content alone, the readable half of the id is of the name under which the content came first.
    digest = hashlib.sha256(key.encode()).hexdigest()
    named = manifest["id"].endswith(f"-{digest[:12]}") and (
        identity["policy"] == "content" or manifest["id"] == batch_id(name, key)
    )
    if not named:
        yield "its id does not follow from its identity"
    generation = manifest["generation"]
    workflow = workflow_id(manifest["id"]) + (f"-g{generation}" if generation > 1 else "")
    if manifest["workflow_id"] != workflow:
        yield f"its workflow_id is not {workflow}"


def _is_key_of(key: str, whole: str) -> bool:
    collided = _NUMBER.match(key, len(whole + COLLISION)) if key.startswith(whole + COLLISION) else None
    own = key[: collided.end()] if collided else whole
    if key == own:
        return True
    root = own.partition(RERUN)[0] + RERUN
    return key.startswith(root) and _NUMBER.fullmatch(key, len(root)) is not None
