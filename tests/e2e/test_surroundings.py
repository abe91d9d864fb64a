"""What stands around the service: the folder it is started in, systemd's socket, the demo that started it."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable

from installation import Installation, eventually, free_port, users
from repository import ROOT

DEMO = ROOT / "dummy-data" / "demo.py"
Make = Callable[..., Installation]


def test_folders_named_like_ours_in_the_current_folder_are_never_imported(installation: Make) -> None:
    site = installation(MOCK_API_PORT=str(free_port()))
    for name in ("workflows", "activities", "daemon", "mock_api"):
        (site.root / name).mkdir()
        (site.root / name / "__init__.py").write_text("raise SystemExit('a package of somebody else')\n")
    site.set(BATCH_API_URL=f"http://127.0.0.1:{site.env['MOCK_API_PORT']}/enrich", MOCK_API_LATENCY_MAX_MS="200")
    service = site.batchd("run", "--with-mock-api")
    site.drop("users.csv", users(3))
    site.finished()
    assert service.logged("child.ended") == []


def test_a_notify_socket_that_cannot_be_written_is_a_warning_and_nothing_more(installation: Make) -> None:
    site = installation(NOTIFY_SOCKET="/nowhere/notify")
    service = site.batchd()
    eventually(lambda: service.logged("daemon.ready"), "the service is ready")
    assert {each["error"] for each in service.logged("notify.failed")} == {"No such file or directory"}
    assert service.stop() == 0


def test_the_demo_ends_when_its_service_dies(installation: Make) -> None:
    site = installation(MOCK_API_PORT=str(free_port()), BATCH_API_CONCURRENCY="1", BATCH_PAGE_ROWS="500")
    (site.root / "dummy-data").mkdir()
    shutil.copyfile(DEMO.with_name("users.csv"), site.root / "dummy-data" / "users.csv")
    demo = site.start("demo", [sys.executable, "-P", str(DEMO)])
    eventually(lambda: "3. Following it" in demo.log.read_text() or not demo.running(), "the demo follows its file")
    service = next(pid for pid, line in site.children(demo.pid) if b"--with-mock-api" in line)
    eventually(site.outputs, "the batch is under way")

    os.kill(service, signal.SIGKILL)

    assert demo.wait() == 1
    assert "the service ended with exit code -9; the end of" in demo.log.read_text()
