"""Failures that a server keeps whole."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from temporalio.api.failure.v1 import Failure
from temporalio.exceptions import ActivityError, ApplicationError, RetryState

from daemon.temporal.failures import MOST_BYTES
from daemon.temporal.payloads import DATA_CONVERTER
from workflows.errors import StorageFull


def failure_of(raising: Callable[[], None]) -> Failure:
    converter, failure = DATA_CONVERTER, Failure()
    try:
        raising()
    except Exception as error:  # noqa: BLE001 - whatever it is
        converter.failure_converter.to_failure(error, converter.payload_converter, failure)
    return failure


def deeply(raising: Callable[[], None], depth: int = 60) -> None:
    """Raise from so far down that the trace alone is longer than what a server keeps."""
    if depth:
        [deeply, still_deeply][depth % 2](raising, depth - 1)
    raising()


def still_deeply(raising: Callable[[], None], depth: int) -> None:
    deeply(raising, depth)


def full_disk() -> None:
    try:
        deeply(lambda: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    except OSError as error:
        raise StorageFull("writing /srv/out: No space left on device") from error


def test_of_a_foreseeable_error_the_message_is_all() -> None:
    failure = failure_of(full_disk)
    assert (failure.message, failure.stack_trace) == ("writing /srv/out: No space left on device", "")
    assert failure.application_failure_info.type == "StorageFull"
    assert not failure.HasField("cause")


def test_of_a_mistake_the_end_of_the_trace_is_kept_which_says_where_it_is() -> None:
    def mistake() -> None:
        raise KeyError("rows")

    failure = failure_of(lambda: deeply(mistake))
    assert MOST_BYTES - 100 < failure.ByteSize() <= MOST_BYTES
    assert failure.message == "'rows'"
    assert failure.stack_trace.rstrip().endswith('raise KeyError("rows")')


def test_the_causes_of_a_mistake_are_named_while_there_is_room() -> None:
    def mistake() -> None:
        try:
            deeply(lambda: (_ for _ in ()).throw(ValueError("the cause")))
        except ValueError as error:
            raise KeyError("rows") from error

    failure = failure_of(mistake)
    assert failure.ByteSize() <= MOST_BYTES
    assert (failure.cause.message, failure.cause.stack_trace) == ("the cause", "")


@pytest.mark.parametrize("letter", ["x", "\N{SLICE OF PIZZA}"])
def test_long_words_are_cut(letter: str) -> None:
    def wordy() -> None:
        raise RuntimeError(letter * 5_000)

    failure = failure_of(wordy)
    assert failure.ByteSize() <= MOST_BYTES
    assert failure.message.startswith(letter * 800)


def test_what_an_activity_failed_of_is_kept_in_the_failure_of_its_workflow() -> None:
    def step() -> None:
        cause = ApplicationError("writing /srv/out", type="StorageFull")
        said = {"scheduled_event_id": 5, "started_event_id": 6, "identity": "w", "activity_type": "save_chunk"}
        error = ActivityError("Activity task failed", **said, activity_id="1", retry_state=RetryState.TIMEOUT)
        error.__cause__ = cause
        deeply(lambda: (_ for _ in ()).throw(error))

    failure = failure_of(step)
    assert failure.ByteSize() <= MOST_BYTES
    assert failure.cause.message == "writing /srv/out"
