"""The server is down, cut off, or its replies are lost; the result is the same."""

from __future__ import annotations

from collections.abc import Callable

from installation import Installation, api, eventually, manifest_of, rows_of, users
from tcp_proxy import tcp_proxy

Make = Callable[..., Installation]
SETTINGS = {"BATCH_IN_MEMORY_MAX_BYTES": "0", "BATCH_PAGE_ROWS": "50", "BATCH_API_CONCURRENCY": "8"}


def test_a_server_cut_off_in_mid_batch_delays_the_batch_and_nothing_else(installation: Make) -> None:
    site = installation(**SETTINGS)
    base = site.mock_api(LATENCY_MIN_MS="10", LATENCY_MAX_MS="10")
    site.temporal()
    with tcp_proxy(site.env["TEMPORAL_ADDRESS"]) as proxy:
        service = site.batchd(TEMPORAL_ADDRESS=proxy.address)
        site.drop("users.csv", users(1_000))
        eventually(lambda: api(base, "/calls")["total"] > 100, "calls are being made")
        proxy.cut()
        site.drop("later.csv", users(10))
        eventually(lambda: service.logged("temporal.unreachable"), "the cut is noticed by the intake")
        proxy.mend()

        site.finished(2)
        assert service.stop() == 0
    [folder] = site.output_root.glob("batch-users-*")
    assert [row["_row"] for row in rows_of(folder)] == list(range(1, 1_001))


def test_a_start_whose_reply_is_lost_is_one_workflow_and_one_batch(installation: Make) -> None:
    site = installation(**SETTINGS)
    base = site.mock_api()
    site.temporal()
    site.batchd("work", name="work")
    with tcp_proxy(site.env["TEMPORAL_ADDRESS"]) as proxy:
        watcher = site.batchd("watch", name="watch", TEMPORAL_ADDRESS=proxy.address)
        proxy.swallow_replies()
        site.drop("users.csv", users(20))
        site.finished(1)
        proxy.cut()
        proxy.mend()
        site.drop("more.csv", users(20))
        site.finished(2)
        assert watcher.stop() == 0
    assert api(base, "/calls")["total"] == 40
    assert {manifest_of(each)["counts"]["enriched"] for each in site.outputs()} == {20}


def test_a_file_dropped_while_no_server_is_there_is_worked_when_it_comes(installation: Make) -> None:
    site = installation(**SETTINGS)
    site.mock_api()
    server = site.temporal()
    service = site.batchd()
    server.stop()
    site.drop("users.csv", users(5))
    eventually(lambda: service.logged("temporal.unreachable"), "it is noticed that nobody answers")
    site.temporal_again(server.command)

    [folder] = site.finished()
    assert manifest_of(folder)["counts"]["enriched"] == 5
