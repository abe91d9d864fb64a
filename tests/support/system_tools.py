"""Programs of the system that a test may ask for by name: `@pytest.mark.system_tool("openssl", package="openssl")`.

Where the program is not on this machine the test is skipped, and says which Debian package brings it. CI brings them
all and sets `REQUIRE_SYSTEM_TOOLS=1`: there a missing one is a failure, so that no such test goes unrun for ever.
"""

from __future__ import annotations

import os
import shutil

import pytest

REQUIRED = "REQUIRE_SYSTEM_TOOLS"


def check_tools(item: pytest.Item) -> None:
    """Skip a test whose program is missing, or let it fail where all programs are required."""
    for mark in item.iter_markers("system_tool"):
        program, package = mark.args[0], mark.kwargs["package"]
        if shutil.which(program):
            continue
        missing = f"there is no {program} on this machine; Debian's package {package} brings it"
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(f"{missing}, and {REQUIRED}=1 asks for it", pytrace=False)
        pytest.skip(missing)
