"""What a reload may change, and what asks for a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.config.changes import LIVE, Changes, restart_needed
from daemon.config.configuration import Configuration, configuration_of
from daemon.config.file import parsed_file
from daemon.config.sections.service_section import SERVICE_SETTINGS

API = '[api.{}]\nurl = "http://127.0.0.1:1/enrich"\n{}\n'
FEED = '[feed.{}]\ninbox = "{}"\napi = "{}"\n{}\n'
BASE = API.format("people", "") + FEED.format("contacts", "in", "people", "")

OTHER_VALUES = {
    "output_root": '"elsewhere"',
    "state_dir": '"elsewhere"',
    "rescan_s": "3",
    "watch_events": "false",
    "hashes_in_flight": "3",
    "starts_in_flight": "3",
    "max_columns": "30",
    "max_record_bytes": "3000",
    "max_field_bytes": "3000",
    "limit_sample_rows": "3",
    "task_queue": '"other"',
    "workers": "3",
    "heartbeat_timeout_s": "3",
    "server_port": "3000",
    "server_ui_port": "3001",
    "server_ui_ip": '"::1"',
    "start_timeout_s": "3",
    "stop_timeout_s": "3",
    "metrics_address": '"127.0.0.1:3002"',
    "health_address": '"127.0.0.1:3003"',
    "log_format": '"text"',
    "log_level": '"DEBUG"',
    "trace_calls_every": "3",
}


def loaded(text: str) -> Configuration:
    return configuration_of(parsed_file(Path("/etc/batchd/batchd.toml"), text.encode()), {}, files=False)


@pytest.mark.parametrize("name", SERVICE_SETTINGS)
def test_a_setting_of_the_service_takes_hold_at_a_reload_or_asks_for_a_restart_by_name(name: str) -> None:
    old, new = loaded(BASE), loaded(f"[service]\n{name} = {OTHER_VALUES[name]}\n{BASE}")
    needed = restart_needed(old, new)
    if name in LIVE:
        assert needed == []
        assert Changes.between(old, new).settings == (name,)
    else:
        [finding] = needed
        assert str(finding).startswith(f"/etc/batchd/batchd.toml:2: service.{name}: is ")
        assert "restart batchd" in finding.todo


def test_all_settings_that_ask_for_a_restart_are_named_at_once() -> None:
    new = loaded(f'[service]\nworkers = 3\nlog_level = "DEBUG"\n{BASE}')
    assert [each.key for each in restart_needed(loaded(BASE), new)] == ["service.log_level", "service.workers"]


def test_feeds_and_apis_come_change_and_go_by_name() -> None:
    new = loaded(
        API.format("people", "concurrency = 3")
        + API.format("places", "")
        + FEED.format("contacts", "in", "people", "page_rows = 7")
        + FEED.format("sites", "sites", "places", "")
    )
    forth, back = Changes.between(loaded(BASE), new), Changes.between(new, loaded(BASE))
    assert forth.fields() == {
        "feeds_came": ["sites"],
        "feeds_changed": ["contacts"],
        "apis_came": ["places"],
        "apis_changed": ["people"],
    }
    assert back.feeds.went == ("sites",)
    assert str(back.apis) == "1 changed (people), 1 went (places)"
    assert Changes.between(new, new).fields() == {}
