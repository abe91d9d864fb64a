"""A file that takes the place of a judged one, at whatever step, is judged by itself; the first is not its excuse."""

from __future__ import annotations

from pathlib import Path

import pytest
from intake_site import CSV, MakeSite, Site

from activities.disk.failpoints import watched

NEW = b"id,name\n7,new\n"
NEWEST = b"id,name\n8,newest\n9,newest\n"
JUDGED = {"duplicate": CSV, "refused": b"%PDF-1.7\n", "claimed": b"id,name\n1,other\n"}


def replaced(path: Path, content: bytes) -> None:
    hidden = path.with_name(".new")
    hidden.write_bytes(content)
    hidden.replace(path)


async def settle_with(site: Site, step: int, contents: list[bytes], marker: bytes | None) -> bool:
    """Let the file settle; at the `step`-th failpoint, and at each one after it, drop the next of `contents`."""
    passed = 0
    left = list(contents)

    def hook(_: str) -> None:
        nonlocal passed
        passed += 1
        if passed >= step and left:
            replaced(site.inbox / "users.csv", left.pop(0))
            if marker is not None and not left:
                (site.inbox / "users.csv.done").write_bytes(marker)

    with watched(hook):
        await site.settle()
    for content in left:
        replaced(site.inbox / "users.csv", content)
    return passed >= step


def kept(site: Site) -> list[bytes]:
    """Return what is in the files, wherever they lie."""
    return [each.read_bytes() for each in site.inbox.rglob("users*.csv") if each.is_file()]


@pytest.mark.parametrize("marked", [False, True])
@pytest.mark.parametrize("judged", JUDGED)
@pytest.mark.parametrize("contents", [[NEW], [NEW, NEWEST]])
async def test_a_file_that_replaces_a_judged_one_is_never_moved_in_its_name(
    make_site: MakeSite, judged: str, contents: list[bytes], marked: bool
) -> None:
    for step in range(1, 60):
        site = make_site(f"{judged}-{step}", ready_marker="{name}.done" if marked else "")

        def drop(content: bytes, site: Site = site) -> None:
            site.drop("users.csv", content)
            if marked:
                site.drop("users.csv.done", b"")

        drop(CSV)
        await site.settle()
        drop(JUDGED[judged])
        reached = await settle_with(site, step, contents, b"" if marked else None)
        await site.settle()
        await site.scan()
        assert all((site.inbox / each).read_bytes() == CSV for each in site.inbox.glob("duplicates/*.csv"))
        assert all(each.read_bytes() == JUDGED["refused"] for each in site.inbox.glob("failed/*/*.csv"))
        worked = [each.source.sha256 for each in site.temporal.started.values()]
        for path in site.inbox.glob(".processing/*/users.csv"):
            assert path.parent.name in site.temporal.started
        assert len(worked) == len(set(worked))
        assert contents[-1] in kept(site), f"lost at step {step}"
        assert site.waiting() == [] or (marked and "users.csv" in site.waiting())
        await site.close()
        if not reached:
            assert step > 3
            return
