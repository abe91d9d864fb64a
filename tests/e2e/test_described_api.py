"""APIs that a configuration file describes, through the whole system: real processes, real kills, the mock's faces."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from installation import Installation, api, eventually, manifest_of, rows_of

Make = Callable[..., Installation]
CANARY = "canary-7f3a9b"
NO_MATCH = '{ status = 404, then = "not_found" }'
NO_CREDITS = '{ status = 402, then = "pause", code = "credits_gone" }'


def people(rows: int, first: int = 1) -> str:
    lines = [f"user{number}@example.com,F{number},L{number}" for number in range(first, first + rows)]
    return "\n".join(["email,first_name,last_name", *lines, ""])


def people_api(base: str, key_file: Path, *more: str, take: str = "data.{title: job_title}") -> str:
    key_file.write_text(f"{CANARY}\n")
    key_file.chmod(0o600)
    return "\n".join(
        [
            "[api.people]",
            'method = "GET"',
            f'url = "{base}/people{{?email,name}}"',
            "vars = { name = \"join(' ', [first_name, last_name])\" }",
            f'headers = {{ X-Api-Key = {{ file = "{key_file}" }} }}',
            "concurrency = 8",
            *more,
            "[api.people.answer]",
            f'take = "{take}"',
            'fallback = { title = "" }',
            'rules = [{ status = 404, then = "not_found" }, { status = 402, then = "pause", code = "credits_gone" }]',
        ]
    )


def described(installation: Make, *more: str, account: str = CANARY, **mock: str) -> tuple[Installation, str]:
    """Make an installation with the people API of a mock that takes `account` for a key."""
    site = installation(BATCH_WORKERS="1")
    base = site.mock_api(**{"KEY": account, "MISS_RATE": "0", "LATENCY_MIN_MS": "5", "LATENCY_MAX_MS": "5", **mock})
    site.describe(people_api(base, site.root / "key", *more), page_rows=100, in_memory_max_bytes=0)
    return site, base


@pytest.fixture(scope="module")
def people_service(lasting_installation: Make) -> tuple[Installation, str]:
    """A running batchd that calls the people API, for the tests that leave both as they were."""
    site, base = described(lasting_installation)
    site.batchd()
    return site, base


def state(site: Installation, name: str, wanted: str) -> dict[str, Any] | None:
    status = site.status(name)
    return status if status["state"] == wanted else None


def by_status(base: str) -> dict[str, int]:
    """Return the calls that the API answered, by status."""
    counts: dict[str, int] = api(base, "/calls")["by_status"]
    return counts


def test_credits_that_end_in_mid_batch_pause_it_and_after_resume_no_row_was_lost_or_paid_for_twice(
    people_service: tuple[Installation, str],
) -> None:
    site, base = people_service
    api(base, "/account", {"credits": 500}, "PUT")
    site.drop("people.csv", people(800))
    status = eventually(lambda: state(site, "people.csv", "paused"), "the batch pauses")
    assert status["paused"]["reason"].startswith("credits_gone: the API at ")
    assert status["rows"]["fallback"] == 0
    assert by_status(base)["200"] == 500

    api(base, "/account", {"credits": None}, "PUT")
    assert site.batchctl("resume", "people.csv").returncode == 0
    folder = site.result_of("people.csv")
    counts = manifest_of(folder)["counts"]
    assert (counts["enriched"], counts["fallback"], counts["not_found"]) == (800, 0, 0)
    assert {row["title"] for row in rows_of(folder)} > {"nurse practitioner"}
    assert by_status(base)["200"] == 800, "no row was paid for twice"


def test_rows_that_are_not_found_are_never_called_again_by_retry_failed(installation: Make) -> None:
    site, base = described(installation, "attempts = 1", 'outage = "fallback"', MISS_RATE="0.2", FAILURE_RATE="0.1")
    site.batchd()
    site.drop("people.csv", people(200))
    [folder] = site.finished()
    first = manifest_of(folder)["counts"]
    assert first["not_found"] > 10
    assert first["fallback"] > 5
    misses = by_status(base)["404"]
    assert misses == first["not_found"]

    api(base, "/calls", method="DELETE")
    assert site.batchctl("retry-failed", "people.csv").returncode in {0, 1}
    assert api(base, "/calls")["total"] < 2 * first["fallback"] + 10
    second = json.loads((folder / "manifest-g2.json").read_bytes())["counts"]
    assert second["not_found"] >= first["not_found"]
    assert second["fallback"] < first["fallback"]
    assert site.batchctl("verify", str(folder)).returncode == 0


def test_a_file_without_a_column_that_the_request_needs_is_refused_by_name_before_any_call(
    people_service: tuple[Installation, str],
) -> None:
    site, base = people_service
    before = api(base, "/calls")["total"]
    site.drop("narrow.csv", "email,first_name\na@b.c,Ada\n")
    reason = eventually(lambda: next(iter(site.inbox.glob("failed/*/REASON.txt")), None), "it is refused").read_text()
    assert "the header lacks the column(s) last_name that requests to the API people are made of" in reason
    assert api(base, "/calls")["total"] == before


def test_a_secret_that_is_replaced_in_mid_batch_is_read_again_and_a_wrong_one_pauses_until_it_is_right(
    people_service: tuple[Installation, str],
) -> None:
    site, base = people_service
    before = api(base, "/calls")["total"]
    site.drop("rotated.csv", people(600, first=20_000))
    eventually(lambda: api(base, "/calls")["total"] > before + 100, "calls are being made")
    (site.root / "key").write_text("rotated-key\n")
    api(base, "/account", {"key": "rotated-key"}, "PUT")
    rotated = manifest_of(site.result_of("rotated.csv"))
    assert rotated["counts"]["enriched"] == 600
    assert rotated["pauses"] == []

    api(base, "/account", {"key": "another-key"}, "PUT")
    site.drop("more.csv", people(50, first=10_000))
    status = eventually(lambda: state(site, "more.csv", "paused"), "the batch pauses")
    assert "correct the secrets of [api.people], then resume" in status["paused"]["reason"]
    (site.root / "key").write_text("another-key\n")
    assert site.batchctl("resume", "more.csv").returncode == 0
    assert manifest_of(site.result_of("more.csv"))["counts"]["fallback"] == 0


def test_a_batch_ends_by_the_rules_it_began_with_though_the_file_changed_and_the_service_was_killed(
    installation: Make,
) -> None:
    site, base = described(installation)
    service = site.batchd()
    site.drop("old.csv", people(600))
    eventually(lambda: api(base, "/calls")["total"] > 100, "calls are being made")
    service.kill_group()
    site.describe(people_api(base, site.root / "key", take="data.{seniority: job_seniority}"), page_rows=50)
    site.batchd(name="again")
    site.drop("new.csv", people(20, first=10_000))
    folders = site.finished(2)
    old, new = (next(each for each in folders if each.name.startswith(f"batch-{name}")) for name in ("old", "new"))
    assert {frozenset(row) - {"email", "first_name", "last_name"} for row in rows_of(old)} == {
        frozenset({"_row", "enriched", "title"})
    }
    assert {frozenset(row) - {"email", "first_name", "last_name"} for row in rows_of(new)} == {
        frozenset({"_row", "enriched", "seniority"})
    }
    assert len(manifest_of(old)["chunks"]) == 6, "pages of 100 rows, as at the claim"
    assert manifest_of(old)["config_sha256"] != manifest_of(new)["config_sha256"]
    assert by_status(base)["200"] <= 620 + 8, "no more than were on their way at the kill are repeated"


def test_a_quota_of_a_day_that_is_used_up_is_a_long_wait_that_no_kill_forgets(installation: Make) -> None:
    site, base = described(installation, 'rate = "300/day"')
    service = site.batchd()
    site.drop("people.csv", people(500))
    status = eventually(lambda: state(site, "people.csv", "waiting"), "the quota is used up")
    assert "the quota 300/day is used up" in json.dumps(status["waiting"])
    assert 250 <= api(base, "/calls")["total"] <= 300
    service.kill_group()
    site.batchd(name="again")
    eventually(lambda: state(site, "people.csv", "waiting"), "it waits again")
    site.drop("more.csv", people(5, first=10_000))
    eventually(lambda: state(site, "more.csv", "waiting"), "another batch waits too")
    assert api(base, "/calls")["total"] <= 300
    shown = site.batchctl("status", "people.csv").stdout
    assert "300/day" in shown
    assert "in 23 h" in shown


def test_an_oauth_token_that_ends_every_two_seconds_carries_a_batch_through_a_kill_of_the_worker(
    installation: Make,
) -> None:
    site = installation(BATCH_WORKERS="1")
    base = site.mock_api(
        CLIENT_SECRET=CANARY, TOKEN_EXPIRES_IN_S=str(2), LATENCY_MIN_MS="50", LATENCY_MAX_MS="50", MISS_RATE="0"
    )
    (site.root / "secret").write_text(CANARY)
    oauth2 = f'token_url = "{base}/oauth/token", client_id = "batchd", client_secret = {{ file = "secret" }}'
    site.describe(
        f'[api.secured]\nurl = "{base}/secured/enrich"\nauth = {{ oauth2 = {{ {oauth2} }} }}\nconcurrency = 8',
        page_rows=100,
        in_memory_max_bytes=0,
    )
    service = site.batchd()
    site.drop("users.csv", "id,country\n" + "".join(f"{each},US\n" for each in range(800)))
    eventually(lambda: api(base, "/calls")["total"] > 200, "calls are being made")
    for pid, line in site.children(service.pid):
        if b"--process-of" in line:
            os.kill(pid, signal.SIGKILL)
    [folder] = site.finished()
    counts = manifest_of(folder)["counts"]
    assert (counts["enriched"], counts["fallback"]) == (800, 0)
    assert by_status(base)["200"] <= 800 + 8 + api(base, "/calls")["by_path"]["/oauth/token"]
    assert 3 <= api(base, "/calls")["by_path"]["/oauth/token"] <= 15


def test_a_secret_stands_nowhere_but_where_it_is_kept(installation: Make) -> None:
    site, base = described(installation, account="another", FAILURE_RATE="0")
    service = site.batchd()
    site.drop("people.csv", people(30))
    eventually(lambda: state(site, "people.csv", "paused"), "the key is refused")
    seen = [site.batchctl(*command.split()) for command in ("config show --origin", "doctor", "status people.csv")]
    assert all(CANARY not in each.stdout + each.stderr for each in seen)
    for pid, line in site.children(service.pid):
        assert CANARY.encode() not in line
        assert CANARY.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
    api(base, "/account", {"key": CANARY}, "PUT")
    assert site.batchctl("resume", "people.csv").returncode == 0
    site.finished()
    service.stop()
    kept = {site.root / "key"}
    holding = [
        each
        for each in site.root.rglob("*")
        if each.is_file() and each not in kept and CANARY.encode() in each.read_bytes()
    ]
    assert holding == [], "neither in logs nor in the history, the manifest, the receipts or the chunks"


@pytest.mark.parametrize("mode", ["cursor", "in-memory"])
def test_what_reading_tolerated_stands_in_the_manifest_in_either_mode_also_after_a_kill(
    installation: Make, mode: str
) -> None:
    site = installation(BATCH_WORKERS="1")
    base = site.mock_api(KEY=CANARY, MISS_RATE="0", LATENCY_MIN_MS="5", LATENCY_MAX_MS="5")
    in_memory_max_bytes = 0 if mode == "cursor" else 262_144
    site.describe(
        people_api(base, site.root / "key"), page_rows=100, pages_in_flight=1, in_memory_max_bytes=in_memory_max_bytes
    )
    service = site.batchd()
    header, *rows = people(400).splitlines()
    odd = [f'{row}"\n\n' if number % 100 < 2 else f"{row}\n" for number, row in enumerate(rows)]
    site.drop("people.csv", f"{header}\n\n" + "".join(odd))
    eventually(lambda: api(base, "/calls")["total"] > 150, "calls are being made")
    os.killpg(service.pid, signal.SIGKILL)
    site.batchd()
    folder = site.result_of("people.csv")
    manifest = manifest_of(folder)
    assert manifest["mode"] == mode
    assert [each["tolerated"] for each in manifest["chunks"]] == [{"blank_lines": 2, "bare_quotes": 2}] * 4
    assert manifest["tolerated"] == {"blank_lines": 8, "bare_quotes": 8}
    archived = site.inbox / manifest["source"]["archived_as"]
    assert site.batchctl("verify", str(folder), "--source", str(archived)).returncode == 0
