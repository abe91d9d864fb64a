"""Two installations in one namespace of Temporal: neither takes the other's result for its own."""

from __future__ import annotations

from collections.abc import Callable

from installation import Installation, eventually, users


def test_the_same_file_in_two_installations_is_worked_in_the_first_and_held_in_the_second(
    installation: Callable[..., Installation],
) -> None:
    first, second = installation("first"), installation("second")
    first.temporal()
    first.mock_api()
    second.set(TEMPORAL_ADDRESS=first.env["TEMPORAL_ADDRESS"], BATCH_API_URL=first.env["BATCH_API_URL"])
    second.set(BATCH_TASK_QUEUE="second")
    first.batchd()
    first.drop("users.csv", users(20))
    [output] = first.finished()

    daemon = second.batchd()
    second.drop("users.csv", users(20))
    [delayed] = eventually(lambda: daemon.logged("batch.start_delayed"), "the second start is put off")
    assert str(first.inbox) in delayed["why"]
    assert str(output) in delayed["why"]
    status = second.status("users.csv")
    assert (status["state"], status["waiting_on"]) == ("waiting", "start")
    assert second.batchctl("wait", "users.csv", "--timeout", "1").returncode == 5
    assert len(list(second.inbox.glob(".processing/*/users.csv"))) == 1
    assert second.outputs() == []
