"""batchctl where no server is needed: names, receipts, proofs, submitting, reruns, exit codes."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from batchctl_runner import BatchctlRunner
from finished_work import FinishedWork
from installation import eventually
from repository import ROOT

from activities.registry.receipts import Receipt
from daemon.batchctl.console.printing import format_bytes, format_duration
from daemon.intake.leader import Leadership
from workflows.ids import batch_id, identity_key, workflow_id
from workflows.models import Source

USERS = "id,name\n1,Anna\n2,Bob\n"
BATCHCTL = Path(sys.executable).parent / "batchctl"
STATUS_FIELDS = (
    "id workflow_id run_id state feed api mode source rows progress rows_per_s eta_s waiting_on waiting paused "
    "started_at finished_at output_dir manifest error retry"
)


def finished(runner: BatchctlRunner) -> FinishedWork:
    """Put a real result where the output of a batch goes, with its receipt."""
    work = FinishedWork(runner.output_root.parent)
    work.run()
    runner.completed(id=work.batch.id, source=work.batch.source)
    return work


def test_without_arguments_help_is_shown_with_exit_code_2(runner: BatchctlRunner) -> None:
    answer = runner.run()
    assert (answer.code, answer.out) == (2, "")
    assert "usage: batchctl" in answer.err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["nonsense"], "invalid choice"),
        (["status"], "required"),
        (["wait", "x", "--timeout", "nan"], "number of seconds"),
        (["set", "x", "speed=3"], "speed is no limit"),
        (["set", "concurrency=3"], "one ID, or --all"),
        (["set", "x"], "concurrency=N or rate=R"),
        (["set", "--all"], "concurrency=N or rate=R"),
        (["set", "x", "rate=-1"], "rate must be 0 (no limit) or more calls a second"),
        (["set", "x", "rate=nan"], "rate must be 0 (no limit) or more calls a second"),
        (["set", "x", "rate=inf"], "rate must be 0 (no limit) or more calls a second"),
        (["set", "x", "rate=fast"], "rate must be 0 (no limit) or more calls a second"),
        (["set", "x", "concurrency=0"], "concurrency must be a whole number from 1 to 4096"),
        (["set", "x", "concurrency=4097"], "concurrency must be a whole number from 1 to 4096"),
        (["set", "x", "concurrency=2.5"], "concurrency must be a whole number from 1 to 4096"),
        (["rerun", "x"], "--reason"),
    ],
)
def test_a_usage_error_is_exit_code_2(runner: BatchctlRunner, arguments: list[str], word: str) -> None:
    answer = runner.run(*arguments)
    assert (answer.code, word in answer.err) == (2, True), answer.err


def test_a_wrong_setting_is_exit_code_2_and_names_the_right_one(runner: BatchctlRunner) -> None:
    runner.set(BATCH_PAGE_ROW=5)
    answer = runner.run("list")
    assert (answer.code, "did you mean BATCH_PAGE_ROWS?" in answer.err) == (2, True)


@pytest.mark.parametrize("name", ["{id}", "batch-{id}", "users-5", "batch-users-5", "users.csv"])
def test_a_batch_is_found_by_id_workflow_id_beginning_or_file_name(runner: BatchctlRunner, name: str) -> None:
    receipt = runner.completed(id="users-555555555555")
    runner.completed("orders.csv", id="orders-555555555555")
    answer = runner.run("status", name.format(id=receipt.id), "--json")
    assert answer.json()["id"] == receipt.id


def test_a_file_name_means_its_latest_batch(runner: BatchctlRunner) -> None:
    runner.completed(id="users-111111111111", claimed_at="2026-01-01T10:00:00+00:00")
    runner.completed(id="users-222222222222", claimed_at="2026-01-02T10:00:00+00:00")
    assert runner.run("status", "users.csv", "--json").json()["id"] == "users-222222222222"


def test_an_ambiguous_beginning_is_exit_code_4_and_lists_the_candidates(runner: BatchctlRunner) -> None:
    for each in ("users-111111111111", "users-112222222222"):
        runner.completed(id=each)
    answer = runner.run("status", "users-11")
    assert answer.code == 4
    assert "users-111111111111" in answer.err
    assert "users-112222222222" in answer.err


@pytest.mark.parametrize("name", ["nobody.csv", "nobody", "users-ffffffffffff", "\x1b[31m", "../../etc"])
def test_an_unknown_batch_is_exit_code_4_without_a_server(runner: BatchctlRunner, name: str) -> None:
    answer = runner.run("status", name)
    assert answer.code == 4
    assert "\x1b" not in answer.err


@pytest.mark.parametrize("command", ["pause", "resume", "cancel", "wait", "watch", "verify", "retry-failed"])
def test_every_command_that_takes_a_batch_tells_of_an_unknown_one_alike(runner: BatchctlRunner, command: str) -> None:
    answer = runner.run(command, "nobody.csv")
    assert (answer.code, "no batch 'nobody.csv'" in answer.err) == (4, True)


def test_a_finished_batch_is_answered_from_its_receipt_with_temporal_unreachable(runner: BatchctlRunner) -> None:
    runner.set(TEMPORAL_ADDRESS="127.0.0.1:1")
    receipt = runner.completed()
    answer = runner.run("status", "users.csv", "--json")
    assert answer.code == 0
    status = answer.json()
    assert list(status) == STATUS_FIELDS.split()
    assert status | {"source": None, "mode": None} == {
        "id": receipt.id,
        "workflow_id": workflow_id(receipt.id),
        "run_id": None,
        "state": "completed",
        "feed": "default",
        "api": "default",
        "mode": None,
        "source": None,
        "rows": {"total": 100, "done": 100, "enriched": 97, "fallback": 2, "rejected": 1},
        "progress": 1.0,
        "rows_per_s": 10.0,
        "eta_s": None,
        "waiting_on": None,
        "waiting": None,
        "paused": None,
        "started_at": "2026-01-01T10:00:00.000+00:00",
        "finished_at": "2026-01-01T10:00:10.000+00:00",
        "output_dir": receipt.output_dir,
        "manifest": None,
        "error": None,
        "retry": None,
    }


def test_a_running_batch_with_temporal_unreachable_is_exit_code_3_with_what_is_known(runner: BatchctlRunner) -> None:
    runner.set(TEMPORAL_ADDRESS="127.0.0.1:1")
    receipt = runner.receipt(state="running")
    answer = runner.run("status", receipt.id)
    assert answer.code == 3
    assert f"{receipt.id} (users.csv) was running when last heard of" in answer.err
    assert "no Temporal server answers at 127.0.0.1:1" in answer.err


def test_a_manifest_answers_for_a_batch_that_everybody_else_has_forgotten(runner: BatchctlRunner) -> None:
    work = FinishedWork(runner.output_root.parent)
    work.run()
    status = runner.run("status", work.batch.id, "--json").json()
    assert (status["state"], status["rows"]["done"], status["source"]["name"]) == ("completed", 7, "users.csv")
    assert status["manifest"] == str(work.directory / "manifest.json")


def test_a_failed_batch_tells_its_reason_and_wait_gives_exit_code_1(runner: BatchctlRunner) -> None:
    receipt = runner.completed(state="failed", reason="users.csv line 3: an unclosed quote", counts=None)
    assert runner.run("status", receipt.id, "--json").json()["error"] == "users.csv line 3: an unclosed quote"
    waited = runner.run("wait", receipt.id)
    assert (waited.code, "is failed: users.csv line 3" in waited.err) == (1, True)


@pytest.mark.parametrize("command", ["pause", "resume", "cancel"])
def test_what_has_ended_cannot_be_steered_and_says_so(runner: BatchctlRunner, command: str) -> None:
    receipt = runner.completed()
    answer = runner.run(command, receipt.id)
    assert (answer.code, f"{receipt.id} is completed and cannot be" in answer.err) == (1, True)


def test_set_all_says_that_no_batch_is_running(runner: BatchctlRunner) -> None:
    runner.completed()
    answer = runner.run("set", "--all", "rate=5")
    assert (answer.code, answer.err) == (0, "batchctl: no batch is running\n")


def test_list_shows_the_newest_first_and_can_be_narrowed(runner: BatchctlRunner) -> None:
    runner.completed(id="a-111111111111", claimed_at="2026-01-01T10:00:00+00:00")
    runner.completed(id="b-222222222222", claimed_at="2026-01-03T10:00:00+00:00", state="failed")
    runner.completed(id="c-333333333333", claimed_at="2026-01-02T10:00:00+00:00")
    listed = runner.run("list", "--json").json()["batches"]
    assert [each["id"][0] for each in listed] == ["b", "c", "a"]
    assert [each["id"][0] for each in runner.run("list", "--limit", "1", "--json").json()["batches"]] == ["b"]
    completed = runner.run("list", "--state", "completed", "--json").json()["batches"]
    assert [each["id"][0] for each in completed] == ["c", "a"]


def test_a_name_cannot_steer_the_terminal(runner: BatchctlRunner) -> None:
    name = "\x1b[2Jusers\n.csv"
    runner.completed(name, id="users-111111111111")
    for command in (["list"], ["status", "users-1"]):
        answer = runner.run(*command)
        assert "\x1b" not in answer.out
        assert "\\x1b[2Jusers\\n.csv" in answer.out


def test_list_shows_what_is_known_of_running_batches_when_temporal_is_away(runner: BatchctlRunner) -> None:
    runner.receipt(state="running")
    answer = runner.run("list")
    assert answer.code == 3
    assert "users.csv" in answer.out


def test_submit_puts_the_whole_file_into_the_inbox_and_leaves_nothing_else(
    runner: BatchctlRunner, tmp_path: Path
) -> None:
    source = tmp_path / "users.csv"
    source.write_text(USERS)
    answer = runner.run("submit", str(source))
    assert (answer.code, answer.out) == (0, "users.csv\n")
    assert (runner.inbox / "users.csv").read_text() == USERS
    assert [each.name for each in runner.inbox.iterdir()] == ["users.csv"]


@pytest.mark.parametrize(
    ("mode", "copied"), [(0o600, 0o600), (0o640, 0o640), (0o644, 0o644), (0o400, 0o400), (0o4777, 0o644)]
)
def test_submit_keeps_the_mode_of_the_source_and_never_widens_it(
    runner: BatchctlRunner, tmp_path: Path, mode: int, copied: int
) -> None:
    source = tmp_path / "users.csv"
    source.write_text(USERS)
    source.chmod(mode)
    before = os.umask(0)
    try:
        assert runner.run("submit", str(source)).code == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE((runner.inbox / "users.csv").stat().st_mode) == copied


def test_submit_refuses_a_file_whose_copy_the_daemon_could_not_read(
    runner: BatchctlRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "users.csv"
    source.write_text(USERS)
    source.chmod(0o600)
    monkeypatch.setattr("daemon.batchctl.commands.submit._user_of_daemon", lambda _: 4_242)
    monkeypatch.setattr("os.geteuid", lambda: 1_000)
    answer = runner.run("submit", str(source))
    assert (answer.code, "batchd (user 4242) could not read; let its group read it" in answer.err) == (1, True)
    assert list(runner.inbox.iterdir()) == []
    source.chmod(0o604)
    assert runner.run("submit", str(source)).code == 0


def test_submit_by_root_gives_the_copy_to_the_user_of_the_daemon(
    runner: BatchctlRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "users.csv"
    source.write_text(USERS)
    source.chmod(0o604)
    given: list[int] = []
    monkeypatch.setattr("daemon.batchctl.commands.submit._user_of_daemon", lambda _: 4_242)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("os.fchown", lambda _, user, __: given.append(user))
    assert runner.run("submit", str(source)).code == 0
    assert given == [4_242]


def test_submit_never_replaces_a_file_that_waits(runner: BatchctlRunner, tmp_path: Path) -> None:
    (runner.inbox / "users.csv").write_text("first")
    source = tmp_path / "users.csv"
    source.write_text(USERS)
    answer = runner.run("submit", str(source))
    assert (answer.code, "already waits in the inbox" in answer.err) == (1, True)
    assert (runner.inbox / "users.csv").read_text() == "first"
    assert runner.run("submit", str(source), "--name", "more.csv").code == 0


@pytest.mark.parametrize("name", ["users.txt", ".users.csv", "a/b.csv", "../users.csv"])
def test_submit_refuses_a_name_that_would_never_be_taken(runner: BatchctlRunner, tmp_path: Path, name: str) -> None:
    source = tmp_path / "users.csv"
    source.write_text(USERS)
    assert runner.run("submit", str(source), "--name", name).code == 2
    assert list(runner.inbox.iterdir()) == []


def test_submit_takes_plain_files_only(runner: BatchctlRunner, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "folder").mkdir()
    assert "is a folder; submit the files in it" in runner.run("submit", str(tmp_path / "folder")).err
    for name in ("pipe.csv", "folder.csv", "folder", "missing.csv"):
        answer = runner.run("submit", str(tmp_path / name))
        assert answer.code == 1
        assert "Traceback" not in answer.err
    assert list(runner.inbox.iterdir()) == []


def test_submit_wait_follows_the_batch_of_its_own_content(runner: BatchctlRunner, tmp_path: Path) -> None:
    runner.completed(id="users-111111111111", state="failed")
    source = tmp_path / "users.csv"
    source.write_text(USERS)
    key = identity_key("name+content", name=b"users.csv", sha256=hashlib.sha256(USERS.encode()).hexdigest())

    def take() -> None:
        eventually((runner.inbox / "users.csv").exists, "the file is in the inbox")
        runner.completed(id=batch_id(b"users.csv", key))
        (runner.inbox / "users.csv").unlink()

    taking = threading.Thread(target=take)
    taking.start()
    answer = runner.run("submit", str(source), "--wait", "--timeout", "20")
    taking.join()
    assert answer.code == 0, answer.err


def test_wait_for_a_file_in_the_inbox_waits_until_it_is_a_batch(runner: BatchctlRunner) -> None:
    (runner.inbox / "users.csv").write_text(USERS)
    timed_out = runner.run("wait", "users.csv", "--timeout", "0.3")
    assert (timed_out.code, "has not become a batch within 0.3 s" in timed_out.err) == (5, True)

    def take() -> None:
        runner.completed()
        (runner.inbox / "users.csv").unlink()

    taking = threading.Timer(0.3, take)
    taking.start()
    assert runner.run("wait", "users.csv", "--timeout", "20").code == 0
    taking.join()


def test_verify_shows_every_check_and_says_that_the_proof_holds(runner: BatchctlRunner) -> None:
    work = finished(runner)
    for name in (work.batch.id, str(work.directory)):
        answer = runner.run("verify", name, "--source", str(work.source))
        assert answer.code == 0, answer.out
        assert answer.out.splitlines()[-1].startswith("VERIFIED: 7 records")
    assert runner.run("verify", work.batch.id, "--json").json()["ok"] is True


def test_verify_names_the_flipped_file_with_exit_code_1(runner: BatchctlRunner) -> None:
    work = finished(runner)
    chunk = work.directory / "chunk-000001.json"
    chunk.write_bytes(chunk.read_bytes().replace(b"Anna", b"Anne"))
    answer = runner.run("verify", work.batch.id)
    assert answer.code == 1
    assert "chunk-000001.json" in answer.out
    assert "NOT VERIFIED" in answer.out


def test_export_writes_every_row_in_source_order(runner: BatchctlRunner, tmp_path: Path) -> None:
    work = finished(runner)
    table = tmp_path / "users-enriched.csv"
    assert runner.run("export", work.batch.id, "--csv", "--formula-safe", "--output", str(table)).code == 0
    assert table.read_text().splitlines()[0].startswith("id,name,country,_row,enriched")
    assert "'=1+2" in table.read_text()
    lines = subprocess.run([BATCHCTL, "export", work.batch.id, "--jsonl"], capture_output=True, check=True).stdout
    assert [json.loads(each)["_row"] for each in lines.splitlines()] == [1, 2, 4, 5, 6, 7]


def test_export_of_an_unfinished_batch_leaves_no_file(runner: BatchctlRunner, tmp_path: Path) -> None:
    receipt = runner.completed()
    table = tmp_path / "users.csv"
    assert runner.run("export", receipt.id, "--csv", "--output", str(table)).code == 1
    assert sorted(each.name for each in tmp_path.iterdir()) == ["inbox", "out", "state"]


def test_retry_failed_has_nothing_to_do_where_every_row_is_enriched(runner: BatchctlRunner) -> None:
    work = finished(runner)
    work.retry()
    answer = runner.run("retry-failed", work.batch.id)
    assert (answer.code, "has no fallback rows" in answer.err) == (0, True)


def archived(runner: BatchctlRunner, content: str = USERS) -> Receipt:
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    source = Source(file="users.csv", name="users.csv", size_bytes=len(content), mtime_ns=1, inode=1, sha256=sha256)
    receipt = runner.completed(sha256=sha256, source=source)
    folder = runner.inbox / "archive" / receipt.id
    folder.mkdir(parents=True)
    (folder / "users.csv").write_text(content)
    return receipt


def test_rerun_lays_a_copy_ready_under_a_new_identity_and_keeps_the_old_result(runner: BatchctlRunner) -> None:
    old = archived(runner)
    answer = runner.run("rerun", old.id, "--reason", "the API was mended")
    assert answer.code == 0, answer.err
    new = runner.receipts.read(answer.out.strip())
    assert new is not None
    assert (new.state, new.identity.rerun_of, new.identity.reason) == ("claimed", old.id, "the API was mended")
    assert new.id == batch_id(b"users.csv", old.identity.key + "\nrerun:1")
    claimed = runner.inbox / ".processing" / new.id / "users.csv"
    assert claimed.read_text() == USERS
    facts = claimed.stat()
    assert (facts.st_ino, facts.st_mtime_ns, facts.st_nlink) == (new.source.inode, new.source.mtime_ns, 1)
    assert (runner.inbox / "archive" / old.id / "users.csv").read_text() == USERS
    assert runner.receipts.read(old.id) == old
    assert [each.name for each in (runner.inbox / ".processing").iterdir()] == [new.id]


def test_every_rerun_is_a_batch_of_its_own(runner: BatchctlRunner) -> None:
    old = archived(runner)
    first = runner.run("rerun", old.id, "--reason", "one").out.strip()
    second = runner.run("rerun", old.id, "--reason", "two").out.strip()
    assert len({old.id, first, second}) == 3
    running = runner.run("rerun", first, "--reason", "three")
    assert (running.code, "let it end" in running.err) == (1, True)


def test_a_rerun_removes_what_a_killed_one_had_copied(runner: BatchctlRunner) -> None:
    old = archived(runner)
    killed = runner.inbox / ".processing/.rerun-0123456789abcdef"
    killed.mkdir(parents=True)
    (killed / "users.csv").write_text("id\n1\n")
    new = runner.run("rerun", old.id, "--reason", "again").out.strip()
    assert [each.name for each in (runner.inbox / ".processing").iterdir()] == [new]


def test_a_rerun_of_a_changed_or_missing_source_is_refused(runner: BatchctlRunner) -> None:
    old = archived(runner)
    source = runner.inbox / "archive" / old.id / "users.csv"
    source.write_text("other")
    changed = runner.run("rerun", old.id, "--reason", "again")
    assert (changed.code, "is not the file any more" in changed.err) == (1, True)
    source.unlink()
    missing = runner.run("rerun", old.id, "--reason", "again")
    assert (missing.code, "drop it into the inbox again" in missing.err) == (1, True)
    assert list((runner.inbox / ".processing").iterdir()) == []


def test_doctor_names_what_is_wrong_and_leaves_no_file(runner: BatchctlRunner) -> None:
    runner.state_dir.chmod(0o700)
    runner.set(BATCH_API_URL="http://127.0.0.1:1/enrich")
    runner.inbox.chmod(0o755)  # whatever the umask
    answer = runner.run("doctor", "--json")
    found = {each["check"]: each["level"] for each in answer.json()["checks"]}
    levels = {check: level for check, level in found.items() if not check.endswith(" mount")}  # as this machine is
    assert answer.code == 1
    assert levels | {"free space": "", "state space": ""} == {
        "settings": "OK",
        "inbox": "OK",
        "claim": "OK",
        "inbox folders": "OK",
        "inbox access": "OK",
        "writers": "OK",
        "daemon": "FAIL",
        "output root": "OK",
        "free space": "",
        "state folder": "OK",
        "state space": "",
        "state access": "OK",
        "pauses": "OK",
        "server access": "WARN",
        "open files": "OK",
        "watches": "OK",
        "api": "FAIL",
        "temporal": "FAIL",
    } | ({"cleaner": levels["cleaner"]} if "cleaner" in levels else {})
    assert list(runner.inbox.iterdir()) == list(runner.output_root.iterdir()) == []


def test_doctor_says_what_to_do_about_missing_folders(runner: BatchctlRunner) -> None:
    runner.set(BATCH_INBOX=runner.inbox / "none", BATCH_OUTPUT_ROOT=runner.inbox / "none")
    answer = runner.run("doctor")
    assert "set BATCH_INBOX" in answer.out
    assert "set BATCH_OUTPUT_ROOT" in answer.out


def test_an_interrupt_is_exit_code_130_and_a_closed_pipe_is_quiet(runner: BatchctlRunner) -> None:
    (runner.inbox / "users.csv").write_text(USERS)
    leadership = Leadership(runner.inbox)
    assert leadership.holds(), "a daemon is there"
    waiting = subprocess.Popen([BATCHCTL, "wait", "users.csv"], stderr=subprocess.PIPE, text=True)
    assert waiting.stderr is not None
    assert "still in the inbox" in waiting.stderr.readline()
    waiting.send_signal(signal.SIGINT)
    assert waiting.wait(20) == 130
    assert waiting.stderr.read() == ""
    waiting.stderr.close()
    leadership.release()

    for number in range(5):
        runner.completed(id=f"users-{number:012x}")
    reading, writing = os.pipe()
    os.close(reading)
    listing = subprocess.run([BATCHCTL, "list"], stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (listing.returncode, listing.stderr) == (0, "")


def test_numbers_are_shown_as_people_read_them() -> None:
    assert [format_bytes(each) for each in (0, 999, 1_500, 2_000_000, 5e15)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "2.0 MB",
        "5000.0 TB",
    ]
    assert [format_duration(each) for each in (0.4, 59, 65, 7_500)] == ["0 s", "59 s", "1 min 05 s", "2 h 05 min"]


def test_the_page_of_the_command_names_every_command_field_and_exit_code(runner: BatchctlRunner) -> None:
    page = (ROOT / "docs" / "batchctl.md").read_text()
    usage = runner.run("nonsense").err
    for name in usage.partition("choose from ")[2].replace("'", "").rstrip(")\n").split(", "):
        assert f"`batchctl {name}" in page, name
    for field in STATUS_FIELDS.split():
        assert f'"{field}":' in page, field
    for code in (0, 1, 2, 3, 4, 5, 130):
        assert f"\n| {code} | " in page
