"""A newer wheel in mid-batch, and the removal; the last of the tests on this machine."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from service_host import ServiceHost, wheel_of

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(900)]
NEWER = "0.99.0"


def test_an_upgrade_in_mid_batch_goes_on_with_the_new_version(host: ServiceHost, tmp_path: Path) -> None:
    wheel = wheel_of(tmp_path, NEWER)
    shutil.copy(wheel, host.root / "root")
    host.in_mid_batch("upgrade.csv")
    said = host.sh(f"cd /root && python3 {wheel.name}/batchd/host install")
    assert "what ran was restarted" in said
    host.proven("upgrade.csv")
    assert host.sh("batchctl --version").strip() == f"batchctl {NEWER}"
    assert f"/opt/batchd/{NEWER}-" in host.sh(f"cat /proc/{host.pid_of('batchd')}/cmdline | tr '\\0' ' '")
    assert host.sh("ls -d /opt/batchd/[0-9]*").count("\n") == 2, "the one before stays"


def test_a_removal_leaves_settings_and_results(host: ServiceHost) -> None:
    host.drop("kept.csv", rows=10)
    host.proven("kept.csv", rows=10)
    results = host.sh("ls /srv/batchd/out")
    said = host.sh("/opt/batchd/current/bin/batchd-host remove")
    assert "rm -r /etc/batchd /var/lib/batchd /srv/batchd" in said
    for gone in ("/opt/batchd", "/usr/local/bin/batchctl", "/etc/systemd/system/batchd.service"):
        assert not (host.root / gone.lstrip("/")).exists()
    assert host.code("systemctl cat batchd") != 0
    assert host.sh("ls /srv/batchd/out") == results
    assert (host.root / "etc/batchd/batchd.env").exists()
