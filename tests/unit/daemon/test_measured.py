"""What the processes of a service count is one sum, which nothing that happens to a process lowers."""

from __future__ import annotations

import asyncio
from random import Random

import orjson
import pytest
from metrics_reader import samples
from prometheus_client.parser import text_string_to_metric_families

from activities.api.options import ApiOptions
from activities.api.session import Session
from activities.tally import Tally
from daemon.intake.inbox_now import FILE_STATES, InboxNow
from daemon.metrics import measured as measured_module
from daemon.metrics.measured import ApiNow, Measured, Measuring, measurements
from daemon.metrics.names import METRICS
from daemon.metrics.page import build, counted, page, remembered, watched
from daemon.metrics.totals import MOST_STATUSES, Totals
from daemon.processes.messages import Mailbox, encoded


def session() -> Session:
    return Session(ApiOptions(url="http://127.0.0.1/"), random=Random(1), clock=lambda: 0.0, posted_rows=None)


def test_what_a_process_counts_goes_over_the_pipe_and_comes_out_by_name_and_labels() -> None:
    tally, people = Tally(), session()
    tally.count_rows("", {"enriched": 3, "rejected": 1})
    tally.count_end("contacts", "completed")
    tally.count_start(0.2)
    people.tally.ended["200"] += [10.0, 20.0]
    people.tally.ended["timeout"].append(0.0)
    people.tally.retries = 1
    totals, mailbox = Totals(), Mailbox()
    mailbox.on(Measured, lambda message: totals.add("worker-1", message))
    mailbox.take(encoded(Measuring(tally, lambda: [("people", people)]).take()).strip())

    found = samples(page(counted(totals, [])))
    assert found["batchd_rows_total{feed=default,outcome=enriched}"] == 3
    assert found["batchd_rows_total{feed=default,outcome=rejected}"] == 1
    assert found["batchd_batches_total{feed=contacts,status=completed}"] == 1
    assert found["batchd_api_calls_total{api=people,status=200}"] == 2
    assert found["batchd_api_calls_total{api=people,status=timeout}"] == 1
    assert found["batchd_api_retries_total{api=people}"] == 1
    assert found["batchd_api_latency_seconds_count{}"] == 2, "a call without an answer has no latency"
    assert found["batchd_api_latency_seconds_sum{}"] == pytest.approx(0.03)
    assert found["batchd_api_latency_seconds_bucket{le=0.01}"] == 1
    assert found["batchd_start_delay_seconds_bucket{le=0.25}"] == 1
    assert found["batchd_api_limit{api=people}"] == people.scheduler.limit.value


def test_counters_add_up_over_processes_and_over_their_ends_and_gauges_are_those_of_the_living() -> None:
    totals = Totals()
    now = {"people": ApiNow(in_flight=3, limit=8, outage=False)}
    totals.add("worker-1", Measured(rows={"contacts": {"enriched": 5}}, apis=now))
    totals.add(
        "worker-2",
        Measured(rows={"contacts": {"enriched": 2}}, apis={"people": ApiNow(in_flight=1, limit=8, outage=True)}),
    )
    assert totals.rows["contacts", "enriched"] == 7
    assert totals.apis() == {"people": ApiNow(in_flight=4, limit=16, outage=True)}

    totals.forget("worker-2")
    assert totals.rows["contacts", "enriched"] == 7
    assert totals.apis() == now
    totals.add("worker-2", Measured(rows={"contacts": {"enriched": 1}}))
    assert totals.rows["contacts", "enriched"] == 8


def test_an_api_cannot_make_ever_more_series_by_making_up_statuses() -> None:
    totals = Totals()
    for status in range(200, 600):
        totals.add("", Measured(calls={"people": {str(status): 1}}))
    assert len(totals.calls) == MOST_STATUSES + 1
    assert totals.calls["people", "other"] == 400 - MOST_STATUSES


def test_a_feed_that_has_had_nothing_yet_is_there_with_0() -> None:
    found = samples(page(counted(Totals(), ["contacts"])))
    assert found["batchd_rows_total{feed=contacts,outcome=fallback}"] == 0
    assert found["batchd_batches_total{feed=contacts,status=failed}"] == 0


def test_an_api_that_has_not_been_refused_yet_is_there_with_0() -> None:
    totals = Totals()
    totals.add("", Measured(calls={"p": {"200": 3}}, apis={"p": ApiNow(in_flight=0, limit=1, outage=False)}))
    totals.forget("")
    found = samples(page(counted(totals, [])))
    assert found["batchd_api_calls_total{api=p,status=401}"] == 0
    assert found["batchd_api_calls_total{api=p,status=200}"] == 3
    assert found["batchd_api_retries_total{api=p}"] == 0


def test_every_metric_is_published_with_the_kind_and_the_labels_that_its_table_says() -> None:
    totals = Totals()
    totals.add("", Measured(calls={"p": {"200": 1}}, apis={"p": ApiNow(in_flight=0, limit=1, outage=False)}))
    inbox = InboxNow(feed="", files=dict.fromkeys(FILE_STATES, 1), oldest_s=2.0, scan_age_s=1.0)
    text = page([build("1.0"), remembered(5), *counted(totals, ["f"]), *watched([inbox])])
    families = {family.name: family for family in text_string_to_metric_families(text.decode())}
    assert {name.removesuffix("_total") for name in METRICS} == families.keys()
    for name, named in METRICS.items():
        family = families[name.removesuffix("_total")]
        assert (family.type, family.documentation) == (named.kind, named.about)
        for each in family.samples:
            assert each.labels.keys() - {"le"} == set(named.labels)
            assert each.name.startswith(name)


def test_two_inboxes_of_one_feed_are_one_series() -> None:
    before = InboxNow(feed="f", files=dict.fromkeys(FILE_STATES, 1), oldest_s=2.0, scan_age_s=9.0)
    lost = InboxNow(feed="f", files=None, oldest_s=0.0, scan_age_s=30.0)
    found = samples(page(watched([before, before, lost])))
    assert found["batchd_files{feed=f,state=held}"] == 2
    assert found["batchd_oldest_waiting_file_seconds{feed=f}"] == 2
    assert found["batchd_scan_age_seconds{feed=f}"] == 30


async def test_a_process_says_what_is_new_and_nothing_else_and_the_rest_at_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(measured_module, "EVERY_S", 0.01)
    tally, sent, people = Tally(), list[Measured](), session()
    async with measurements(Measuring(tally, lambda: [("people", people)]), sent.append):
        while not sent:
            await asyncio.sleep(0.01)
        for _ in range(10):
            await asyncio.sleep(0.01)
        assert [each.apis.keys() for each in sent] == [{"people"}], "how the APIs are, once"
        tally.count_rows("f", {"enriched": 1})
    assert [each.rows for each in sent] == [{}, {"f": {"enriched": 1}}]
    assert orjson.dumps(sent[1])
