"""Messages between the parent and its children, over real pipes."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from dataclasses import dataclass

import pytest
import uvloop
from intake_site import until

from daemon.processes.child import Child, own_environment
from daemon.processes.messages import Mailbox, encoded


@dataclass(frozen=True, slots=True)
class Item:
    name: str
    count: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    items: tuple[Item, ...] = ()


ECHO = """
import asyncio
from daemon.processes.parent import Parent
from test_messages import Asked

async def main():
    over, parent = asyncio.Event(), Parent()
    parent.on(Asked, parent.send)
    parent.listen(over.set)
    print("a word", flush=True)
    parent.ready()
    await over.wait()

asyncio.run(main())
"""


def echo() -> Child:
    path = os.pathsep.join([os.path.dirname(__file__), *sys.path])  # noqa: PTH120 - a search path is text
    return Child("echo", [sys.executable, "-c", ECHO], env=own_environment() | {"PYTHONPATH": path})


async def test_messages_go_to_a_child_and_back_beside_what_it_prints_also_after_it_was_killed() -> None:
    child = echo()
    came: list[Asked] = []
    ended: list[int] = []
    child.on(Asked, came.append)
    child.on_end.append(lambda: ended.append(len(came)))
    keeping = asyncio.create_task(child.keep_running())
    try:
        await asyncio.wait_for(child.ready(), 20)
        asked = Asked(tuple(Item(f"ä\n{number}", number) for number in range(5_000)))
        child.send(asked)
        await until(lambda: came == [asked], "a message longer than a pipe comes back whole")
        assert child.last_words() == "a word / ready"
        first = child.pid
        os.kill(first, signal.SIGKILL)
        await until(lambda: child.is_ready and child.pid != first, "it is started again")
        assert ended == [1]
        child.send(Asked())
        await until(lambda: came == [asked, Asked()], "the new process answers")
    finally:
        await child.stop(5)
        await keeping


def test_a_message_that_is_not_handled_well_is_logged_and_those_behind_it_are_handled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    mailbox = Mailbox()
    came: list[str] = []

    def handle(item: Item) -> None:
        came.append(item.name)
        raise ValueError(item.name)

    mailbox.on(Item, handle)
    mailbox.take_block(encoded(Item("a")) + encoded(Item("b")))
    assert came == ["a", "b"]
    assert [each.message for each in caplog.records] == ["message.not_handled"] * 2


def test_sending_to_a_child_whose_pipe_is_closed_already_does_nothing() -> None:
    async def send() -> None:
        child = Child("short", [sys.executable, "-c", "import time; time.sleep(60)"], env=own_environment())
        await child.start()
        assert child._process is not None
        assert child._process.stdin is not None
        child._process.stdin.close()
        await child._process.stdin.wait_closed()
        try:
            child.send(Item("late"))
        finally:
            await child.stop(5)

    uvloop.run(send())  # as in the service; the loop of asyncio itself never raises here


def test_a_message_that_nobody_wants_or_that_cannot_be_read_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    mailbox = Mailbox()
    came: list[Item] = []
    assert mailbox.take(encoded(Item("a")))
    mailbox.on(Item, came.append)
    with caplog.at_level(logging.WARNING):
        assert mailbox.take(b'{"kind":"Item","nam')
        assert mailbox.take(b'{"kind":"Item","number":[]}')
        assert not mailbox.take(b"ready")
    assert [each.message for each in caplog.records] == ["message.unreadable"] * 2
    mailbox.take_block(encoded(Item("b"))[:9])
    mailbox.take_block(encoded(Item("b"))[9:] + encoded(Item("c")))
    assert came == [Item("b"), Item("c")]
