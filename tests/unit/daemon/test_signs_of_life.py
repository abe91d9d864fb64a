"""Workers that give no sign of life: they are ended and begin again, and nobody else is."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack

from intake_site import until

from daemon.processes.child import Child, own_environment
from daemon.processes.restarts import Supervisor
from daemon.processes.signs_of_life import SilentChildren

LIVELY = """
import time
print("ready", flush=True)
while True:
    print('{"kind":"Alive"}', flush=True)
    time.sleep(0.2)
"""
SILENT = """
import time
print("ready", flush=True)
time.sleep(1000)
"""


async def test_a_worker_that_is_silent_is_killed_and_begins_again_and_one_that_gives_signs_is_left_alone() -> None:
    children = [Child(name, [sys.executable, "-c", code], env=own_environment()) for name, code in PROGRAMS.items()]
    supervisor = Supervisor()
    async with AsyncExitStack() as stack:
        for child in children:
            supervisor.keep(child.name, child.keep_running)
            stack.push_async_callback(child.stop, 5)
        stack.push_async_callback(supervisor.stop)
        await asyncio.wait_for(asyncio.gather(*(child.ready() for child in children)), 10)
        before = {child.name: child.pid for child in children}
        supervisor.keep("signs of life", SilentChildren(children, patience_s=2).watch)

        lively, silent = children
        await until(lambda: silent.pid != before["silent"], "the silent one begins again")
        assert lively.pid == before["lively"]


PROGRAMS = {"lively": LIVELY, "silent": SILENT}
