"""A result with a schema proves it: the schema is listed, each row fits it, and no two rows share a key."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from described_api import Asked, described_api
from repository import ROOT
from schema_site import SchemaSite

from activities.manifest.reader import digest_of
from daemon.batchctl.state.loaders import finished_output
from daemon.batchctl.state.retry_request import retry_request
from daemon.checker.result import check_result
from daemon.results.verify import verify
from workflows.api_spec import BatchTerms
from workflows.errors import OutputRefused
from workflows.models import CsvOptions, Shape

CSV = """id,email,age,paid
1,ada@example.com,36,10.50
2,not an address,40,1
1,again@example.com,50,3
4,zoe@example.com,20,4
5,,,
"""


def answer(asked: Asked) -> tuple[int, bytes]:
    return (400, b"{}") if b'"id":4' in asked.body else (200, b'{"region":"NA"}')


@pytest.fixture
async def site(tmp_path: Path) -> SchemaSite:
    made = SchemaSite(tmp_path, CSV, null="n/a")
    with described_api(answer) as api:
        await made.finished(api.url)
    return made


def source_of(site: SchemaSite) -> Path:
    return site.inbox / ".processing" / site.id / "users.csv"


def broken(site: SchemaSite, *, source: bool = False) -> dict[str, str]:
    verdict = verify(site.folder, source=source_of(site) if source else None)
    return {each.name: each.detail for each in verdict.failed()}


def forge(
    site: SchemaSite,
    file: str,
    change: Callable[[list[Any]], object],
    listed: Callable[[dict[str, Any]], object] = lambda _: None,
) -> None:
    """Change the rows of a file and what is `listed` of them, and make all digests right again."""
    path, manifest_path = site.folder / file, site.folder / "manifest.json"
    rows = json.loads(path.read_text())
    change(rows)
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    path.write_text(f"[\n{lines}\n]\n")
    manifest = json.loads(manifest_path.read_text())
    for each in (*manifest["chunks"], *manifest["rejected_files"]):
        if each["file"] == file:
            each |= {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    listed(manifest)
    manifest["integrity"]["digest"] = digest_of(manifest)
    manifest_path.write_text(json.dumps(manifest))
    files = [(each["sha256"], each["file"]) for each in (*manifest["chunks"], *manifest["rejected_files"])]
    files += [(manifest["schema"]["sha256"], "schema.json")]
    files += [(hashlib.sha256(manifest_path.read_bytes()).hexdigest(), "manifest.json")]
    (site.folder / "manifest.sha256").write_text("".join(f"{digest}  {name}\n" for digest, name in files))


def uncounted(manifest: dict[str, Any]) -> None:
    del manifest["schema"]["rejected_by_rule"]
    for each in manifest["rejected_files"]:
        del each["by_rule"]


async def test_a_sound_result_holds_with_and_without_its_source(site: SchemaSite) -> None:
    assert broken(site) == {}
    assert broken(site, source=True) == {}
    assert check_result(site.folder, source_of(site)) == []
    assert "schema" in [each.name for each in verify(site.folder).checks]


async def test_the_manifest_lists_the_schema_and_nothing_of_the_work_stays(site: SchemaSite) -> None:
    manifest = json.loads((site.folder / "manifest.json").read_text())
    jsonschema.Draft202012Validator(json.loads((ROOT / "docs" / "manifest.schema.json").read_text())).validate(manifest)
    text = (site.folder / "schema.json").read_bytes()
    assert text.decode() == site.schema
    assert manifest["schema"] == {
        "file": "schema.json",
        "bytes": len(text),
        "sha256": hashlib.sha256(text).hexdigest(),
        "null": "n/a",
        "decimal": ".",
        "rejected_by_rule": {"format": 1, "unique": 1},
    }
    assert not {"schema_sha256", "null", "decimal"} & manifest["settings"].keys()
    assert f"{manifest['schema']['sha256']}  schema.json\n" in (site.folder / "manifest.sha256").read_text()
    assert not [each.name for each in site.folder.iterdir() if each.name.startswith(".")]


async def test_records_are_counted_by_the_rule_that_they_break_also_in_a_later_generation(site: SchemaSite) -> None:
    with described_api(lambda _: (200, b"{}")) as api:
        await site.worked(api.url, 2)
    site.concluded(2)
    for name in ("manifest.json", "manifest-g2.json"):
        manifest = json.loads((site.folder / name).read_text())
        assert [each["by_rule"] for each in manifest["rejected_files"]] == [{"format": 1, "unique": 1}]
        assert manifest["schema"]["rejected_by_rule"] == {"format": 1, "unique": 1}
    assert broken(site, source=True) == {}
    assert check_result(site.folder, source_of(site)) == []


async def test_counts_by_rule_that_do_not_hold_are_found(site: SchemaSite) -> None:
    def both(manifest: dict[str, Any]) -> None:
        for counts in (manifest["schema"]["rejected_by_rule"], manifest["rejected_files"][0]["by_rule"]):
            counts["format"] += 1

    def nothing(_: list[Any]) -> None:
        pass

    forge(site, "rejected-000001.json", nothing, lambda found: found["schema"]["rejected_by_rule"].clear())
    sums = "what the schema rejected by rule is not the sums over the files of rejected records"
    assert broken(site) == {"counts": sums}
    assert {each.rule for each in check_result(site.folder, source_of(site))} == {"I3"}
    original = {"format": 1, "unique": 1}
    forge(site, "rejected-000001.json", nothing, lambda found: found["schema"].update(rejected_by_rule=original))
    assert broken(site) == {}
    forge(site, "rejected-000001.json", nothing, both)
    assert broken(site) == {"content": "rejected-000001.json has other records by rule than the manifest lists"}
    assert {each.rule for each in check_result(site.folder, source_of(site))} == {"I3"}


async def test_a_manifest_that_does_not_count_by_rule_holds(site: SchemaSite) -> None:
    forge(site, "rejected-000001.json", lambda _: None, uncounted)
    assert broken(site, source=True) == {}
    assert check_result(site.folder, source_of(site)) == []


async def test_a_schema_that_was_changed_or_is_gone_is_found(site: SchemaSite) -> None:
    path = site.folder / "schema.json"
    path.write_bytes(path.read_bytes().replace(b"18", b"17"))
    assert "schema.json" in broken(site)["files"]
    path.unlink()
    assert "schema.json" in broken(site)["files"]


@pytest.mark.parametrize(
    ("file", "change", "check", "what"),
    [
        (
            "chunk-000001.json",
            lambda rows: rows[0].update(age="7"),
            "content",
            "row 1 breaks the rule minimum",
        ),
        ("chunk-000002.json", lambda rows: rows[0].update(id="1"), "schema", "row 4 repeats a key of the schema"),
        (
            "chunk-000002.json",
            lambda rows: rows[1].update(id="x"),
            "content",
            "row 5 breaks the rule type",
        ),
        (
            "rejected-000001.json",
            lambda rows: rows[0].update(column="other"),
            "content",
            "for a column that",
        ),
        ("rejected-000001.json", lambda rows: rows[1].update(column="age"), "content", "by a rule or for a column"),
        ("rejected-000001.json", lambda rows: rows[0].pop("rule"), "content", "rule"),
    ],
)
async def test_rows_that_do_not_fit_the_schema_are_found_without_the_source(
    site: SchemaSite, file: str, change: Callable[[list[Any]], object], check: str, what: str
) -> None:
    forge(site, file, change)
    assert re.search(what, broken(site)[check]), broken(site)


@pytest.mark.parametrize(
    "change", [lambda rows: rows[0].update(rule="pattern"), lambda rows: rows[0].update(column="age")]
)
async def test_a_rule_that_the_row_does_not_break_is_found_with_the_source(
    site: SchemaSite, change: Callable[[list[Any]], object]
) -> None:
    forge(site, "rejected-000001.json", change, uncounted)
    assert broken(site) == {}
    assert "row 2" in broken(site, source=True)["source"]


async def test_another_row_than_the_first_of_a_key_in_the_result_is_found_with_the_source(site: SchemaSite) -> None:
    third = {"id": "1", "email": "again@example.com", "age": "50", "paid": "3", "_row": 3}
    forge(site, "chunk-000001.json", lambda rows: rows.__setitem__(0, {**third, "enriched": True, "region": "NA"}))
    forge(site, "rejected-000001.json", lambda rows: rows[1].update(_row=1, line=2))
    assert broken(site) == {}
    found = broken(site, source=True)["schema"]
    assert "row 3 repeats a key of the schema" in found
    assert "record 1 was rejected as one that repeats a key, and does not" in found


async def test_fallback_rows_are_tried_again_typed_and_the_next_manifest_lists_the_schema_too(site: SchemaSite) -> None:
    with described_api(lambda _: (200, b'{"region":"EU"}')) as api:
        await site.worked(api.url, generation=2)
    assert [each.body for each in api.asked] == [b'{"id":4,"email":"zoe@example.com","age":20,"paid":4}']
    assert site.concluded(generation=2).status == "complete"
    manifest = json.loads((site.folder / "manifest-g2.json").read_text())
    assert manifest["schema"] == json.loads((site.folder / "manifest.json").read_text())["schema"]
    assert broken(site, source=True) == {}


async def test_a_retry_is_asked_for_with_the_schema_of_its_batch_whatever_the_feed_has_now(site: SchemaSite) -> None:
    now = Shape(csv=CsvOptions(schema_sha256="e" * 64, null="other", decimal=","))
    request = retry_request(now, finished_output(site.folder), BatchTerms(shape=now))
    csv = request.shape.csv
    assert (csv.schema_sha256, csv.null, csv.decimal) == (site.batch.csv.schema_sha256, "n/a", ".")


async def test_a_retry_is_not_concluded_beside_another_schema(site: SchemaSite) -> None:
    with described_api(lambda _: (200, b"{}")) as api:
        await site.worked(api.url, generation=2)
    (site.folder / "schema.json").write_text("{}")
    with pytest.raises(OutputRefused, match=r"schema\.json is not what its manifest says"):
        site.concluded(generation=2)
