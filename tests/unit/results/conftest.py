"""What the tests of results share: a finished batch."""

from __future__ import annotations

from pathlib import Path

import pytest
from finished_work import FinishedWork


@pytest.fixture
def work(tmp_path: Path) -> FinishedWork:
    finished = FinishedWork(tmp_path)
    finished.run()
    return finished
