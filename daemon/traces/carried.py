"""The trace of a batch as it travels: the ids of its spans, and the header that carries them through Temporal.

The ids follow from the batch and its claim. So a start whose reply was lost, or a daemon that is killed and starts the
batch again, makes the same trace and never a second one; and the span of a batch can be written at its end by whichever
worker files its source, under the id that its steps have had as their parent all along.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadConverter

HEADER = "_tracer-data"
"""Where Temporal's own interceptors keep the context too, in the same form: a JSON object with `traceparent`."""

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
SAMPLED = 1


@dataclass(frozen=True, slots=True)
class BatchTrace:
    """The trace of one batch that is sampled; others have none."""

    trace_id: int

    @classmethod
    def of(cls, workflow_id: str, claimed_at: str) -> BatchTrace:
        """Return the trace of the batch that a claim has made."""
        return cls(_number(f"{workflow_id} {claimed_at}", 16))

    @classmethod
    def in_header(cls, headers: Mapping[str, Payload]) -> BatchTrace | None:
        """Return the trace that a step belongs to; None where its batch is not sampled."""
        payload = headers.get(HEADER)
        if payload is None:
            return None
        try:
            [carrier] = PayloadConverter.default.from_payloads([payload])
            found = _TRACEPARENT.fullmatch(carrier["traceparent"])
        except (ValueError, KeyError, TypeError, RuntimeError):
            return None
        return cls(int(found[1], 16)) if found and int(found[3], 16) & SAMPLED else None

    @property
    def file_id(self) -> int:
        """The id of the root, the span of the file until its batch runs."""
        return _number(f"{self.trace_id:032x} file", 8)

    @property
    def batch_id(self) -> int:
        """The id of the span of the batch."""
        return _number(f"{self.trace_id:032x} batch", 8)

    def header(self) -> dict[str, Payload]:
        """Return the header that makes the steps of a workflow children of the batch."""
        carrier = {"traceparent": traceparent(self.trace_id, self.batch_id)}
        return {HEADER: PayloadConverter.default.to_payloads([carrier])[0]}


def traceparent(trace_id: int, span_id: int) -> str:
    """Return the W3C header of a sampled span."""
    return f"00-{trace_id:032x}-{span_id:016x}-01"


def _number(text: str, size_bytes: int) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:size_bytes], "big") or 1
