"""What senders, operators, power and time do: each fault as often as the story allows."""

from __future__ import annotations

from collections.abc import Iterator

from protocol_state import INBOX, OUTSIDE, OVERWRITTEN, Run, Story, World
from protocol_worker import begun, killed, let_go

Steps = Iterator[tuple[str, World]]


def drops(story: Story, world: World) -> Steps:
    """Yield the drops of files: over one of the same name where that is still in the inbox."""
    for file in world.files_at(OUTSIDE):
        for each in world.files_at(INBOX):
            if story.name(each) == story.name(file):
                world = world.moved(each, OVERWRITTEN)
        yield f"the sender drops file {file} ({'/'.join(story.files[file])})", world.moved(file, INBOX)
        return  # in the order of the story


def faults(story: Story, world: World) -> Steps:
    """Yield every fault that may happen now."""
    if world.left("crash"):
        yield from _crashes(story, world.after("crash"))
    if world.left("power cut"):
        yield from _power_cuts(world.after("power cut"))
    if world.left("wipe") and world.runs:
        # The work in flight ends with its run: what a worker files in that very millisecond is out of this model.
        daemons = frozenset(each for each in world.tasks if each.actor != "worker")
        yield "the namespace is wiped", world.after("wipe")._replace(runs=frozenset(), tasks=daemons)
    for batch, run in sorted(world.runs):
        yield from _of_a_run(world, batch, run)


def _of_a_run(world: World, batch: str, run: Run) -> Steps:
    if world.left("retention") and run.state != "open":
        yield f"Temporal forgets {batch}", world.after("retention").with_run(batch, None)
    if world.left("terminate") and run.state == "open":
        after = world.after("terminate").with_run(batch, run._replace(state="terminated"))
        yield f"{batch} is terminated in Temporal", let_go(after, batch)
    if world.left("reset"):
        after = let_go(world.after("reset").with_run(batch, Run("open", run.file)), batch)
        yield f"{batch} is reset in Temporal", after.with_task(None, begun(batch, run.file))


def _crashes(story: Story, world: World) -> Steps:
    for daemon in story.daemons:
        gone = frozenset(each for each in world.tasks if each.actor == daemon)
        if gone:
            leader = "" if world.leader == daemon else world.leader
            yield f"{daemon} is killed", world._replace(tasks=world.tasks - gone, leader=leader)
    after = _without_workers(world)
    if after.tasks != world.tasks:
        yield "the worker is killed", after


def _power_cuts(world: World) -> Steps:
    """Yield what may be left after a power cut: everything, or of what is not synced nothing."""
    workers = frozenset(each for each in world.tasks if each.actor == "worker")
    after = _without_workers(world._replace(tasks=workers, leader=""))
    kept = frozenset((each, receipt._replace(synced=True)) for each, receipt in world.receipts)
    yield "the power is cut", after._replace(unsynced=frozenset(), receipts=kept)
    reverted = after._replace(unsynced=frozenset())
    for file, was in sorted(world.unsynced):
        if not was.startswith("processing:") or was.partition(":")[2] in world.folders:
            reverted = reverted.moved(file, was)
        else:
            folder = was.partition(":")[2]
            reverted = reverted.moved(file, was)._replace(folders=reverted.folders | {folder})
    if world.unsynced:
        yield "the power is cut, and moves are lost", reverted._replace(receipts=kept)
    synced = frozenset(each for each in world.receipts if each[1].synced)
    if synced != world.receipts:
        yield "the power is cut, and receipts are lost", after._replace(unsynced=frozenset(), receipts=synced)
        if world.unsynced:
            yield "the power is cut, and moves and receipts are lost", reverted._replace(receipts=synced)


def _without_workers(world: World) -> World:
    for each in world.tasks:
        if each.actor == "worker":
            world = world.with_task(each, killed(each))
    return world
