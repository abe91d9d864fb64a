"""Every order of the steps of claim, receipt, start and filing keeps the promises, with every fault at every place."""

from __future__ import annotations

from typing import get_args

import pytest
from protocol_search import search
from protocol_state import Mutation, Story

ONE = (("u", "A"),)
AGAIN = (("u", "A"), ("u", "A"))
COPY = (("u", "A"), ("v", "A"))
REPLACED = (("u", "A"), ("u", "B"))


def _story(files: tuple[tuple[str, str], ...], mutation: Mutation = "", **faults: int) -> Story:
    named = tuple((each.replace("_", " "), count) for each, count in faults.items())
    return Story(files=files, content_alone=files == COPY, faults=named, mutation=mutation)


STORIES = {
    "the same file again": _story(AGAIN, crash=2, lost_reply=1, retention=1),
    "a copy under another name": _story(COPY, crash=1, lost_reply=1),
    "a file replaced before its claim": _story(REPLACED, crash=1, lost_reply=1),
    "power cuts": _story(ONE, power_cut=2, crash=1, lost_reply=1),
    "a terminated run": _story(ONE, terminate=1, crash=2, lost_reply=1, retention=1),
    "a run reset": _story(ONE, reset=1, crash=2, lost_reply=1),
    "a namespace wiped": _story(ONE, wipe=1, crash=2, lost_reply=1, retention=1),
}
LARGER = {
    "power cuts": _story(ONE, power_cut=3, crash=3, lost_reply=1, retention=1),
    "a copy under another name": _story(COPY, crash=2, lost_reply=1, retention=1),
    "a file replaced before its claim": _story(REPLACED, crash=2, lost_reply=1, retention=1),
    "the same file three times": _story((*AGAIN, ("u", "A")), crash=1, lost_reply=1),
    "the same file again, and a namespace wiped": _story(AGAIN, wipe=1, crash=2, lost_reply=1),
    "the same file again, and a run reset": _story(AGAIN, reset=1, crash=1, lost_reply=1),
}
MUTATED = [
    _story(AGAIN, "receipt after start", crash=1),
    _story(ONE, "no sync of the claim", power_cut=1),
    _story(ONE, "no sync of a leftover", crash=1, power_cut=1),
    _story(COPY, "no leader lock"),
    _story(AGAIN, "recovery trusts only Temporal", retention=1),
    _story(COPY, "identity note not first wins"),
    _story(AGAIN, "receipts may go back"),
    _story(AGAIN, "no look at the shelves"),
    _story(ONE, "folder removed before the receipt is closed", crash=1, terminate=1),
    _story(ONE, "interrupted filings are started again", crash=1, wipe=1),
]


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_no_order_of_steps_and_faults_breaks_a_promise(story: Story) -> None:
    found = search(story)
    print(found)  # noqa: T201 - the figures that docs/design.md names
    assert not found.broken, str(found)
    assert found.resting


@pytest.mark.chaos
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("story", LARGER.values(), ids=LARGER)
def test_no_order_of_more_steps_and_faults_breaks_a_promise(story: Story) -> None:
    found = search(story)
    print(found)  # noqa: T201 - the figures that docs/design.md names
    assert not found.broken, str(found)
    assert found.resting


@pytest.mark.parametrize("story", MUTATED, ids=[each.mutation for each in MUTATED])
def test_a_protocol_with_one_step_wrong_is_found_and_the_steps_to_it_are_shown(story: Story) -> None:
    found = search(story)
    assert found.broken
    assert f"  {len(found.path)}. {found.path[-1]}" in str(found)


def test_every_mutation_is_searched_for() -> None:
    assert {"", *(each.mutation for each in MUTATED)} == set(get_args(Mutation))
