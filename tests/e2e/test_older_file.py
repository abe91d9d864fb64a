"""The file of one host is older than that of another: what it does not know waits there, and says what to add."""

from __future__ import annotations

from collections.abc import Callable

from installation import Installation, api, eventually, manifest_of, users

from daemon.checker.site import Evidence, check_site

Make = Callable[..., Installation]
ROWS = 60


def test_a_batch_waits_for_the_api_that_the_file_of_its_worker_does_not_have_yet(
    installation: Make, temporal_address: str
) -> None:
    site = installation(TEMPORAL_ADDRESS=temporal_address, BATCH_TASK_QUEUE="older-file")
    base = site.mock_api()
    sections = {name: f'[api.{name}]\nurl = "{base}/enrich"\n' for name in ("first", "second")}
    older, newer = site.root / "older.toml", site.root / "newer.toml"
    for file, names in ((older, ("first",)), (newer, ("first", "second"))):
        apis = "\n".join(sections[name] for name in names)
        site.describe_feeds(apis, {"contacts": {"inbox": str(site.inbox), "api": names[-1], "page_rows": 20}})
        (site.root / "batchd.toml").rename(file)

    site.batchd("watch", name="watch", BATCH_CONFIG=str(newer))
    worker = site.batchd("work", name="work", BATCH_CONFIG=str(older))
    site.drop("newer.csv", users(ROWS))
    waiting = eventually(lambda: worker.logged("batch.waiting"), "the batch misses its API")
    assert "has no API 'second'" in waiting[0]["why"]
    assert "add [api.second]" in waiting[0]["why"]
    assert api(base, "/calls")["total"] == 0

    worker.stop()
    site.batchd("work", name="work-anew", BATCH_CONFIG=str(newer))
    [folder] = site.finished()
    assert manifest_of(folder)["counts"]["enriched"] == ROWS
    calls = api(base, "/calls?keys=true")["keys"]
    eventually(lambda: not any((site.inbox / ".processing").glob("[!.]*")), "the claim goes")
    assert check_site(Evidence(state_dir=site.state_dir, calls=calls, most_repeats=0)) == []


def test_the_worker_works_by_the_terms_a_batch_was_begun_with_whatever_its_own_file_says(
    installation: Make, temporal_address: str
) -> None:
    site = installation(TEMPORAL_ADDRESS=temporal_address, BATCH_TASK_QUEUE="other-terms")
    base = site.mock_api()
    older, newer = site.root / "older.toml", site.root / "newer.toml"
    for file, rows in ((older, 7), (newer, 20)):
        site.describe(f'[api.geo]\nurl = "{base}/enrich"\n', page_rows=rows, in_memory_max_bytes=0)
        (site.root / "batchd.toml").rename(file)
    site.batchd("watch", name="watch", BATCH_CONFIG=str(newer))
    site.batchd("work", name="work", BATCH_CONFIG=str(older))
    site.drop("terms.csv", users(ROWS))
    [folder] = site.finished()
    assert [each["rows"] for each in manifest_of(folder)["chunks"]] == [20, 20, 20]
