"""The daemon: it takes files, one step at a time, and starts their batches.

Each step is one effect or one look of the real code (`daemon/intake`), in the same order; another process may come
between any two.
"""

from __future__ import annotations

from collections.abc import Iterator

from protocol_filing import filing_step
from protocol_recovery import acted
from protocol_state import DUPLICATES, ENDED, INBOX, SHELVES, Receipt, Run, Story, Task, World, processing, written
from protocol_worker import begun

Steps = Iterator[tuple[str, World]]


def daemon_steps(story: Story, world: World, task: Task) -> Steps:
    """Yield the worlds after the next step of a daemon's procedure: none where it has to wait."""
    if task.kind == "take":
        yield from _TAKING[task.step](story, world, task)
    elif task.kind == "launch":
        yield from _launch(story, world, task)
    elif task.kind == "ask":
        yield "acts on the answer", acted(story, world, task)
    else:
        after = filing_step(story, world, task)
        if after is not None:
            yield f"files, {task.step}", after


def _launch(story: Story, world: World, task: Task) -> Steps:
    batch, file = str(task.key), task.seen[0]
    assert isinstance(file, int)
    if task.step == "note":
        now = world.receipt(batch)
        ended = now is not None and now.state in ENDED
        yield "reads the receipt again", world.with_task(task, None if ended else task._replace(step="write"))
        return
    if task.step == "write":
        receipt = Receipt("running", file, synced=False)
        yield "notes the start", written(story, world, batch, receipt).with_task(task, None)
        return
    run = world.run(batch)
    if run and run.file != file:
        return  # StartedElsewhere: tried again for ever
    started = world
    if run is None:
        started = world.with_run(batch, Run("open", file)).with_task(None, begun(batch, file))
    how = "exists" if run else "started"
    yield f"starts {batch}: {how}", started.with_task(task, task._replace(step="note"))
    if world.left("lost reply"):
        yield f"starts {batch}: {how}, and the reply is lost", started.after("lost reply")


def _note(story: Story, world: World, task: Task) -> Steps:
    """Note the id of the content: the first one stands."""
    name, content = story.files[int(task.key)]
    if content not in dict(world.notes):
        world = world._replace(notes=world.notes | {(content, name)})
    elif story.mutation == "identity note not first wins":
        world = world._replace(notes=frozenset({(content, name)}))
    yield "notes the identity", world.with_task(task, task._replace(step="look"))


def _look(story: Story, world: World, task: Task) -> Steps:
    """Read the receipt of the batch, alone with its id in this process."""
    batch = story.batch(int(task.key), world)
    if any(each.kind == "take" and each.actor == task.actor and batch in each.seen for each in world.tasks):
        yield "steps aside", world.with_task(task, None)
        return
    state = _known(story, world, batch)
    yield "reads the receipt", world.with_task(task, task._replace(step="decide", seen=(task.seen[0], batch, state)))


def _known(story: Story, world: World, batch: str) -> str:
    """Return the state of the batch of this id, empty where there is none."""
    if story.mutation == "recovery trusts only Temporal":
        return "running" if world.run(batch) else ""
    receipt = world.receipt(batch)
    return receipt.state if receipt else ""


def _decide(story: Story, world: World, task: Task) -> Steps:
    """Take the file as a new batch, as a leftover of it, or as a duplicate."""
    where, batch, state = task.seen
    assert isinstance(where, str)
    assert isinstance(batch, str)
    was_filed = story.mutation != "no look at the shelves" and any((batch, each) in world.shelves for each in SHELVES)
    never_claimed = state == "claimed" and batch not in world.folders and not was_filed
    if where == processing(batch):
        step = "launch" if world.receipt(batch) else "sync"
        if story.mutation == "no sync of a leftover" and step == "sync":
            step = "receipt"
    elif state and not never_claimed:
        step, batch = ("move aside", where.partition(":")[2]) if where != INBOX else ("folder", f"aside:{task.key}")
    else:
        step = "folder"
    seen = (where, batch, task.key) if step == "sync" else (where, batch)
    yield "decides", world.with_task(task, task._replace(step=step, seen=seen))


def _folder(_: Story, world: World, task: Task) -> Steps:
    _where, folder = task.seen
    assert isinstance(folder, str)
    if world.files_at(processing(folder)):
        yield "finds the folder in use", world.with_task(task, None)
    else:
        world = world._replace(folders=world.folders | {folder})
        yield f"makes {folder}", world.with_task(task, task._replace(step="compare"))


def _compare(_: Story, world: World, task: Task) -> Steps:
    where, folder = task.seen
    if world.places[int(task.key)] != where:
        yield "finds another file or none", _without_empty(world.with_task(task, None), str(folder))
    else:
        yield "finds the file as it was", world.with_task(task, task._replace(step="rename"))


def _rename(story: Story, world: World, task: Task) -> Steps:
    """Rename whatever has the name by now."""
    where, folder = task.seen
    assert isinstance(where, str)
    assert isinstance(folder, str)
    name = story.name(int(task.key))
    found = [each for each in world.files_at(where) if story.name(each) == name]
    taken = any(story.name(each) == name for each in world.files_at(processing(folder)))
    if not found or taken or folder not in world.folders:
        yield "cannot rename it", _without_empty(world.with_task(task, None), folder)
        return
    world = world.moved(found[0], processing(folder))
    world = world._replace(unsynced=world.unsynced | {(found[0], where)})
    yield f"renames file {found[0]}", world.with_task(task, task._replace(step="sync", seen=(where, folder, found[0])))


def _sync(story: Story, world: World, task: Task) -> Steps:
    """Make sure of what was renamed, and that it stays so."""
    where, folder, renamed = task.seen
    assert isinstance(where, str)
    assert isinstance(renamed, int)
    if renamed != task.key:
        if not any(story.name(each) == story.name(renamed) for each in world.files_at(where)):
            world = world.moved(renamed, where)
        yield "puts another file back", _without_empty(world.with_task(task, None), str(folder))
        return
    if story.mutation != "no sync of the claim":
        world = world._replace(unsynced=frozenset(each for each in world.unsynced if each[0] != renamed))
    step = "move aside" if str(folder).startswith("aside:") else "receipt"
    if step == "receipt" and story.mutation == "receipt after start":
        step = "launch"
    yield "syncs", world.with_task(task, task._replace(step=step, seen=(where, folder)))


def _receipt(story: Story, world: World, task: Task) -> Steps:
    batch, file = str(task.seen[1]), int(task.key)
    world = written(story, world, batch, Receipt("claimed", file, synced=False))
    yield f"writes the receipt of {batch}", _launched(world, task, batch, file)


def _already(_: Story, world: World, task: Task) -> Steps:
    batch = str(task.seen[1])
    receipt = world.receipt(batch)
    yield "goes on to the start", _launched(world, task, batch, receipt.file if receipt else int(task.key))


def _launched(world: World, task: Task, batch: str, file: int) -> World:
    world = world.with_task(task, None)
    others = [each for each in world.tasks if each.actor == task.actor and each.kind == "launch" and each.key == batch]
    return world if others else world.with_task(None, Task(task.actor, "launch", batch, "start", (file,)))


def _move_aside(_: Story, world: World, task: Task) -> Steps:
    folder, file = str(task.seen[1]), int(task.key)
    if world.places[file] == processing(folder):
        world = world.moved(file, DUPLICATES)._replace(unsynced=world.unsynced | {(file, processing(folder))})
    yield f"moves file {file} to duplicates", world.with_task(task, task._replace(step="tidy"))


def _tidy(_: Story, world: World, task: Task) -> Steps:
    world = world._replace(unsynced=frozenset(each for each in world.unsynced if each[0] != task.key))
    yield "removes its folder", _without_empty(world.with_task(task, None), str(task.seen[1]))


def _without_empty(world: World, folder: str) -> World:
    return world if world.files_at(processing(folder)) else world._replace(folders=world.folders - {folder})


_TAKING = {
    "note": _note,
    "look": _look,
    "decide": _decide,
    "folder": _folder,
    "compare": _compare,
    "rename": _rename,
    "sync": _sync,
    "receipt": _receipt,
    "launch": _already,
    "move aside": _move_aside,
    "tidy": _tidy,
}
