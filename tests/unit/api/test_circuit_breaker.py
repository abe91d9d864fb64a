"""When the API counts as down, and how often it is asked whether it is back."""

from __future__ import annotations

from random import Random

import pytest

from activities.api.circuit_breaker import FAILURES_IN_A_ROW, LONGEST_PROBE_S, CircuitBreaker


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuit(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(clock, Random(1))


def test_many_failures_in_a_row_are_suspect_and_one_success_between_starts_the_count_anew(
    circuit: CircuitBreaker,
) -> None:
    for _ in range(FAILURES_IN_A_ROW - 1):
        circuit.failed()
    circuit.succeeded()
    for _ in range(FAILURES_IN_A_ROW - 1):
        circuit.failed()
    assert not circuit.is_suspect
    circuit.failed()
    assert circuit.is_suspect
    assert not circuit.is_open, "that is for somebody to say who asked"


def test_four_failures_in_five_calls_are_suspect_even_with_answers_between(circuit: CircuitBreaker) -> None:
    for _ in range(10):
        circuit.succeeded()
        for _ in range(4):
            circuit.failed()
    assert circuit.is_suspect


def test_three_failures_in_five_calls_are_a_bad_day(circuit: CircuitBreaker) -> None:
    for _ in range(100):
        for _ in range(2):
            circuit.succeeded()
        for _ in range(3):
            circuit.failed()
    assert not circuit.is_suspect


def test_an_answer_to_a_call_made_before_it_opened_does_not_close_it(circuit: CircuitBreaker, clock: Clock) -> None:
    circuit.open("http_503")
    clock.now += 0.5
    circuit.succeeded(took_s=1.0)
    assert circuit.is_open
    circuit.succeeded(took_s=0.2)
    assert not circuit.is_open


def test_an_answer_counts_from_when_its_call_was_made(circuit: CircuitBreaker, clock: Clock) -> None:
    clock.now = 101.0
    circuit.succeeded(took_s=0.6)
    assert circuit.answers_since(100.3)
    assert not circuit.answers_since(100.5), "the call was on its way already"


def test_one_probe_at_a_time_ever_more_rarely_and_never_rarer_than_every_15_seconds(
    circuit: CircuitBreaker, clock: Clock
) -> None:
    circuit.open("connect")
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
    circuit: CircuitBreaker, clock: Clock
) -> None:
    circuit.open("http_503", asked_s=20)
    assert 20 <= circuit.retry_after_s() <= 20.2
    clock.now += 20
    assert circuit.take_probe()
    circuit.probe_failed("http_503", asked_s=1_000)
    assert 25 <= circuit.retry_after_s() <= 25.2


def test_a_probe_that_gets_through_closes_it(circuit: CircuitBreaker, clock: Clock) -> None:
    circuit.open("connect")
    clock.now += 2
    assert circuit.take_probe()
    circuit.succeeded()
    assert not circuit.is_open


def test_a_probe_that_was_given_up_can_be_taken_by_another(circuit: CircuitBreaker, clock: Clock) -> None:
    circuit.open("connect")
    clock.now += 2
    assert circuit.take_probe()
    circuit.probe_given_up()
    assert circuit.take_probe()
