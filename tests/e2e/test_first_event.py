"""A file that comes in the moment the daemon says it is ready."""

from __future__ import annotations

from collections.abc import Callable

from installation import Installation, eventually, users

Make = Callable[..., Installation]


def test_a_file_renamed_in_at_the_moment_of_readiness_does_not_wait_for_the_rescan(installation: Make) -> None:
    site = installation(BATCH_RESCAN_S="600", BATCH_SETTLE_S="0")
    site.mock_api()
    source = site.root / "users.csv"
    source.write_text(users(3))
    site.batchd()
    source.rename(site.inbox / "users.csv")
    eventually(lambda: any(site.inbox.glob("archive/*/users.csv")), "the file is taken without a rescan", 30)
