"""The alerts and the dashboard ask for what there is, and say where to read on."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from monitoring import ALERTS, DASHBOARD, MONITORING, RULE_TESTS, alert_expressions, dashboard_expressions
from repository import ROOT

from daemon.intake.inbox_now import FILE_STATES
from daemon.metrics.names import METRICS
from daemon.metrics.page import ENDS, OUTCOMES

PROMTOOL = pytest.mark.system_tool("promtool", package="prometheus")
METRIC = re.compile(r"\b(batchd_\w+)(?:\{([^}]*)\})?")
BY = re.compile(r"\b(?:by|on) \(([^)]*)\)")
VALUES = {
    ("batchd_rows_total", "outcome"): OUTCOMES,
    ("batchd_batches_total", "status"): ENDS,
    ("batchd_files", "state"): FILE_STATES,
}


def promtool(*arguments: str | Path) -> str:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False, cwd=MONITORING)  # noqa: S607
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@PROMTOOL
def test_the_rules_are_sound() -> None:
    assert f"{len(alert_expressions())} rules found" in promtool("check", "rules", ALERTS)


@PROMTOOL
def test_each_alert_fires_when_it_should_and_not_when_all_is_well() -> None:
    promtool("test", "rules", RULE_TESTS)
    cases = RULE_TESTS.read_text()
    for alert in alert_expressions():
        assert re.search(rf"alertname: {alert}\n\s+exp_alerts:\n\s+- exp_labels", cases), f"{alert} never fires"
        assert re.search(rf"alertname: {alert}, exp_alerts: \[\]", cases), f"{alert} is never silent"


@pytest.mark.parametrize("expression", [*alert_expressions().values(), *dashboard_expressions()])
def test_a_query_names_metrics_labels_and_values_that_there_are(expression: str) -> None:
    asked = METRIC.findall(expression)
    assert asked
    labels: set[str] = set()
    for series, matchers in asked:
        name = re.sub(r"_(bucket|sum|count)$", "", series)
        assert name in METRICS, series
        assert (name != series) is (METRICS[name].kind == "histogram"), series
        labels |= {*METRICS[name].labels, *(["le"] if series.endswith("_bucket") else [])}
        for label, operator, value in re.findall(r"(\w+)(=~|!~|!=|=)\"([^\"]*)\"", matchers):
            assert label in METRICS[name].labels, f"{series}: {label}"
            known = VALUES.get((name, label))
            assert known is None or operator != "=" or value in known, f"{series}: {value}"
    for group in BY.findall(expression):
        assert {each.strip() for each in group.split(",") if each.strip()} <= labels, group


def test_each_alert_has_its_paragraph_and_names_it() -> None:
    paragraphs = re.findall(r"^### (Batchd\w+)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    assert paragraphs == list(alert_expressions())
    runbooks = re.findall(r"runbook: (\S+)", ALERTS.read_text())
    assert runbooks == [f"docs/operations.md#{alert.lower()}" for alert in paragraphs]


def test_the_dashboard_shows_every_metric_and_says_what_each_number_is() -> None:
    shown = {name for expression in dashboard_expressions() for name, _ in METRIC.findall(expression)}
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown} == METRICS.keys()
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["title"] for panel in panels)
    assert all(
        target["datasource"]["uid"] == "${datasource}" for panel in panels for target in panel.get("targets", [])
    )
