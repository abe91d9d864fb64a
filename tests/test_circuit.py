"""When the API counts as down, and how often it is asked whether it is back."""

from __future__ import annotations

from random import Random

import pytest

from activities.circuit import FAILURES_TO_OPEN, LONGEST_PROBE_S, Circuit


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuit(clock: Clock) -> Circuit:
    return Circuit(clock, Random(1))


def test_many_failures_in_a_row_open_it_and_one_success_between_starts_the_count_anew(circuit: Circuit) -> None:
    for _ in range(FAILURES_TO_OPEN - 1):
        circuit.failed("http_500")
    circuit.succeeded()
    for _ in range(FAILURES_TO_OPEN - 1):
        circuit.failed("http_500")
    assert not circuit.is_open
    circuit.failed("http_500")
    assert circuit.is_open


@pytest.mark.parametrize("code", ["connect", "timeout", "http_502", "http_503", "http_504"])
def test_one_row_that_cannot_reach_the_api_is_enough(circuit: Circuit, code: str) -> None:
    assert circuit.exhausted(code)
    assert circuit.is_open


def test_a_row_that_the_api_chokes_on_is_no_outage_but_three_of_them_without_a_success_are(circuit: Circuit) -> None:
    assert [circuit.exhausted("http_500") for _ in range(3)] == [False, False, True]


def test_an_answer_counts_from_when_its_call_was_made(circuit: Circuit, clock: Clock) -> None:
    clock.now = 101.0
    circuit.succeeded(took_s=0.6)
    assert circuit.answers_since(100.3)
    assert not circuit.answers_since(100.5), "the call was on its way already"


def test_one_probe_at_a_time_ever_more_rarely_and_never_rarer_than_every_15_seconds(
    circuit: Circuit, clock: Clock
) -> None:
    assert circuit.exhausted("connect")
    waits = []
    for _ in range(10):
        assert not circuit.take_probe(), "not yet due"
        waits.append(circuit.retry_after_s())
        clock.now += LONGEST_PROBE_S + 1
        assert circuit.take_probe()
        assert not circuit.take_probe(), "one at a time"
        circuit.probe_failed("connect")
    assert waits[0] < 1.5
    assert waits == sorted(waits) or max(waits) <= LONGEST_PROBE_S + 0.2
    assert max(waits) <= LONGEST_PROBE_S + 0.2


def test_a_probe_waits_as_long_as_the_api_asked_for_but_not_longer_than_25_seconds(
    circuit: Circuit, clock: Clock
) -> None:
    circuit.open("http_503", asked_s=20)
    assert 20 <= circuit.retry_after_s() <= 20.2
    clock.now += 20
    assert circuit.take_probe()
    circuit.probe_failed("http_503", asked_s=1_000)
    assert 25 <= circuit.retry_after_s() <= 25.2


def test_a_probe_that_gets_through_closes_it(circuit: Circuit, clock: Clock) -> None:
    circuit.exhausted("connect")
    clock.now += 2
    assert circuit.take_probe()
    circuit.succeeded()
    assert not circuit.is_open


def test_a_probe_that_was_given_up_can_be_taken_by_another(circuit: Circuit, clock: Clock) -> None:
    circuit.exhausted("connect")
    clock.now += 2
    assert circuit.take_probe()
    circuit.probe_given_up()
    assert circuit.take_probe()
