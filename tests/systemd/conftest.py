"""One machine for all tests of this folder; where none can be booted, each test says why it is not run."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import why_not
from service_host import ServiceHost, prepared, wheel_of


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceHost]:
    why = why_not()
    if why and os.environ.get("CI") == "true" and os.geteuid() == 0:
        pytest.fail(f"{why}, and CI=true asks for it", pytrace=False)
    if why:
        pytest.skip(why)
    folder = Path(tempfile.mkdtemp(prefix="batchd-systemd-", dir="/var/tmp"))  # /tmp may be memory
    host = None
    try:
        host = prepared(folder, wheel_of(tmp_path_factory.mktemp("wheel")))
        yield host
    finally:
        if host is not None:
            host.cut_power()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def host(machine: ServiceHost) -> ServiceHost:
    """The machine with a service that is well."""
    machine.becomes_well()
    return machine
