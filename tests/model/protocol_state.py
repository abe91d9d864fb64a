"""What the protocol of claim, receipt, start and filing is about: one value holds all that a step can see or change.

A batch id is `<content>/<name>`, as the real one follows from both; a folder of `.processing/` has the id of its batch,
or `aside:<file>`. Files are numbers, places in a story's list of files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

OUTSIDE, INBOX, DUPLICATES, OVERWRITTEN = "outside", "inbox", "duplicates", "overwritten"
SHELVES = ("archive", "failed")
ENDED = frozenset({"completed", "failed"})

Mutation = Literal[
    "",
    "receipt after start",
    "no sync of the claim",
    "no sync of a leftover",
    "no leader lock",
    "recovery trusts only Temporal",
    "identity note not first wins",
    "receipts may go back",
    "no look at the shelves",
    "folder removed before the receipt is closed",
    "interrupted filings are started again",
]
"""One step left out or done in another order: each has to be found by a search, else the search proves nothing."""


class Receipt(NamedTuple):
    """One receipt; `file` is its source. One that is not synced may be gone after a power cut."""

    state: str
    file: int
    synced: bool


class Run(NamedTuple):
    """What Temporal knows of a batch: `open`, `completed`, `failed` or `terminated`."""

    state: str
    file: int


class Task(NamedTuple):
    """A procedure under way: the next step of it, and what it has seen so far."""

    actor: str
    kind: str
    key: int | str
    step: str
    seen: tuple[object, ...] = ()


class World(NamedTuple):
    """Disk, Temporal, processes, and the faults that may still happen."""

    places: tuple[str, ...]
    folders: frozenset[str] = frozenset()
    unsynced: frozenset[tuple[int, str]] = frozenset()
    shelves: frozenset[tuple[str, str]] = frozenset()
    notes: frozenset[tuple[str, str]] = frozenset()
    receipts: frozenset[tuple[str, Receipt]] = frozenset()
    runs: frozenset[tuple[str, Run]] = frozenset()
    results: frozenset[str] = frozenset()
    tasks: frozenset[Task] = frozenset()
    leader: str = ""
    faults: tuple[tuple[str, int], ...] = ()
    broken: str = ""
    """The promise that the last step broke; a search ends there."""

    def receipt(self, batch: str) -> Receipt | None:
        """Return the receipt of a batch."""
        return next((each for name, each in self.receipts if name == batch), None)

    def run(self, batch: str) -> Run | None:
        """Return what Temporal remembers of a batch."""
        return next((each for name, each in self.runs if name == batch), None)

    def files_at(self, place: str) -> list[int]:
        """Return the files that lie at a place."""
        return [file for file, each in enumerate(self.places) if each == place]

    def moved(self, file: int, place: str) -> World:
        """Return the world after one file was moved."""
        return self._replace(places=(*self.places[:file], place, *self.places[file + 1 :]))

    def with_run(self, batch: str, run: Run | None) -> World:
        """Return the world with another knowledge of Temporal's."""
        others = frozenset(each for each in self.runs if each[0] != batch)
        return self._replace(runs=others | {(batch, run)} if run else others)

    def with_task(self, old: Task | None, new: Task | None) -> World:
        """Return the world in which one procedure has become another, or begun, or ended."""
        return self._replace(tasks=(self.tasks - {old} if old else self.tasks) | ({new} if new else set()))

    def in_hand(self, actor: str, batch: str) -> bool:
        """True if a process is starting, claiming or filing a batch."""
        return any(
            each.actor == actor and (each.key == batch or (each.kind == "take" and batch in each.seen))
            for each in self.tasks
        )

    def left(self, fault: str) -> int:
        """Return how often a fault may still happen."""
        return dict(self.faults).get(fault, 0)

    def after(self, fault: str) -> World:
        """Return the world in which a fault may happen once less."""
        return self._replace(faults=tuple((each, count - (each == fault)) for each, count in self.faults))


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What happens to one installation: the files that are dropped (name, content), the policy and the faults."""

    files: tuple[tuple[str, str], ...]
    content_alone: bool = False
    daemons: tuple[str, ...] = ("d1", "d2")
    faults: tuple[tuple[str, int], ...] = ()
    mutation: Mutation = ""

    def begun(self) -> World:
        """Return the world before anything happened."""
        return World(places=(OUTSIDE,) * len(self.files), faults=self.faults)

    def name(self, file: int) -> str:
        """Return the name of a file."""
        return self.files[file][0]

    def identity(self, file: int) -> str:
        """Return what makes two files the same batch."""
        name, content = self.files[file]
        return content if self.content_alone else f"{content}/{name}"

    def batch(self, file: int, world: World) -> str:
        """Return the id of the batch of a file, by the note of its content where content alone counts."""
        name, content = self.files[file]
        noted = dict(world.notes).get(content, name)
        return f"{content}/{noted if self.content_alone else name}"

    def leads(self, daemon: str, world: World) -> bool:
        """True if a daemon works the inbox."""
        return world.leader == daemon or self.mutation == "no leader lock"


def processing(folder: str) -> str:
    """Return the place of a file in a folder of `.processing/`."""
    return f"processing:{folder}"


def written(story: Story, world: World, batch: str, receipt: Receipt) -> World:
    """Return the world after a receipt was written, which only ever moves forward."""
    now = world.receipt(batch)
    order = {"claimed": 0, "running": 1, "completed": 2, "failed": 2}
    if now and (order[now.state] > order[receipt.state] or (now.state in ENDED and now.state != receipt.state)):
        if story.mutation != "receipts may go back":
            return world
        world = world._replace(broken="a batch that has ended is ended no more") if now.state in ENDED else world
    others = frozenset(each for each in world.receipts if each[0] != batch)
    return world._replace(receipts=others | {(batch, receipt)})
