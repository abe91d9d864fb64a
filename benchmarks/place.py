"""An installation for a measurement: the same real processes as in the end-to-end tests, with the default settings."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from installation import Installation


@contextlib.contextmanager
def installation(**settings: str) -> Iterator[Installation]:
    """Yield an installation in a folder of its own; its settings are batchd's defaults but for what is given.

    The settle time is none, because what is measured starts when a file is whole.
    """
    with tempfile.TemporaryDirectory(prefix="batchd-bench-") as folder:
        site = Installation(Path(folder))
        for name in ("BATCH_SETTLE_S", "BATCH_RESCAN_S", "BATCH_HEARTBEAT_TIMEOUT_S"):
            del site.env[name]
        site.set(BATCH_SETTLE_S="0", **settings)
        try:
            yield site
        finally:
            site.close()
