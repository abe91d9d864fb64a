"""The same file after Temporal has forgotten its run: still a duplicate, and still answered for."""

from __future__ import annotations

import time
from collections.abc import Callable

from installation import Installation, api, eventually, manifest_of, temporal_cli, users

Make = Callable[..., Installation]
FORGETFUL = (
    'system.namespaceMinRetentionLocal="1s"',
    'system.namespaceMinRetentionGlobal="1s"',
    'history.retentionTimerJitterDuration="1s"',
)


def test_the_same_file_is_a_duplicate_although_temporal_has_forgotten_the_first(installation: Make) -> None:
    site = installation()
    base = site.mock_api()
    site.temporal(*FORGETFUL)
    _forgetful_namespace(site)
    site.batchd()
    site.drop("users.csv", users(5))
    [folder] = site.finished()
    eventually(lambda: _forgotten(site, manifest_of(folder)["workflow_id"]), "the run is forgotten", 90)

    status = site.status("users.csv")
    site.drop("users.csv", users(5))

    assert (status["state"], status["rows"]["enriched"]) == ("completed", 5)
    eventually(lambda: next(iter(site.inbox.glob("duplicates/*.receipt.json")), None), "a receipt")
    assert api(base, "/calls")["total"] == 5


def test_fallback_rows_are_retried_after_temporal_has_forgotten_the_batch(installation: Make) -> None:
    site = installation(BATCH_API_ATTEMPTS="1", BATCH_API_OUTAGE="fallback")
    base = site.mock_api()
    site.temporal(*FORGETFUL)
    _forgetful_namespace(site)
    site.batchd()
    api(base, "/faults", {"kind": "status", "status": 500, "calls": 3})
    site.drop("users.csv", users(20))
    [folder] = site.finished()
    assert manifest_of(folder)["counts"]["fallback"] == 3
    eventually(lambda: _forgotten(site, manifest_of(folder)["workflow_id"]), "the run is forgotten", 90)

    done = site.batchctl("retry-failed", "users.csv")

    assert done.returncode == 0, done.stderr
    assert (folder / "manifest-g2.json").exists()
    assert site.status("users.csv")["rows"]["fallback"] == 0
    assert site.batchctl("verify", "users.csv").returncode == 0
    assert api(base, "/calls")["total"] == 23


def _forgetful_namespace(site: Installation) -> None:
    named = ("--namespace", "short", "--retention", "2s", "--address", site.env["TEMPORAL_ADDRESS"])
    temporal_cli("operator", "namespace", "create", *named).check_returncode()
    site.set(TEMPORAL_NAMESPACE="short")
    time.sleep(2)  # the server learns of a new namespace from its own cache; there is nothing to ask


def _forgotten(site: Installation, workflow_id: str) -> bool:
    named = ("--workflow-id", workflow_id, "--namespace", "short", "--address", site.env["TEMPORAL_ADDRESS"])
    return temporal_cli("workflow", "describe", *named).returncode != 0
