"""What a person sees who starts batchd in a terminal; what machines read stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

from installation import BIN, Installation, eventually, users
from terminal_screen import TerminalScreen

Make = Callable[..., Installation]


def screen_of(site: Installation, *arguments: str) -> TerminalScreen:
    """Start batchd in a terminal that is wide enough for every path."""
    return TerminalScreen([BIN / "batchd", *arguments], columns=250, rows=60, env=site.env, cwd=site.root)


def until_ready(screen: TerminalScreen) -> None:
    eventually(lambda: "is ready after" in screen.text or not screen.running(), "batchd is ready")
    assert screen.running(), screen.text


def test_run_says_where_everything_is_and_ends_each_batch_with_one_line(installation: Make) -> None:
    site = installation(BATCH_INBOX="inbox", BATCH_LOG_FORMAT="auto", BATCH_HEALTH_ADDRESS="127.0.0.1:0")
    base = site.mock_api()
    with screen_of(site, "run") as screen:
        until_ready(screen)
        said = " ".join(screen.text.split())
        assert f"batchd {version('batchd')} is ready" in said
        for each in (
            f"inbox {site.inbox} (*.csv)",
            f"results {site.output_root}/batch-<id>/",
            f"API POST {base}/enrich",
            f"Temporal 127.0.0.1:{site.env['BATCH_SERVER_PORT']}, namespace default, embedded",
            f"web page http://127.0.0.1:{site.env['BATCH_SERVER_UI_PORT']}",
            "health http://127.0.0.1:0/readyz",
            "settings BATCH_* variables",
            f"state {site.state_dir}",
        ):
            assert each in said, said
        site.drop("users.csv", users(30))
        site.drop("bad.csv", "id,name\n1\n2\n")
        result = site.result_of("users.csv")
        eventually(lambda: "bad.csv failed" in screen.text and "users.csv completed" in screen.text, "both are told")
        [line] = [each for each in screen.lines if "users.csv completed" in each]
        assert "30 rows in " in line
        assert " rows/s): 30 enriched, 0 fallback, 0 rejected; result in " in line
        assert line.endswith(str(result))
        assert f"what to do: {site.inbox}/failed/bad-" in screen.text
        screen.type("\x03")
        assert screen.ended() == 0
        assert "\x1b" not in screen.raw.decode()


def test_a_service_of_many_feeds_names_a_few_and_how_to_see_the_rest(installation: Make) -> None:
    site = installation(BATCH_LOG_FORMAT="auto")
    api = '[api.people]\nurl = "http://127.0.0.1:1/people{?id}"\n'
    feeds = {f"feed-{each:02}": {"inbox": f"in/{each}"} for each in range(12)}
    site.describe_feeds(api, feeds)
    with screen_of(site, "run") as screen:
        until_ready(screen)
        assert f"{site.root}/in/7 (*.csv), feed feed-07" in screen.text
        assert "and 4 more: batchctl feeds" in screen.text
        assert "POST http://127.0.0.1:1/people, API people" in screen.text
        assert f"settings  {site.root}/batchd.toml" in screen.text


def test_machines_read_the_inbox_as_an_absolute_path_and_no_sentence(installation: Make) -> None:
    site = installation(BATCH_INBOX="inbox")
    site.mock_api()
    service = site.batchd()
    [ready] = service.logged("daemon.ready")
    assert ready["inbox"] == str(site.inbox)
    assert ready["message"] == f"daemon.ready inbox={site.inbox} workers=1 took_s={ready['took_s']}"
    assert "on_terminal" not in ready
