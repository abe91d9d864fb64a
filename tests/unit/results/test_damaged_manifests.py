"""Manifests that are damaged, or forged by somebody who means harm: every command says which file, none falls over."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from batchctl_runner import BatchctlRunner
from finished_work import FinishedWork
from forging import failed, forge

from daemon.results.verify import verify

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def work(runner: BatchctlRunner) -> FinishedWork:
    """A result where the output of a batch goes, which only its folder tells of."""
    finished = FinishedWork(runner.output_root.parent)
    finished.run()
    return finished


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("check", "change", "what"),
    [
        ("manifest", {"settings": {"max_record_bytes": "abc"}}, "settings.max_record_bytes has a value of the wrong"),
        ("manifest", {"settings": {"max_field_bytes": None}}, "settings.max_field_bytes has a value of the wrong type"),
        ("manifest", {"dialect": {"quote": "ab"}}, "dialect.quote is none of"),
        ("source", {"dialect": {"delimiter": ""}}, "delimiter"),
        ("source", {"dialect": {"delimiter": "ab"}}, "delimiter"),
        ("source", {"dialect": {"delimiter": "auto"}}, "delimiter"),
        ("source", {"settings": {"max_record_bytes": -1}}, "max_record_bytes"),
        ("source", {"settings": {"max_field_bytes": 10**12}}, "max_field_bytes"),
        ("source", {"dialect": {"encoding": "\0"}}, "encoding"),
        ("source", {"dialect": {"encoding": "gbk"}}, "encoding"),
    ],
)
def test_what_no_batch_is_made_with_is_found_before_the_source_is_opened(
    work: FinishedWork, check: str, change: dict[str, dict[str, Any]], what: str
) -> None:
    def spoil(manifest: dict[str, Any]) -> None:
        for key, values in change.items():
            manifest[key].update(values)

    forge(work, spoil)
    assert what in failed(work, work.source)[check]


def test_a_manifest_too_deep_to_digest_has_no_digest_that_fits(work: FinishedWork) -> None:
    path = work.directory / "manifest.json"
    manifest = json.loads(path.read_bytes())
    manifest["extra"] = nested(300)
    for digest in ("", "None", "null", "0" * 64):
        manifest["integrity"]["digest"] = digest
        path.write_text(json.dumps(manifest))
        assert "digest" in failed(work)


@pytest.mark.parametrize(
    "change", [{"source_start": -5}, {"source_end": 10**15}, {"source_start": 10**15}, {"last_row": 10**15}]
)
def test_a_page_that_is_not_in_the_source_is_no_page_of_it(work: FinishedWork, change: dict[str, int]) -> None:
    forge(work, lambda manifest: manifest["chunks"][0].update(change))
    found = failed(work, work.source)
    assert "page 1" in found["source"]
    assert "drop" not in found["source"], "nothing was dropped here"


def write(work: FinishedWork, change: Change) -> Path:
    """Make the newest manifest say something else, whatever its digests are."""
    path = work.directory / "manifest.json"
    manifest = json.loads(path.read_bytes())
    changed = change(manifest)
    path.write_text(json.dumps(manifest if changed is None else changed))
    return path


DAMAGES: list[Change] = [
    lambda _: {},
    lambda _: [],
    lambda manifest: manifest.update(count=manifest.pop("counts")),
    lambda manifest: manifest["source"].update(size=manifest["source"].pop("bytes")),
    lambda manifest: manifest["chunks"][0].pop("sha256"),
    lambda manifest: manifest["settings"].update(page_rows="many"),
    lambda manifest: manifest.update(generation=7),
]
COMMANDS = [["status"], ["status", "--json"], ["wait"], ["watch", "--json"], ["export", "--csv"], ["retry-failed"]]


@pytest.mark.parametrize("change", DAMAGES)
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_that_needs_a_damaged_manifest_names_it_and_what_to_do(
    runner: BatchctlRunner, work: FinishedWork, command: list[str], change: Change
) -> None:
    path = write(work, change)
    for receipted in (False, True):
        if receipted:
            runner.completed(id=work.id, source=work.batch.source)
        elif command == ["wait"]:
            continue  # it asks Temporal first about a batch without a receipt
        answer = runner.run(command[0], work.id, *command[1:])
        assert (answer.code, answer.out) == (1, ""), answer.err
        assert f"{path} is damaged: " in answer.err
        assert f"'batchctl verify {work.directory}'" in answer.err
        assert "Traceback" not in answer.err


@pytest.mark.parametrize("change", DAMAGES)
def test_verify_names_what_is_wrong_with_a_damaged_manifest(work: FinishedWork, change: Change) -> None:
    write(work, change)
    message = " ".join(each.detail for each in verify(work.directory, source=work.source).failed())
    assert "manifest.json" in message


def test_a_command_does_not_trip_over_keys_it_does_not_know(runner: BatchctlRunner, work: FinishedWork) -> None:
    write(work, lambda manifest: manifest["counts"].update(skipped=0))
    answer = runner.run("status", work.id, "--json")
    assert (answer.code, answer.json()["rows"]["done"]) == (0, 7)
    assert "counts" in failed(work)


def test_one_damaged_manifest_does_not_hide_the_other_batches(runner: BatchctlRunner, work: FinishedWork) -> None:
    write(work, lambda _: {})
    runner.completed(id=work.id, source=work.batch.source)
    runner.completed(id="others-111111111111")
    assert len(runner.run("list", "--json").json()["batches"]) == 2


SPARSE_BYTES = 8_000_000_000


@pytest.mark.parametrize(
    ("name", "check"),
    [("manifest.json", "manifest"), ("manifest.sha256", "sums"), ("chunk-000001.json", "files")],
)
def test_a_file_of_many_gigabytes_of_nothing_is_refused_unread(
    runner: BatchctlRunner, work: FinishedWork, name: str, check: str
) -> None:
    os.truncate(work.directory / name, SPARSE_BYTES)
    verified = runner.run("verify", str(work.directory), "--json")
    assert verified.code == 1
    assert [each for each in verified.json()["checks"] if each["name"] == check and not each["ok"]], verified.out
    assert name in verified.out
    exported = runner.run("export", str(work.directory), "--csv")
    assert exported.code == (0 if check == "sums" else 1)
    assert "Traceback" not in verified.err + exported.err


@pytest.mark.parametrize("command", ["status", "retry-failed", "cancel"])
def test_a_manifest_of_many_gigabytes_of_nothing_is_named_by_every_command(
    runner: BatchctlRunner, work: FinishedWork, command: str
) -> None:
    os.truncate(work.directory / "manifest.json", SPARSE_BYTES)
    answer = runner.run(command, work.batch.id)
    assert (answer.code, "manifest.json is damaged: it has 8,000,000,000 bytes" in answer.err) == (1, True)
    assert "Traceback" not in answer.err


def test_too_little_memory_is_said_without_a_traceback(
    runner: BatchctlRunner, work: FinishedWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("daemon.batchctl.commands.proof.verify", refuse)
    answer = runner.run("verify", str(work.directory))
    assert (answer.code, "the memory of this host does not suffice" in answer.err) == (1, True)
    assert "Traceback" not in answer.err
