"""However many large files are being worked, a small one finds its way."""

from __future__ import annotations

from collections.abc import Callable

from installation import Installation, api, eventually, manifest_of, users

from daemon.worker import LONG_PAGES

Make = Callable[..., Installation]
PAGES_IN_FLIGHT = 20
LARGE_FILES = LONG_PAGES // PAGES_IN_FLIGHT + 2


def test_a_small_file_is_done_while_more_large_ones_than_a_worker_can_take_hold_all_their_places(
    installation: Make,
) -> None:
    site = installation(BATCH_API_RATE="100", BATCH_PAGES_IN_FLIGHT=str(PAGES_IN_FLIGHT), BATCH_PAGE_ROWS="1000")
    base = site.mock_api()
    site.batchd()
    for number in range(LARGE_FILES):
        site.drop(f"large-{number}.csv", users(1_000 * (PAGES_IN_FLIGHT + 1), number=str(number)))
    eventually(lambda: _open_pages(site) >= LONG_PAGES, "large files hold every place there is for them")
    site.drop("small.csv", users(5))

    eventually(lambda: next(iter(site.inbox.glob("archive/small-*/small.csv")), None), "the small one is done")
    [folder] = site.output_root.glob("batch-small-*")
    assert manifest_of(folder)["counts"]["enriched"] == 5
    assert not list(site.inbox.glob("archive/large-*/large-*.csv")), "none of the large ones had ended"
    assert api(base, "/calls")["repeated"] == {}


def _open_pages(site: Installation) -> int:
    return sum(1 for _ in site.output_root.glob("batch-large-*/.part-*"))
