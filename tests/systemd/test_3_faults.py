"""What is killed, stopped, full or away in mid-batch: systemd and the service bring it back, and no row is lost."""

from __future__ import annotations

import pytest
from installation import eventually
from service_host import PATIENCE_S, ServiceHost

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(900)]
PROCESSES = ["batchd", "worker", "temporal"]


@pytest.mark.parametrize("process", PROCESSES)
def test_what_is_killed_comes_back(host: ServiceHost, process: str) -> None:
    host.in_mid_batch(f"killed-{process}.csv")
    victim = host.pid_of(process)
    host.sh(f"kill -KILL {victim}")
    host.proven(f"killed-{process}.csv")
    assert host.pid_of(process) not in {0, victim}


@pytest.mark.parametrize("process", PROCESSES)
def test_what_stands_still_is_ended_and_comes_back(host: ServiceHost, process: str) -> None:
    host.in_mid_batch(f"stopped-{process}.csv")
    victim, restarts = host.pid_of(process), int(host.show("NRestarts"))
    host.sh(f"kill -STOP {victim}")
    eventually(lambda: host.pid_of(process) not in {0, victim}, f"{process} comes back\n{host.log()}", PATIENCE_S)
    host.proven(f"stopped-{process}.csv")
    assert int(host.show("NRestarts")) == restarts + (process != "worker"), host.log()


def test_a_stop_in_mid_batch_is_in_time_and_a_start_goes_on(host: ServiceHost) -> None:
    host.in_mid_batch("stop.csv")
    host.sh("systemctl stop batchd")
    assert (host.show("Result"), host.show("ActiveState")) == ("success", "inactive")
    assert host.code("test -e /srv/batchd/out/batch-stop-*/manifest.json") != 0
    host.sh("systemctl start batchd")
    host.proven("stop.csv")


def test_a_reboot_in_mid_batch_needs_no_hand(host: ServiceHost) -> None:
    host.in_mid_batch("reboot.csv")
    host.power_off()
    host.boot()
    host.proven("reboot.csv")


def test_a_power_cut_in_mid_batch_needs_no_hand(host: ServiceHost) -> None:
    host.in_mid_batch("power.csv")
    host.cut_power()
    host.boot()
    host.proven("power.csv")


def test_a_full_disk_is_waited_for(host: ServiceHost) -> None:
    host.sh("systemctl stop batchd && mount -t tmpfs -o size=8m,uid=batchd,gid=batchd,mode=0700 tmpfs /srv/batchd/out")
    try:
        host.becomes_well()
        host.sh("head -c 9000000 /dev/zero > /srv/batchd/out/filler", check=False)
        host.drop("full.csv", 300)
        eventually(
            lambda: "No space left" in host.sh("batchctl status full.csv", check=False),
            "it is said",
            PATIENCE_S,
        )
        assert host.show("ActiveState") == "active"
        host.sh("rm /srv/batchd/out/filler")
        host.proven("full.csv", 300)
    finally:
        host.sh("systemctl stop batchd; umount /srv/batchd/out")


def test_an_inbox_that_cannot_be_written_any_more_is_waited_for(host: ServiceHost) -> None:
    host.sh("systemctl stop mock-api")
    host.drop("claimed.csv", 50)
    eventually(lambda: "claimed" in str(host.events("batch.started")[-1]), "it is claimed", PATIENCE_S)
    host.drop("later.csv", 50)
    host.sh("chmod 0550 /srv/batchd/inbox && systemctl start mock-api")
    try:
        said = ("Permission denied", "cannot be written")
        eventually(lambda: any(each in host.log() for each in said), "it is said", PATIENCE_S)
        assert host.show("ActiveState") == "active"
    finally:
        host.sh("chmod 3770 /srv/batchd/inbox")
    host.proven("claimed.csv", 50)
    host.proven("later.csv", 50)


def test_a_start_with_an_inbox_on_a_read_only_mount_fails_once_and_says_so(host: ServiceHost) -> None:
    host.sh("systemctl stop batchd && mount --bind /srv/batchd/inbox /srv/batchd/inbox")
    try:
        host.sh("mount -o remount,bind,ro /srv/batchd/inbox")
        assert host.code("systemctl start batchd") != 0
        assert (host.show("ActiveState"), host.show("ExecMainStatus")) == ("failed", "2")
        assert "/srv/batchd/inbox must be readable and writable" in host.show("StatusText")
    finally:
        host.sh("umount /srv/batchd/inbox")
    host.becomes_well()
