"""Names: what a batch is called, and the check that keeps a name from becoming a path.

The batch id is the deduplication: it follows from the identity of the file alone, so the same file has the same id
for ever, on every host.
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import Literal

from workflows.errors import InvalidBatchId, shortened

IdentityPolicy = Literal["name+content", "content", "name"]

DEFAULT_FEED = "default"
"""What the `BATCH_*` variables describe: a feed of this name in a file goes on with their ids."""

MAX_SLUG_CHARS = 40
_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*-[0-9a-f]{12}")
_WORD = re.compile(r"[a-z0-9]+")


def slug(name: str) -> str:
    """Return the readable half of a batch id: the stem of `name` as `[a-z0-9]` runs joined by `-`.

    At most 40 characters; `file` where nothing is left.
    """
    stem = name.rsplit(".", 1)[0] if "." in name[1:] else name
    joined = "-".join(_WORD.findall(stem.lower()))
    return joined[:MAX_SLUG_CHARS].strip("-") or "file"


def identity_key(policy: IdentityPolicy, *, name: bytes, sha256: str, feed: str = "") -> str:
    """Return the text that makes two files the same file under `policy`.

    Args:
        policy: what counts.
        name: the file name, as the file system has it.
        sha256: hex digest of the whole content.
        feed: the same file in two feeds is two files; one without a name, and `default`, are the same feed.
    """
    shown = displayed(name)
    prefix = "" if feed in {"", DEFAULT_FEED} else f"feed:{feed}\n"
    return (
        prefix
        + {
            "name+content": f"name+content:{shown}\n{sha256}",
            "content": f"content:{sha256}",
            "name": f"name:{shown}",
        }[policy]
    )


def batch_id(name: bytes, key: str) -> str:
    """Return `<slug>-<12 hex>` for a file called `name` whose identity is `key`."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"{slug(displayed(name))}-{digest[:12]}"


def checked_id(value: str) -> str:
    """Return `value` where it is a batch id, and raise InvalidBatchId where it is not.

    Called at every boundary before the value touches a path.
    """
    if _ID.fullmatch(value) is None:
        shown = shortened(ascii(value), 80)
        raise InvalidBatchId(f"{shown} is not a batch id; one looks like users-0123456789ab")
    return value


def workflow_id(identity: str) -> str:
    """Return the workflow ID of a batch, which is also the name of its output folder."""
    return f"batch-{checked_id(identity)}"


def displayed(name: bytes | str) -> str:
    r"""Return a file name as text that any file format can hold: bytes that are not UTF-8 become `\xNN`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def printable(text: str) -> str:
    """Return `text` with control characters escaped, so that a file name cannot steer a terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
