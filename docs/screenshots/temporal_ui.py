"""Temporal's own UI with real batches in it: the list by its attributes, and the page of one that is being worked.

It writes docs/img/temporal-*.png, and is part of `make screenshots`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from urllib.parse import quote

from installation import Installation, api, eventually, users

from screenshots.chromium import Page, page

IMG = Path(__file__).parent.parent / "img"
COLUMNS = ("Status", "Workflow ID", "BatchState", "BatchFeed", "BatchFile", "BatchFallbackRows")
SCENE = {
    "suppliers.csv": ("contacts", 400),
    "april.csv": ("contacts", 600),
    "march.csv": ("contacts", 30_000),
    "users.csv": ("contacts", 30_000),
    "offices.csv": ("sites", 120),
}
"""The file of each batch, in the order they are dropped: its feed and how many rows it has."""

LARGE = 2_000
"""Batches with more rows than this are seen at work, past this many."""


def main() -> None:
    """Run an installation, bring its batches into their states, and take the pictures."""
    with tempfile.TemporaryDirectory(prefix="batchd-screenshots-") as folder:
        site = Installation(Path(folder))
        site.set(SUDO_USER="ann")
        try:
            ids = play(site)
            with page() as browser:
                take(browser, f"http://127.0.0.1:{site.env['BATCH_SERVER_UI_PORT']}", ids)
        finally:
            site.close()


def play(site: Installation) -> dict[str, str]:
    """Bring each batch into a state of its own and return their ids by file."""
    base = site.mock_api(LATENCY_MIN_MS="300", LATENCY_MAX_MS="400")
    apis = f'[api.people]\nurl = "{base}/enrich"\n[api.places]\nurl = "http://127.0.0.1:9/geocode"\n'
    inboxes = {feed: str(site.root / "in" / feed) for feed in ("contacts", "sites")}
    used = {"contacts": "people", "sites": "places"}
    site.describe_feeds(apis, {feed: {"inbox": inboxes[feed], "api": name} for feed, name in used.items()})
    for inbox in inboxes.values():
        Path(inbox).mkdir(parents=True)
    site.batchd()
    ids = {}
    for name, (feed, rows) in SCENE.items():
        if name == "suppliers.csv":
            api(base, "/faults", {"kind": "status", "status": 422, "calls": 3})
        (Path(inboxes[feed]) / name).write_text(users(rows, file=name))
        ids[name] = started(site, name)
        if feed == "contacts" and rows < LARGE:
            reached(site, name, "completed")
    under_way(site, "march.csv")
    site.batchctl("pause", "march.csv", "--reason", "prices change at noon")
    reached(site, "offices.csv", "waiting")
    under_way(site, "users.csv")
    return ids


def started(site: Installation, name: str) -> str:
    """Return the id of the batch of a file once there is one."""
    return str(eventually(lambda: site.status(name).get("id"), f"{name} is a batch"))


def reached(site: Installation, name: str, state: str) -> None:
    """Return once a batch is in a state."""
    eventually(lambda: site.status(name)["state"] == state, f"{name} is {state}")


def under_way(site: Installation, name: str) -> None:
    """Return once a good part of a large file is done."""
    eventually(lambda: site.status(name)["rows"]["done"] > LARGE, f"{name} is under way")


def take(browser: Page, ui: str, ids: dict[str, str]) -> None:
    """Write the pictures."""
    columns = [{"label": label, "pinned": label in COLUMNS[:2]} for label in COLUMNS]
    browser.remember("namespace-workflow-table-columns", {"default": columns})
    workflows = f"{ui}/namespaces/default/workflows"
    query = quote('BatchFeed="contacts" OR BatchState="waiting"')
    browser.resize(600)
    browser.open(f"{workflows}?query={query}", *SCENE, "paused", "waiting", "running", "completed")
    browser.picture(IMG / "temporal-list.png")
    browser.resize(780)
    for name, words, picture in (("users.csv", " left", "batch"), ("march.csv", "goes on", "paused")):
        browser.open(f"{workflows}/batch-{ids[name]}", "User Metadata", ids[name])
        run = str(browser.evaluate("location.pathname")).split("/")[5]
        browser.open(f"{workflows}/batch-{ids[name]}/{run}/user-metadata", words)
        browser.picture(IMG / f"temporal-{picture}.png")


if __name__ == "__main__":
    main()
