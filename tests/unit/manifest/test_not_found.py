"""Rows that the API has nothing on: an outcome of its own, from the row to the proof."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
from finished_work import FinishedWork
from repository import ROOT

from daemon.results.verify import verify
from workflows.api_spec import ApiSpec

SCHEMA = json.loads((ROOT / "docs" / "manifest.schema.json").read_text())
PEOPLE = ApiSpec(
    name="people", method="GET", url="https://api.example.com/person{?name}", fallback={"title": "", "score": 0.5}
)


def found_or_not(number: int, _: dict[str, str]) -> tuple[dict[str, Any] | None, str | None]:
    """Answer rows 1, 4 and 7, know nothing of 2, 5, and fail for 6."""
    if number % 3 == 2:
        return None, "not_found"
    return (None, "http_500") if number == 6 else ({"title": "CTO"}, None)


@pytest.fixture
def work(tmp_path: Path) -> FinishedWork:
    finished = FinishedWork(tmp_path, api=PEOPLE)
    finished.run(found_or_not)
    return finished


def rows(folder: Path, name: str) -> dict[int, dict[str, Any]]:
    return {row["_row"]: row for row in json.loads((folder / name).read_bytes())}


def test_a_row_that_was_not_found_holds_its_source_and_that_word_alone(work: FinishedWork) -> None:
    assert rows(work.directory, "chunk-000001.json")[2] == {
        "id": "2",
        "name": "Bob",
        "country": "DE",
        "_row": 2,
        "enriched": False,
        "error": "not_found",
    }


def test_a_fallback_row_holds_the_fields_of_its_api(work: FinishedWork) -> None:
    row = rows(work.directory, "chunk-000002.json")[6]
    assert (row["title"], row["score"], row["error"]) == ("", 0.5, "http_500")
    assert "region" not in row


def test_the_manifest_of_a_described_api_is_of_version_2_and_counts_them_apart(work: FinishedWork) -> None:
    manifest = json.loads((work.directory / "manifest.json").read_bytes())
    jsonschema.Draft202012Validator(SCHEMA).validate(manifest)
    assert (manifest["manifest_version"], manifest["feed"], manifest["config_sha256"]) == (2, "contacts", "c" * 64)
    assert manifest["dialect"]["decided_by"]["header"] == "first record"
    assert manifest["counts"] == {
        "records": 7,
        "enriched": 3,
        "not_found": 2,
        "fallback": 1,
        "rejected": 1,
        "by_error": {"http_500": 1},
    }
    assert [each["not_found"] for each in manifest["chunks"]] == [1, 1, 0]
    api = manifest["api"]
    assert (api["name"], api["method"], api["url"]) == ("people", "GET", "https://api.example.com/person{?name}")


def test_a_manifest_of_version_2_proves_itself_and_its_source(work: FinishedWork) -> None:
    verdict = verify(work.directory, source=work.source)
    assert verdict.ok, verdict.failed()
    assert (verdict.enriched, verdict.not_found, verdict.fallback, verdict.rejected) == (3, 2, 1, 1)


def test_a_row_that_was_not_found_is_never_tried_again(work: FinishedWork) -> None:
    called: list[int] = []

    def later(number: int, _: dict[str, str]) -> tuple[dict[str, Any] | None, str | None]:
        called.append(number)
        return {"title": "later"}, None

    written = work.retry(answer=later)
    assert called == [6]
    assert (written.counts.enriched, written.counts.not_found, written.counts.fallback) == (4, 2, 0)
    verdict = verify(work.directory, source=work.source)
    assert verdict.ok, verdict.failed()
    assert json.loads((work.directory / "manifest-g2.json").read_bytes())["api"]["name"] == "people"


@pytest.mark.parametrize("change", [{"error": "http_404"}, {"title": ""}])
def test_a_changed_row_that_was_not_found_is_found_even_with_right_digests(
    work: FinishedWork, change: dict[str, Any]
) -> None:
    chunk = work.directory / "chunk-000001.json"
    old = chunk.read_bytes()
    row = rows(work.directory, chunk.name)[2]
    new = old.replace(orjson.dumps(row), orjson.dumps({**row, **change}))
    assert new != old
    manifest_path = work.directory / "manifest.json"
    manifest = json.loads(manifest_path.read_bytes())
    manifest["chunks"][0] |= {"bytes": len(new), "sha256": hashlib.sha256(new).hexdigest()}
    chunk.chmod(0o600)
    chunk.write_bytes(new)
    manifest_path.write_bytes(orjson.dumps(manifest))
    problems = {each.name: each.detail for each in verify(work.directory).failed()}
    assert "chunk-000001.json" in problems["content"]
