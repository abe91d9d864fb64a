"""A real Prometheus scrapes a real service: every query of the dashboard finds something, every alert is evaluated."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from installation import Installation, eventually, free_port, users
from monitoring import ALERTS, alert_expressions, dashboard_expressions

Make = Callable[..., Installation]


@contextmanager
def prometheus(root: Path, scraped_port: int) -> Iterator[Callable[[str], Any]]:
    """A Prometheus that scrapes a service each second, with the shipped rules; gives what asks its API."""
    root.mkdir()
    port = free_port()
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ALERTS)],
        "scrape_configs": [{"job_name": "batchd", "static_configs": [{"targets": [f"127.0.0.1:{scraped_port}"]}]}],
    }
    (root / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    command = [
        "prometheus",
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=tsdb",
        f"--web.listen-address=127.0.0.1:{port}",
    ]

    def asked(path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{path}", timeout=10) as answer:
            return json.loads(answer.read())["data"]

    with (root / "log").open("wb") as log, subprocess.Popen(command, cwd=root, stdout=log, stderr=log) as process:
        try:
            yield asked
        finally:
            process.terminate()


@pytest.mark.system_tool("prometheus", package="prometheus")
def test_prometheus_finds_what_the_dashboard_shows_and_evaluates_every_alert(
    installation: Make, tmp_path: Path
) -> None:
    port = free_port()
    site = installation(BATCH_HEALTH_ADDRESS=f"127.0.0.1:{port}")
    site.mock_api(LATENCY_MIN_MS="1", LATENCY_MAX_MS="2")
    site.batchd()
    with prometheus(tmp_path / "prometheus", port) as asked:

        def finds(expression: str) -> bool:
            filled = expression.replace("$__rate_interval", "1m").replace("$__range", "1m")
            query = filled.replace('"$feed"', '".*"').replace('"$api"', '".*"')
            try:
                return bool(asked(f"query?{urllib.parse.urlencode({'query': query})}")["result"])
            except OSError:
                return False

        eventually(lambda: finds("batchd_build_info"), "Prometheus has scraped the service")
        site.drop("users.csv", users(200))
        site.finished()
        for expression in dashboard_expressions():
            eventually(lambda query=expression: finds(query), f"{expression} finds something")  # type: ignore[misc]
        [group] = asked("rules")["groups"]
        assert {rule["name"] for rule in group["rules"]} == alert_expressions().keys()
        eventually(
            lambda: {rule["health"] for rule in asked("rules")["groups"][0]["rules"]} == {"ok"}, "alerts are evaluated"
        )
        assert {rule["state"] for rule in asked("rules")["groups"][0]["rules"]} == {"inactive"}
