"""The page that explains the metrics names those that there are, as they are."""

from __future__ import annotations

import re

from repository import ROOT

from daemon.intake.inbox_now import FILE_STATES
from daemon.metrics.names import METRICS
from daemon.metrics.page import ENDS, OUTCOMES

ROW = re.compile(r"^\| `(batchd_\w+)` \| (\w+) \| (.*?) \| (.*) \|$", re.MULTILINE)


def test_the_page_lists_each_metric_with_its_kind_and_its_labels() -> None:
    rows = ROW.findall((ROOT / "docs" / "metrics.md").read_text())
    listed = {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels, _ in rows}
    assert listed == {name: (named.kind, named.labels) for name, named in METRICS.items()}
    meanings = {name: set(re.findall(r"`(\w+)`", meaning)) for name, _, _, meaning in rows}
    assert set(OUTCOMES) <= meanings["batchd_rows_total"]
    assert set(ENDS) <= meanings["batchd_batches_total"]
    assert set(FILE_STATES) <= meanings["batchd_files"]
