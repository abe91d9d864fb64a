"""The programs, as functions: each puts our packages first on the path, and hands over.

In site-packages a name belongs to whoever was installed last, and other projects have a `daemon` or `workflows`, too.
So a wheel installs this package alone, with ours inside it (`packages/`), and only our own processes look there. In a
clone there is no such folder: the packages are found beside this one.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

PACKAGES = Path(__file__).parent / "packages"
"""Where the wheel has `daemon`, `activities`, `workflows` and `mock_api`."""


def batchd() -> None:
    """Run `batchd`."""
    _find_our_packages()
    from daemon.main import main  # noqa: PLC0415 - only now can it be found

    main()


def batchctl() -> None:
    """Run `batchctl`."""
    _find_our_packages()
    from daemon.batchctl.main import main  # noqa: PLC0415 - as above

    main()


def mock_api() -> None:
    """Run the mock API."""
    _find_our_packages()
    from mock_api.__main__ import main  # noqa: PLC0415 - as above

    main("batchd-mock-api")


def checker() -> None:
    """Run the checker, which judges results by code of its own."""
    _find_our_packages()
    from daemon.checker.__main__ import main  # noqa: PLC0415 - as above

    sys.exit(main(sys.argv[1:], "batchd-checker"))


def _find_our_packages() -> None:
    """Let this process and its children find our packages before those of others that are named like them."""
    if PACKAGES.is_dir():
        sys.path.insert(0, str(PACKAGES))
        given = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = f"{PACKAGES}{os.pathsep}{given}" if given else str(PACKAGES)
