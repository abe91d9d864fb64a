"""The steps of `activities.file_source`, for a worker that ends a batch and a daemon that finds one ended."""

from __future__ import annotations

from protocol_state import ENDED, SHELVES, Receipt, Story, Task, World, processing, written


def filing_step(story: Story, world: World, task: Task) -> World | None:
    """Return the world after the next step of filing a source; None where it has to wait."""
    batch, (outcome, file) = str(task.key), task.seen[:2]
    assert isinstance(file, int)
    shelf = "archive" if outcome == "completed" else "failed"
    if task.step == "check":
        return _checked(world, task, batch, shelf)
    if task.step == "shelf":
        world = _next(world._replace(shelves=world.shelves | {(batch, shelf)}), task, "move")
    elif task.step == "move":
        world = _moved(story, world, task, shelf)
    elif task.step == "sync":
        filed = set(world.files_at(shelf))
        world = world._replace(unsynced=frozenset(each for each in world.unsynced if each[0] not in filed))
        world = _next(world, task, "close")
    elif task.step == "close":
        world = _next(written(story, world, batch, Receipt(str(outcome), file, synced=True)), task, "folder")
    else:
        if not world.files_at(processing(batch)):
            world = world._replace(folders=world.folders - {batch})
        world = _done(world, task)
    return world


def _checked(world: World, task: Task, batch: str, shelf: str) -> World | None:
    outcome, file = task.seen[:2]
    assert isinstance(file, int)
    receipt = world.receipt(batch)
    ended = receipt is not None and receipt.state in ENDED
    if ended and receipt and receipt.state != outcome:
        return _done(world, task)
    if not ended and task.actor == "worker" and outcome == "failed" and world.places[file] in SHELVES:
        return _done(world, task)  # it was filed by another run, and the daemon closes the receipt by that
    if batch not in world.folders and (batch, shelf) not in world.shelves:
        return None  # InboxMissing: waited for
    return _next(world, task, "shelf")


def _moved(story: Story, world: World, task: Task, shelf: str) -> World:
    batch = str(task.key)
    there = world.files_at(processing(batch))
    if there:
        was = (there[0], processing(batch))
        return world.moved(there[0], shelf)._replace(unsynced=world.unsynced | {was})
    if story.mutation == "folder removed before the receipt is closed":
        world = world._replace(folders=world.folders - {batch})
    return _next(world, task, "sync")


def _next(world: World, task: Task, step: str) -> World:
    return world.with_task(task, task._replace(step=step))


def _done(world: World, task: Task) -> World:
    """End the filing: a worker's ends the run too, where Temporal still knows it."""
    world, batch = world.with_task(task, None), str(task.key)
    run = world.run(batch)
    if task.actor == "worker" and run and run.state == "open" and task.seen[2] == "of the run":
        return world.with_run(batch, run._replace(state=str(task.seen[0])))
    return world
