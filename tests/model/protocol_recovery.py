"""What a scan begins: files of the inbox, interrupted claims, and batches that Temporal has no open run of."""

from __future__ import annotations

from collections.abc import Iterator

from protocol_state import ENDED, INBOX, SHELVES, Receipt, Story, Task, World, processing

Steps = Iterator[tuple[str, World]]


def scans(story: Story, world: World, daemon: str) -> Steps:
    """Yield what a scan of the daemon that leads may begin."""
    busy = {each.key for each in world.tasks if each.actor == daemon and each.kind == "take"}
    for file in world.files_at(INBOX):
        if file not in busy:
            yield f"finds file {file} in the inbox", world.with_task(None, _take(story, daemon, file, INBOX))
    for folder in sorted(world.folders):
        if not world.in_hand(daemon, folder):
            yield from _adopts(story, world, daemon, folder, busy)


def acted(story: Story, world: World, task: Task) -> World:
    """Act on what Temporal said of a batch, as `Leftovers.act_on` and `Endings.file` do."""
    batch, receipt = str(task.key), world.receipt(str(task.key))
    if receipt is None or batch not in world.folders:
        return world.with_task(task, None)
    if receipt.state in ENDED:
        outcome = receipt.state
    elif _has_moved(story, world, receipt):
        outcome = "completed" if world.places[receipt.file] == "archive" else "failed"
    elif task.step == "unknown":
        return world.with_task(task, Task(task.actor, "launch", batch, "start", (receipt.file,)))
    else:
        outcome = "completed" if task.step == "completed" and batch in world.results else "failed"
    return world.with_task(task, Task(task.actor, "file", batch, "check", (outcome, receipt.file)))


def _take(story: Story, daemon: str, file: int, where: str) -> Task:
    return Task(daemon, "take", file, "note" if story.content_alone else "look", (where,))


def _adopts(story: Story, world: World, daemon: str, folder: str, busy: set[int | str]) -> Steps:
    receipt, there = world.receipt(folder), world.files_at(processing(folder))
    if receipt is None:
        if len(there) == 1 and there[0] not in busy:
            task = _take(story, daemon, there[0], processing(folder))
            yield f"finds file {there[0]} in .processing without a receipt", world.with_task(None, task)
        elif not there:
            yield f"removes the empty folder {folder}", world._replace(folders=world.folders - {folder})
    elif receipt.state == "claimed" and not _has_moved(story, world, receipt):
        yield f"finds {folder} claimed", world.with_task(None, Task(daemon, "launch", folder, "start", (receipt.file,)))
    else:
        run = world.run(folder)
        if run is None or run.state != "open":
            answer = run.state if run else "unknown"
            yield f"hears that {folder} is {answer}", world.with_task(None, Task(daemon, "ask", folder, answer))


def _has_moved(story: Story, world: World, receipt: Receipt) -> bool:
    """True if a filing was interrupted after its move: whoever started the batch again would find no file."""
    return story.mutation != "interrupted filings are started again" and world.places[receipt.file] in SHELVES
