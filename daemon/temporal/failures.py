"""Why an activity failed, short enough for a server to keep it.

A server holds at most 4 KiB of the failure of an activity that it tries again
(`limit.mutableStateActivityFailureSize.error`), and puts "Failure exceeds size limit." in the place of a longer one.
Then nobody can read what a batch waits for.
"""

from __future__ import annotations

from temporalio.api.failure.v1 import Failure
from temporalio.converter import DefaultFailureConverter, PayloadConverter

from workflows.errors import BatchdError, shortened

MOST_BYTES = 3_900
"""With what the server writes to it, a failure of this size stays below its limit."""


class ShortFailures(DefaultFailureConverter):
    """The SDK's failures, at most `MOST_BYTES` long. Of a foreseeable error the message says all there is to say."""

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """Turn an exception into a failure."""
        super().to_failure(exception, payload_converter, failure)
        if isinstance(exception, BatchdError):
            failure.stack_trace = ""
            failure.ClearField("cause")
        _shorten(failure)


def _shorten(failure: Failure) -> None:
    """Leave out first where causes come from, then the causes, the beginning of the trace, the end of the words."""
    if failure.ByteSize() > MOST_BYTES:
        cause = failure
        while cause.HasField("cause"):
            cause = cause.cause
            cause.stack_trace = ""
    if failure.ByteSize() > MOST_BYTES and failure.HasField("cause") and not _is_of_a_step(failure):
        failure.ClearField("cause")
    if failure.ByteSize() > MOST_BYTES:
        failure.stack_trace = _end_of(failure.stack_trace, failure.ByteSize() - MOST_BYTES)
    if failure.ByteSize() > MOST_BYTES:
        failure.message = shortened(failure.message, 900)


def _is_of_a_step(failure: Failure) -> bool:
    """Whether its words are those of its cause, as where an activity or a child workflow has failed."""
    return failure.HasField("activity_failure_info") or failure.HasField("child_workflow_execution_failure_info")


def _end_of(text: str, bytes_less: int) -> str:
    """Return a text without so many bytes, and a few more, of its beginning."""
    return text.encode()[bytes_less + 8 :].decode(errors="ignore")
