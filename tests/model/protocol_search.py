"""Every world that a story can come to, breadth first, so that what is found wrong is told by the fewest steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from protocol_daemon import daemon_steps
from protocol_faults import drops, faults
from protocol_recovery import scans
from protocol_rules import broken_always, broken_at_rest
from protocol_state import Story, World
from protocol_worker import worker_step

Came = dict[World, tuple[World, str] | None]
"""From which world each one was first reached, and by which step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """What a search found: `broken` is empty where every promise holds, else `path` leads there from the beginning."""

    states: int
    resting: int
    broken: str = ""
    path: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.states} states, {self.resting} at rest", *([f"BROKEN: {self.broken}"] if self.broken else [])]
        return "\n".join([*lines, *(f"  {number}. {step}" for number, step in enumerate(self.path, 1))])


def steps(story: Story, world: World) -> Iterator[tuple[str, World]]:
    """Yield what may happen next by itself: drops, scans, and the next step of every procedure."""
    yield from drops(story, world)
    for daemon in story.daemons:
        if not world.leader:
            yield f"{daemon} takes the lead", world._replace(leader=daemon)
        if story.leads(daemon, world):
            for label, after in scans(story, world, daemon):
                yield f"{daemon} {label}", after
    for task in world.tasks:
        if task.actor == "worker":
            after_work = worker_step(story, world, task)
            if after_work is not None:
                yield f"the worker goes on with {task.key}: {task.kind}, {task.step}", after_work
        else:
            for label, after in daemon_steps(story, world, task):
                yield f"{task.actor} {label}", after


def search(story: Story) -> Searched:
    """Search all of a story: every order of steps, with every fault at every place."""
    first = story.begun()
    came: Came = {first: None}
    before: dict[World, list[World]] = {}
    level, resting = [first], []
    while level:
        reached: list[World] = []
        for world in level:
            wrong = broken_always(story, world)
            own = [each for each in steps(story, world) if each[1] != world]
            if not own:
                resting.append(world)
                wrong = wrong or broken_at_rest(story, world)
            if wrong:
                return Searched(states=len(came), resting=len(resting), broken=wrong, path=_path(came, world))
            for _, after in own:
                before.setdefault(after, []).append(world)
            for label, after in (*own, *faults(story, world)):
                if after not in came:
                    came[after] = (world, label)
                    reached.append(after)
        level = reached
    endless = _without_end(came, before, resting)
    if endless is not None:
        broken = "from here the end is never reached without another fault"
        return Searched(states=len(came), resting=len(resting), broken=broken, path=_path(came, endless))
    return Searched(states=len(came), resting=len(resting))


def _without_end(came: Came, before: dict[World, list[World]], resting: list[World]) -> World | None:
    """Return the first world from which no steps lead to one at rest."""
    ends, open_worlds = set(resting), list(resting)
    while open_worlds:
        for each in before.get(open_worlds.pop(), ()):
            if each not in ends:
                ends.add(each)
                open_worlds.append(each)
    return next((each for each in came if each not in ends), None)


def _path(came: Came, world: World) -> tuple[str, ...]:
    path: list[str] = []
    step = came[world]
    while step is not None:
        world, label = step
        path.append(label)
        step = came[world]
    return tuple(reversed(path))
