"""What has to be true: of every world, and of one in which nothing is left to do."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from protocol_state import DUPLICATES, ENDED, OVERWRITTEN, SHELVES, Story, World


def broken_always(story: Story, world: World) -> str:
    """Return which promise is broken in a world, empty where none is."""
    if world.broken:
        return world.broken
    batches = {batch for batch, _ in world.receipts} | {batch for batch, _ in world.runs}
    identities = [batch.partition("/")[0] if story.content_alone else batch for batch in batches]
    if len(identities) != len(set(identities)):
        return "one identity has two batches"
    claimed = [place for place in world.places if place.startswith("processing:")]
    if len(claimed) != len(set(claimed)):
        return "two files lie in one claim"
    return ""


def broken_at_rest(story: Story, world: World) -> str:
    """Return which promise is broken where nobody has anything left to do."""
    return next(chain(_lost_files(world), _wrong_places(story, world), _wrong_receipts(story, world)), "")


def _lost_files(world: World) -> Iterator[str]:
    for file, place in enumerate(world.places):
        if place not in {*SHELVES, DUPLICATES, OVERWRITTEN}:
            yield f"file {file} rests at {place}"
    if world.folders:
        yield f"{sorted(world.folders)} stay in .processing"


def _wrong_places(story: Story, world: World) -> Iterator[str]:
    by_identity: dict[str, list[str]] = {}
    for file, place in enumerate(world.places):
        if place != OVERWRITTEN:
            by_identity.setdefault(story.identity(file), []).append(place)
    for identity, places in by_identity.items():
        if sum(place in SHELVES for place in places) != 1:
            yield f"of the files of {identity}, not one is the source and the others are duplicates: {places}"
    if len(world.receipts) != len(by_identity):
        yield "there are not as many receipts as batches"


def _wrong_receipts(story: Story, world: World) -> Iterator[str]:
    for batch, receipt in world.receipts:
        place = world.places[receipt.file]
        if receipt.state not in ENDED:
            yield f"the receipt of {batch} says {receipt.state} for ever"
        elif receipt.state == "completed" and batch not in world.results:
            yield f"{batch} is completed without a result"
        # After a terminate two may file at once: the first end stands, wherever the file has come to lie.
        elif "terminate" not in dict(story.faults) and (place == "archive") != (receipt.state == "completed"):
            yield f"{batch} is {receipt.state} and its file rests at {place}"
