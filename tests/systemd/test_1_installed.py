"""The service as the lines of deploy/README.md install it, under a real systemd."""

from __future__ import annotations

import re

import pytest
from installation import eventually
from service_host import PATIENCE_S, ServiceHost

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(900)]


def test_a_file_that_a_sender_drops_is_worked_and_proven(host: ServiceHost) -> None:
    host.drop("first.csv", 20)
    host.proven("first.csv", 20)


def test_systemd_finds_nothing_to_say_against_the_units(host: ServiceHost) -> None:
    assert host.sh("systemd-analyze verify batchd.service batchd-worker@1.service") == ""
    for unit in ("batchd.service", "batchd-worker@1.service"):
        [level] = re.findall(r"Overall exposure level for \S+: ([\d.]+)", host.sh(f"systemd-analyze security {unit}"))
        assert float(level) <= 2.0


def test_systemd_knows_how_to_reload_it_and_how_long_it_may_be_silent(host: ServiceHost) -> None:
    version = int(host.sh("systemctl --version").split()[1])
    assert host.show("Type") == ("notify-reload" if version >= 253 else "notify")
    assert host.show("WatchdogUSec") == "30s"
    assert host.sh("systemctl is-enabled batchd").strip() == "enabled"


def test_the_status_has_the_counts(host: ServiceHost) -> None:
    host.drop("counted.csv", 3_000)  # longer than the pause between two scans
    eventually(lambda: "1 batch under way" in host.sh("systemctl status batchd"), "the status counts it", PATIENCE_S)
    host.proven("counted.csv", 3_000)


def test_senders_drop_files_and_read_why_one_failed_and_readers_read_results(host: ServiceHost) -> None:
    host.sh("useradd --groups batchd-readers bob")
    host.drop("readable.csv", 5)
    host.proven("readable.csv", 5)
    host.sh("printf 'id\\n\\0\\n' > /srv/batchd/inbox/broken.csv", user="ann")
    why = "cat /srv/batchd/inbox/failed/*/REASON.txt"
    eventually(lambda: "broken.csv" in host.sh(why, check=False), "it has failed", PATIENCE_S)
    results = "cat /srv/batchd/out/batch-readable-*/manifest.json"
    assert [host.code(why, user=user) for user in ("ann", "nobody", "bob")] == [0, 1, 1]
    assert [host.code(results, user=user) for user in ("bob", "nobody", "ann")] == [0, 1, 1]
    assert host.code("touch /srv/batchd/inbox/x.csv", user="bob") != 0
    for closed in ("/etc/batchd/secrets", "/var/lib/batchd", "/srv/batchd/inbox/archive"):
        assert [host.code(f"ls {closed}", user=user) for user in ("ann", "bob")] == [2, 2]


def test_batchctl_of_root_leaves_nothing_that_belongs_to_root(host: ServiceHost) -> None:
    host.sh("cd /root && batchctl list && batchctl doctor", check=False)
    assert host.sh("find /srv/batchd /var/lib/batchd -user root ! -path /srv") == ""


def test_batchctl_of_others_says_what_to_do(host: ServiceHost) -> None:
    assert host.sh("batchctl list", user="nobody", check=False) == (
        "batchctl: this is for root and for the user batchd; run: sudo batchctl ...\n"
    )
    assert host.sh("batchctl --version", user="nobody").startswith("batchctl ")
    host.sh("printf 'id\\n1\\n2\\n' > /tmp/submitted.csv && batchctl submit /tmp/submitted.csv", user="ann")
    host.proven("submitted.csv", 2)


def test_a_second_installation_changes_nothing(host: ServiceHost) -> None:
    host.sh("cd /root && python3 $(ls batchd-*.whl)/batchd/host install")
    assert host.sh("ls -d /opt/batchd/[0-9]*").count("\n") == 1
    assert "127.0.0.1:3001" in host.sh("cat /etc/batchd/batchd.env")


def test_a_further_worker_takes_part(host: ServiceHost) -> None:
    host.sh("systemctl start batchd-worker@1")
    assert host.show("ActiveState", "batchd-worker@1") == "active"
    host.drop("shared.csv", 100)
    host.proven("shared.csv", 100)
    host.sh("systemctl stop batchd-worker@1")
    assert host.show("Result", "batchd-worker@1") == "success", host.log("batchd-worker@1")
