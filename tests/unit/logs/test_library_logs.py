"""What libraries would log with secrets in it stays out of the log, whatever level is set."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from daemon.config.settings import load_settings
from daemon.logs.set_up import WITH_HEADERS, set_up_logging


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in (*WITH_HEADERS, "temporalio", "watchfiles")}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


@pytest.mark.parametrize("name", ["httpx2", "httpcore2.http11", "httpcore2.http2", "httpcore2.proxy", "hpack.hpack"])
def test_no_level_lets_a_library_log_the_headers_of_a_call(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH_LOG_LEVEL", "DEBUG")
    set_up_logging(load_settings())
    assert logging.getLogger("activities").isEnabledFor(logging.DEBUG)
    assert not logging.getLogger(name).isEnabledFor(logging.INFO)
