"""One limit that worker processes share: by what each wants, and in sum never above the limit."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field

import pytest

from daemon.shares.fair_split import split_fairly
from daemon.shares.shared_limit import Grant, SharedLimit


@dataclass
class Process:
    """A process at the other end of a pipe: begins calls up to its grant, and confirms once it is within it."""

    inbox: deque[Grant] = field(default_factory=deque)
    outbox: deque[tuple[str, int]] = field(default_factory=deque)
    latest: Grant | None = None
    confirmed: int = 0
    in_flight: int = 0

    def act(self, chance: random.Random) -> None:
        """Do one thing that a process can do at any time."""
        match chance.choice(["read", "call", "call", "answer", "want"]):
            case "read" if self.inbox:
                self.latest = self.inbox.popleft()
            case "call" if self.latest and self.in_flight < self.latest.calls:
                self.in_flight += 1
            case "answer" if self.in_flight:
                self.in_flight -= 1
            case "want":
                self.outbox.append(("want", chance.randrange(7)))
        if self.latest and self.confirmed < self.latest.number and self.in_flight <= self.latest.calls:
            self.confirmed = self.latest.number
            self.outbox.append(("confirm", self.confirmed))


def deliver(limit: SharedLimit, processes: dict[int, Process], start: int) -> list[Grant]:
    """Bring the oldest message of a process to the limit."""
    kind, number = processes[start].outbox.popleft()
    return limit.demand(start, number) if kind == "want" else limit.confirm(start, number)


@pytest.mark.parametrize("seed", range(40))
def test_calls_of_all_processes_are_never_more_than_the_limit_in_any_order_of_messages_and_deaths(seed: int) -> None:
    chance = random.Random(seed)
    most = chance.randrange(1, 8)
    limit = SharedLimit(most)
    processes = {start: Process() for start in range(3)}
    for start in processes:
        limit.begin(start)
    for step in range(2000):
        start = chance.choice(list(processes))
        grants: list[Grant] = []
        if chance.random() < 0.01:
            del processes[start]
            grants = limit.end(start)
            processes[1000 + step] = Process()
            limit.begin(1000 + step)
        elif chance.random() < 0.05:
            grants = limit.next_turn()
        elif processes[start].outbox and chance.random() < 0.4:
            grants = deliver(limit, processes, start)
        else:
            processes[start].act(chance)
        for grant in grants:
            processes[grant.use].inbox.append(grant)
        assert sum(process.in_flight for process in processes.values()) <= most


def test_one_process_that_alone_wants_calls_gets_the_whole_limit() -> None:
    limit = SharedLimit(3)
    for start in range(3):
        limit.begin(start)
    assert limit.demand(1, 10) == [Grant(use=1, number=1, calls=3)]


def test_another_is_granted_nothing_before_the_first_confirms_that_it_has_less_in_flight() -> None:
    limit = SharedLimit(4)
    limit.begin(1)
    limit.begin(2)
    limit.demand(1, 4)
    assert limit.demand(2, 4) == [Grant(use=1, number=2, calls=2)]
    assert limit.confirm(1, 1) == []
    assert limit.confirm(1, 2) == [Grant(use=2, number=1, calls=2)]


def test_what_an_ended_process_had_goes_to_another_and_its_late_messages_say_nothing() -> None:
    limit = SharedLimit(3)
    limit.begin(1)
    limit.begin(2)
    limit.demand(1, 3)
    limit.demand(2, 3)
    assert limit.end(1) == [Grant(use=2, number=1, calls=3)]
    assert limit.demand(1, 3) == []
    assert limit.confirm(1, 2) == []


def test_a_lower_limit_lowers_every_grant_and_raises_none() -> None:
    limit = SharedLimit(6)
    limit.begin(1)
    limit.begin(2)
    limit.demand(1, 3)
    limit.demand(2, 3)
    assert [grant.calls for grant in limit.change_limit(2)] == [1, 1]


def test_what_one_leaves_goes_to_those_who_want_more() -> None:
    assert split_fairly(10, {1: 1, 2: 20, 3: 20}) == {1: 1, 2: 5, 3: 4}


def test_of_fewer_calls_than_processes_each_has_one_in_some_turns_however_much_it_wants() -> None:
    wanted = {1: 1, 2: 5, 3: 9}
    assert [split_fairly(2, wanted, turn=turn) for turn in range(3)] == [
        {1: 1, 2: 1, 3: 0},
        {1: 0, 2: 1, 3: 1},
        {1: 1, 2: 0, 3: 1},
    ]


def test_a_turn_ends_only_when_the_one_before_has_begun_everywhere() -> None:
    limit = SharedLimit(1)
    limit.begin(1)
    limit.begin(2)
    limit.demand(1, 5)
    limit.demand(2, 5)
    assert limit.next_turn() == [Grant(use=1, number=2, calls=0)]
    assert limit.next_turn() == []
    assert limit.confirm(1, 2) == [Grant(use=2, number=1, calls=1)]
    assert limit.next_turn() == [Grant(use=2, number=2, calls=0)]


def test_no_turn_is_taken_where_the_limit_is_enough_for_all() -> None:
    limit = SharedLimit(4)
    limit.begin(1)
    limit.begin(2)
    limit.demand(1, 2)
    limit.demand(2, 2)
    assert limit.next_turn() == []
    assert limit.next_turn() == []
