"""The worker: it loads the claimed file, makes the result and files the source, each tried again after a kill."""

from __future__ import annotations

from protocol_filing import filing_step
from protocol_state import ENDED, SHELVES, Story, Task, World, processing

OF_THE_RUN = "of the run"
LET_GO = "let go"
"""Of a task whose run was ended in Temporal past it: it may go on for a while, and its answer reaches nobody."""


def begun(batch: str, file: int) -> Task:
    """Return the work of a run that has just been started."""
    return Task("worker", "work", batch, "load", ("", file, OF_THE_RUN))


def worker_step(story: Story, world: World, task: Task) -> World | None:
    """Return the world after the next step of a worker; None where it has to wait."""
    if task.kind == "file":
        return filing_step(story, world, task)
    batch, (_, file, whose) = str(task.key), task.seen
    assert isinstance(file, int)
    receipt = world.receipt(batch)
    ended = receipt is not None and receipt.state in ENDED
    if task.step == "load":
        if world.places[file] == processing(batch):
            if ended:
                world = world._replace(broken="a batch that has ended is worked again")
            return world.with_task(task, task._replace(step="work"))
        if batch not in world.folders and not ended:
            return None  # the inbox may be away: waited for
        if whose == LET_GO:
            return world.with_task(task, None)
        if not ended and world.places[file] not in SHELVES:
            world = world._replace(broken="a batch fails although nobody took its file")
        return world.with_task(task, Task("worker", "file", batch, "check", ("failed", file, whose)))
    world = world._replace(results=world.results | {batch})
    return world.with_task(task, Task("worker", "file", batch, "check", ("completed", file, whose)))


def let_go(world: World, batch: str) -> World:
    """Return the world after the run of a batch was ended in Temporal while a worker is at it."""
    for each in world.tasks:
        if each.actor == "worker" and each.key == batch:
            world = world.with_task(each, each._replace(seen=(*each.seen[:2], LET_GO)))
    return world


def killed(task: Task) -> Task | None:
    """Return what Temporal lets a new worker do in the place of a killed one."""
    if task.seen[2] == LET_GO:
        return None
    return task._replace(step="check" if task.kind == "file" else "load")
