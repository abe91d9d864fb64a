"""Whether a manifest has the keys and types of `docs/manifest.schema.json`; a test holds the two together.

A shape is a type, a dictionary of shapes by key, a list with the shape of its items, a tuple of alternative types, a
`OneOf` with the texts there are, or a `Values` with the shape of every value. Keys beyond the shape are let pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, get_args

from workflows.ids import IdentityPolicy, printable
from workflows.models import ManifestStatus, Mode


class Values(NamedTuple):
    """An object with any keys."""

    shape: Any


class OneOf(NamedTuple):
    """A text out of a few."""

    values: tuple[str, ...]


class Optional(NamedTuple):
    """A key that may be missing."""

    shape: Any


NUMBER = (int, float)
TEXT_OR_NULL = (str, type(None))
NUMBER_OR_NULL = (int, float, type(None))

CHUNK = {
    "file": str,
    "page": int,
    "first_row": int,
    "last_row": int,
    "rows": int,
    "enriched": int,
    "fallback": int,
    "rejected": int,
    "by_error": Values(int),
    "line": int,
    "source_start": int,
    "source_end": int,
    "bytes": int,
    "sha256": str,
}
REJECTED_FILE = {"file": str, "page": int, "rows": int, "bytes": int, "sha256": str}
GAP = {"source_start": int, "source_end": int, "first_row": int, "last_row": (int, type(None))}
SOURCE = {
    "name": str,
    "bytes": int,
    "sha256": str,
    "modified_at": str,
    "first_seen_at": str,
    "stable_at": str,
    "claimed_at": str,
    "archived_as": str,
}
MANIFEST = {
    "manifest_version": int,
    "generation": int,
    "producer": {"name": str, "version": str},
    "id": str,
    "workflow_id": str,
    "run_ids": [str],
    "mode": OneOf(get_args(Mode)),
    "status": OneOf(get_args(ManifestStatus)),
    "source": SOURCE,
    "identity": {
        "policy": OneOf(get_args(IdentityPolicy)),
        "key": str,
        "duplicate_of": Optional(str),
        "rerun_of": Optional(str),
        "reason": Optional(str),
    },
    "dialect": {
        "delimiter": OneOf((",", ";", "\t", "|")),
        "quote": str,
        "encoding": str,
        "newline": OneOf(("\n", "\r\n", "\r", "mixed")),
        "columns": [str],
        "data_start": int,
        "record_rules": Optional(int),
    },
    "counts": {"records": int, "enriched": int, "fallback": int, "rejected": int, "by_error": Values(int)},
    "cancelled": Optional({"by": str, "reason": str}),
    "gaps": Optional([GAP]),
    "parent": Optional({"generation": int, "file": str, "sha256": str}),
    "api": {
        "url": str,
        "calls": int,
        "retries": int,
        "by_status": Values(int),
        "latency_ms": {"p50": NUMBER_OR_NULL, "p95": NUMBER_OR_NULL, "p99": NUMBER_OR_NULL},
    },
    "pauses": [{"from": str, "to": str, "by": str, "reason": str}],
    "limits": [dict],
    "timing": {"started_at": str, "finished_at": str, "duration_s": NUMBER, "rows_per_s": NUMBER},
    "settings": {"max_record_bytes": Optional(int), "max_field_bytes": Optional(int), "page_rows": Optional(int)},
    "chunks": [CHUNK],
    "rejected_files": [REJECTED_FILE],
    "integrity": {"algorithm": str, "digest": str, "previous": TEXT_OR_NULL},
}


def misshapen(value: Any, shape: Any = None, at: str = "manifest") -> Iterator[str]:
    """Yield in words what of `value` does not have the shape of a manifest."""
    shape = MANIFEST if shape is None else shape
    if isinstance(shape, dict):
        yield from _object(value, shape, at)
    elif isinstance(shape, OneOf):
        if value not in shape.values:
            yield f"{at} is none of {', '.join(map(printable, shape.values))}"
    elif isinstance(shape, Values):
        yield from _object(value, dict.fromkeys(value, shape.shape) if isinstance(value, dict) else {}, at)
    elif isinstance(shape, list):
        if not isinstance(value, list):
            yield f"{at} is no list"
            return
        for number, each in enumerate(value):
            yield from misshapen(each, shape[0], f"{at}[{number}]")
    elif not isinstance(value, shape) or isinstance(value, bool):
        yield f"{at} has a value of the wrong type"


def _object(value: Any, shape: dict[str, Any], at: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{at} is no object"
        return
    for key, each in shape.items():
        if type(value.get(key)) is each:
            continue  # nearly all of the many, at a tenth of the time
        optional = isinstance(each, Optional)
        if key in value:
            yield from misshapen(value[key], each.shape if optional else each, f"{at}.{key}")
        elif not optional:
            yield f"{at}.{key} is missing"
