"""Where an inbox that has not changed need not be listed again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from intake_site import CSV, MakeSite

from daemon.intake import presence
from daemon.intake.observe.file_systems import dates_its_folders
from daemon.intake.scan import ScanReport

MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 22 0:44 / /srv/my\\040share rw,relatime shared:9 - nfs4 host:/x rw
41 22 0:45 / /srv/box rw,relatime - fuse.rclone remote: rw
42 41 0:46 / /srv/box rw,relatime master:2 - xfs /dev/vdb rw
"""


@pytest.mark.parametrize(
    ("folder", "dated"),
    [("/srv/inbox", True), ("/srv/my share/inbox", False), ("/srv/box/a", True), ("/srv/boxes", True)],
)
def test_only_a_local_file_system_is_believed_about_its_folders(tmp_path: Path, folder: str, *, dated: bool) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert dates_its_folders(Path(folder), mounts) is dated
    assert not dates_its_folders(Path(folder), tmp_path / "missing")


async def test_a_file_that_comes_into_an_inbox_that_was_empty_for_long_is_found_by_the_next_scan(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "FRESH_NS", 50_000_000)
    monkeypatch.setattr(presence, "dates_its_folders", lambda _: True)
    site = make_site()
    (site.inbox / ".processing").mkdir()
    nothing_new = ScanReport(inbox_id=(site.inbox.stat().st_dev, site.inbox.stat().st_ino), claimed=0)
    async with asyncio.timeout(20):
        while await site.scan() != nothing_new:
            await asyncio.sleep(0.02)
    (site.inbox / ".being-written").write_bytes(CSV)
    (site.inbox / ".being-written").rename(site.inbox / "users.csv")
    await site.settle()
    assert len(site.temporal.started) == 1
    assert site.claimed() != []
    assert (await site.scan()).claimed == 1, "an inbox with a claim is looked at whole"
