"""batchctl beside the whole service: submit, retry-failed, rerun, and files that are refused."""

from __future__ import annotations

import json
from collections.abc import Callable

from installation import Installation, api, manifest_of, rows_of, users

Make = Callable[..., Installation]


def test_fallback_rows_are_retried_and_a_whole_batch_is_done_again_as_a_new_one(installation: Make) -> None:
    site = installation(BATCH_API_ATTEMPTS="1", BATCH_API_OUTAGE="fallback")
    base = site.mock_api()
    api(base, "/faults", {"kind": "status", "status": 500, "calls": 5})
    site.batchd()
    source = site.root / "users.csv"
    source.write_text(users(40))

    submitted = site.batchctl_process("submit", str(source), "--wait", "--timeout", "60")
    assert (submitted.returncode, submitted.stdout) == (0, "users.csv\n"), submitted.stderr
    [folder] = site.outputs()
    first = manifest_of(folder)
    assert first["counts"]["fallback"] == 5
    calls = api(base, "/calls")["total"]

    retried = site.batchctl_process("retry-failed", "users.csv")
    assert retried.returncode == 0, retried.stderr
    assert retried.stdout == f"{folder / 'manifest-g2.json'}\n"
    assert json.loads((folder / "manifest-g2.json").read_text())["counts"]["fallback"] == 0
    assert api(base, "/calls")["total"] == calls + 5
    assert site.batchctl_process("verify", "users.csv", "--source", str(source)).returncode == 0
    status = site.status("users.csv")
    assert (status["rows"]["fallback"], status["manifest"]) == (0, str(folder / "manifest-g2.json"))

    done_again = site.batchctl_process("rerun", "users.csv", "--reason", "the API has new regions")
    new = done_again.stdout.strip()
    assert site.batchctl_process("wait", new, "--timeout", "60").returncode == 0
    second = site.output_root / f"batch-{new}"
    assert manifest_of(second)["identity"]["rerun_of"] == first["id"]
    assert manifest_of(second)["identity"]["reason"] == "the API has new regions"
    assert [row["_row"] for row in rows_of(second)] == list(range(1, 41))
    assert manifest_of(folder) == first
    assert site.batchctl_process("verify", new, "--source", str(source)).returncode == 0
    assert (site.inbox / "archive" / new / "users.csv").read_text() == source.read_text()


def test_waiting_for_a_file_that_is_refused_ends_with_the_reason(installation: Make) -> None:
    site = installation()
    site.mock_api()
    site.batchd()
    site.drop("users.csv", b"PK\x03\x04 a workbook")

    waited = site.batchctl_process("wait", "users.csv", "--timeout", "60")

    assert (waited.returncode, "zip archive" in waited.stderr) == (1, True), waited.stderr
    explained = json.loads(site.batchctl_process("explain", "users.csv", "--json").stdout)
    assert explained["state"] == "refused"
    listed = json.loads(site.batchctl_process("list", "--all", "--json").stdout)
    assert [(each["name"], each["state"]) for each in listed["files"]] == [("users.csv", "refused")]
    assert site.batchctl_process("explain", "nobody.csv").returncode == 4
