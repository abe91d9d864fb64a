"""Children that are given a configuration: one in which it does not take hold begins again with it."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack

import pytest
from intake_site import events, until

from daemon.processes.child import Child, own_environment
from daemon.processes.configured_children import ConfiguredChildren
from daemon.processes.messages import Configure
from daemon.processes.restarts import Supervisor

PROGRAM = """
import json, sys
print("ready", flush=True)
for line in sys.stdin:
    given = json.loads(line)
    if {answers} and given["number"]:
        error = {error!r}
        print('{{"kind":"Configured","number":%d,"error":"%s"}}' % (given["number"], error), flush=True)
"""


class Children:
    """Children that answer as their program says, and the greeting that each of them is started with."""

    def __init__(self) -> None:
        self.accepted = Configure(0, "batchd.toml", "old")
        self.greeted: list[tuple[str, str]] = []

    def child(self, name: str, *, answers: bool = True, error: str = "") -> Child:
        def greeting() -> Configure:
            self.greeted.append((name, self.accepted.content))
            return self.accepted

        code = PROGRAM.format(answers=answers, error=error)
        return Child(name, [sys.executable, "-c", code], env=own_environment(), greeting=greeting)


@pytest.mark.parametrize("silent", [False, True])
async def test_a_child_that_does_not_take_a_configuration_begins_again_with_it_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture, *, silent: bool
) -> None:
    children = Children()
    good = children.child("good")
    bad = children.child("bad", answers=not silent, error="no room for it")
    configured, supervisor = ConfiguredChildren([good, bad], patience_s=0.5), Supervisor()
    async with AsyncExitStack() as stack:
        for child in (good, bad):
            supervisor.keep(child.name, child.keep_running)
            stack.push_async_callback(child.stop, 5)
        stack.push_async_callback(supervisor.stop)
        await asyncio.wait_for(asyncio.gather(good.ready(), bad.ready()), 10)
        before = {child.name: child.pid for child in (good, bad)}

        children.accepted = Configure(0, "batchd.toml", "new")
        await configured.configure("batchd.toml", "new")
        await until(lambda: bad.pid != before["bad"] and bad.is_ready, "the one that did not take it is back")

    assert good.pid == before["good"]
    assert children.greeted == [("good", "old"), ("bad", "old"), ("bad", "new")]
    [said] = events(caplog, "child.not_configured")
    assert said["child"] == "bad"
    assert said["why"] == ("no answer within 0.5 s" if silent else "no room for it")


async def test_where_all_take_it_none_begins_again() -> None:
    children = Children()
    good, supervisor = children.child("good"), Supervisor()
    async with AsyncExitStack() as stack:
        supervisor.keep(good.name, good.keep_running)
        stack.push_async_callback(good.stop, 5)
        stack.push_async_callback(supervisor.stop)
        await asyncio.wait_for(good.ready(), 10)
        pid = good.pid
        await ConfiguredChildren([good]).configure("batchd.toml", "new")
        assert (good.pid, good.is_ready) == (pid, True)
