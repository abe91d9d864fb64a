"""The package for Debian, on the machine that the tests before have left without batchd."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT
from service_host import ServiceHost, wheel_of

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(900)]
NEWER = "0.99.0"
PLACE = "var/tmp/package"
"""Where the package is built in the machine."""


@pytest.fixture(scope="module")
def packaged(machine: ServiceHost, tmp_path_factory: pytest.TempPathFactory) -> ServiceHost:
    """The machine with the package built in it and installed."""
    if (machine.root / "opt/batchd/current").is_symlink():
        machine.sh("/opt/batchd/current/bin/batchd-host remove")
    (machine.root / PLACE / "man").mkdir(parents=True)
    subprocess.run([sys.executable, ROOT / "docs" / "man_pages.py", machine.root / PLACE / "man"], cwd=ROOT, check=True)
    shutil.copytree(ROOT / "deploy" / "debian", machine.root / PLACE / "debian")
    package = built(machine, wheel_of(tmp_path_factory.mktemp("wheel")))
    machine.sh(f"mv /etc/batchd/batchd.env /{PLACE}/batchd.env")
    said = machine.sh(f"dpkg --install {package} < /dev/null")
    assert "Now put the address of your API into /etc/batchd/batchd.env" in said
    machine.sh(f"cat /{PLACE}/batchd.env > /etc/batchd/batchd.env")
    machine.sh("sed -i s_/opt/batchd/current_/usr/lib/batchd_ /etc/systemd/system/mock-api.service")
    machine.sh("systemctl daemon-reload && systemctl restart mock-api && systemctl enable --now batchd")
    return machine


def built(machine: ServiceHost, wheel: Path) -> str:
    """Build a package in the machine, and return where it lies there."""
    shutil.copy(wheel, machine.root / PLACE)
    machine.sh(f"cd /{PLACE} && debian/build.sh {wheel.name} man .")
    return machine.sh(f"ls /{PLACE}/batchd_{wheel.name.split('-')[1]}_*.deb").strip()


def test_the_service_of_the_package_works_files_and_proves_them(packaged: ServiceHost) -> None:
    packaged.becomes_well()
    packaged.drop("packaged.csv", 50)
    packaged.proven("packaged.csv", 50)
    assert "/usr/lib/batchd/bin/python" in packaged.sh(f"tr '\\0' ' ' < /proc/{packaged.pid_of('batchd')}/cmdline")
    assert packaged.sh("systemd-analyze verify batchd.service batchd-worker@1.service") == ""


def test_the_package_brings_man_pages_and_owns_what_it_has_put_there(packaged: ServiceHost) -> None:
    assert packaged.sh("zcat /usr/share/man/man1/batchctl.1.gz").startswith(".TH BATCHCTL 1")
    assert packaged.sh("dpkg --verify batchd").split() == ["??5??????", "c", "/etc/batchd/batchd.env"]
    assert packaged.sh("stat --format '%a %G' /etc/batchd/batchd.env").split() == ["640", "batchd"]


def test_the_other_way_of_installing_it_is_refused(packaged: ServiceHost) -> None:
    wheel = packaged.sh(f"ls /{PLACE}/batchd-*.whl").split()[0]
    assert "first: apt-get remove batchd" in packaged.sh(f"python3 {wheel}/batchd/host install", check=False)


def test_a_newer_package_in_mid_batch_goes_on_with_the_new_version_and_the_same_settings(
    packaged: ServiceHost, tmp_path: Path
) -> None:
    newer = built(packaged, wheel_of(tmp_path, NEWER))
    packaged.becomes_well()
    packaged.in_mid_batch("package-upgrade.csv")
    packaged.sh(f"dpkg --install {newer} < /dev/null")
    packaged.proven("package-upgrade.csv")
    assert packaged.sh("batchctl --version").strip() == f"batchctl {NEWER}"
    assert "127.0.0.1:3001" in packaged.sh("cat /etc/batchd/batchd.env")


def test_a_removal_in_mid_batch_leaves_settings_and_state_and_an_installation_goes_on(packaged: ServiceHost) -> None:
    packaged.in_mid_batch("package-removal.csv")
    packaged.sh("dpkg --remove batchd")
    assert packaged.code("systemctl cat batchd") != 0
    assert not (packaged.root / "usr/lib/batchd").exists()
    packaged.sh(f"dpkg --install /{PLACE}/batchd_{NEWER}_*.deb < /dev/null")
    packaged.sh("systemctl enable --now batchd && systemctl restart mock-api")
    packaged.proven("package-removal.csv")


def test_a_purge_takes_the_settings_and_leaves_the_results(packaged: ServiceHost) -> None:
    said = packaged.sh("dpkg --purge batchd")
    assert "rm -r /var/lib/batchd /srv/batchd" in said
    assert not (packaged.root / "etc/batchd").exists()
    assert packaged.sh("ls /srv/batchd/out").count("batch-") > 2
