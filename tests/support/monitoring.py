"""The alerts and the dashboard that are shipped, and the queries in them."""

from __future__ import annotations

import json
import re

from repository import ROOT

MONITORING = ROOT / "deploy" / "monitoring"
ALERTS = MONITORING / "alerts.yaml"
RULE_TESTS = MONITORING / "alerts.test.yaml"
DASHBOARD = MONITORING / "dashboard.json"

_RULE = re.compile(r"- alert: (\w+)\n\s+expr: (?:\|\n((?:\s{10,}.*\n)+)|(.*)\n)")


def alert_expressions() -> dict[str, str]:
    """Return the query of each alert, by its name."""
    return {name: " ".join((block or line).split()) for name, block, line in _RULE.findall(ALERTS.read_text())}


def dashboard_expressions() -> list[str]:
    """Return the queries of all panels."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", [])]
