"""A manifest held against itself, its list of digests, its parent, and the arithmetic it claims."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import orjson

from activities.disk.directory import Directory
from activities.manifest.document import (
    VERSIONS,
    by_rule_in,
    counts_object,
    counts_of,
    schema_files,
    status_of,
    tolerated_in,
)
from activities.manifest.facts import gaps
from activities.manifest.identity_proof import identity_problems
from activities.manifest.model import manifest_problems
from activities.manifest.reader import digest_of, listed_tolerated, saved_pages
from activities.output.names import SCHEMA, chunk_name, generation_of_data, manifest_name, rejected_name, sums_name
from activities.output.page_journal import SavedPage
from daemon.results.verdict import MAX_LISTED, Findings
from workflows.errors import InvalidBatchId, OutputRefused
from workflows.ids import checked_id

MANIFEST, DIGEST, SUMS, GENERATIONS, RANGES, COUNTS = "manifest", "digest", "sums", "generations", "ranges", "counts"


def checked_manifest(folder: Directory, generation: int, findings: Findings) -> dict[str, Any] | None:
    """Read a generation's manifest and hold it against its own digest and its list of digests; None if unreadable."""
    findings.checked(MANIFEST, DIGEST, SUMS)
    name = manifest_name(generation)
    manifest = _loaded(folder, name, findings)
    if manifest is None:
        return None
    if manifest["generation"] != generation or manifest["manifest_version"] not in VERSIONS:
        findings.problem(MANIFEST, f"{name} says it is of another generation or version")
    for each in identity_problems(manifest):
        findings.problem(MANIFEST, f"{name}: {each}")
    if manifest["integrity"]["algorithm"] != "sha256" or manifest["integrity"]["digest"] != digest_of(manifest):
        findings.problem(DIGEST, f"{name} is not what its own digest says")
    _check_sums(folder, generation, manifest, findings)
    return manifest


def check_arithmetic(manifest: dict[str, Any], findings: Findings) -> None:
    """Check that the chunks partition the source, that the rows run from 1, and that the counts are their sums."""
    findings.checked(RANGES, COUNTS)
    pages = saved_pages(manifest)
    for problem in _range_problems(manifest, pages):
        findings.problem(RANGES, problem)
    for problem in _count_problems(manifest, pages):
        findings.problem(COUNTS, problem)


def check_parent(
    folder: Directory, manifest: dict[str, Any], parent: dict[str, Any] | None, findings: Findings
) -> None:
    """Check that a manifest names the generation before it, as it is on disk."""
    generation = manifest["generation"]
    name = manifest_name(generation)
    if generation == 1:
        if manifest["integrity"]["previous"] is not None:
            findings.problem(GENERATIONS, f"{name} names a generation before the first")
        return
    parent_name = manifest_name(generation - 1)
    there = folder.stored(parent_name)
    if parent is None or there is None:
        findings.problem(GENERATIONS, f"{parent_name} is missing or cannot be read")
        return
    expected = {"generation": generation - 1, "file": parent_name, "sha256": there.sha256}
    if manifest.get("parent") != expected or manifest["integrity"]["previous"] != parent["integrity"]["digest"]:
        findings.problem(GENERATIONS, f"{name} was made from another {parent_name} than the one there")


def _loaded(folder: Directory, name: str, findings: Findings) -> dict[str, Any] | None:
    try:
        content = folder.read(name)
    except OutputRefused as error:
        findings.problem(MANIFEST, str(error))
        return None
    if content is None:
        findings.problem(MANIFEST, f"{name} is missing or no plain file")
        return None
    try:
        manifest = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        findings.problem(MANIFEST, f"{name} is no JSON: {error}")
        return None
    wrong = list(_problems(manifest))
    for each in wrong[: MAX_LISTED + 1]:
        findings.problem(MANIFEST, f"{name}: {each}")
    return None if wrong else manifest


def _problems(manifest: Any) -> Iterator[str]:
    wrong = list(manifest_problems(manifest))
    yield from wrong
    if wrong:
        return
    try:
        checked_id(manifest["id"])
    except InvalidBatchId as error:
        yield str(error)
    yield from _misnamed(manifest)


def _misnamed(manifest: dict[str, Any]) -> Iterator[str]:
    """Hold the names of files, before one of them is opened, against the pages they are said to hold."""
    for listed in manifest["chunks"]:
        name, page = listed["file"], listed["page"]
        generation = generation_of_data(name)
        if generation is None or generation > manifest["generation"] or name != chunk_name(page, generation):
            yield f"{name!a} is not the name of the chunk of page {page}"
    for listed in manifest["rejected_files"]:
        name, page = listed["file"], listed["page"]
        if name != rejected_name(page):
            yield f"{name!a} is not the name of the rejected records of page {page}"
    for schema in schema_files(manifest):
        if schema.file != SCHEMA:
            yield f"{schema.file!a} is not the name of a schema"


def _check_sums(folder: Directory, generation: int, manifest: dict[str, Any], findings: Findings) -> None:
    name = sums_name(generation)
    there = folder.stored(manifest_name(generation))
    files = [(each["sha256"], each["file"]) for each in (*manifest["chunks"], *manifest["rejected_files"])]
    files += [(each.sha256, each.file) for each in schema_files(manifest)]
    expected = {f"{sha256}  {file}\n".encode() for sha256, file in files}
    own = f"{there.sha256 if there else ''}  {manifest_name(generation)}\n".encode()
    file = folder.reading(name)
    if file is None:
        findings.problem(SUMS, f"{name} is missing or no plain file")
        return
    if folder.size_bytes(name) != sum(map(len, (*expected, own))):
        file.close()
        findings.problem(SUMS, f"{name} does not list what the manifest lists: its size differs")
        return
    with file:
        found = list(file)
    if own not in found:
        findings.problem(SUMS, f"{manifest_name(generation)} is not the file that {name} lists")
    if set(found) != expected | {own} or len(found) != len(expected) + 1:
        findings.problem(SUMS, f"{name} does not list what the manifest lists")


def _range_problems(manifest: dict[str, Any], pages: list[SavedPage]) -> Iterator[str]:
    for before, after in pairwise(each.page for each in pages):
        if after.number <= before.number or after.source_start < before.source_end:
            yield f"page {after.number} overlaps page {before.number} or stands in the wrong place"
        elif after.first_row < before.first_row + before.records:
            yield f"page {after.number} has rows of page {before.number}"
    for page in (saved.page for saved in pages):
        if page.source_end <= page.source_start:
            yield f"page {page.number} covers no bytes"
    missing = gaps(pages, manifest["dialect"]["data_start"], _records_end(manifest))
    if manifest["status"] == "cancelled":
        if missing != manifest.get("gaps"):
            yield "the gaps of the cancelled batch are not the ones the manifest lists"
        yield from _partial_problems(manifest, pages)
    else:
        yield from _whole_problems(manifest, pages)


def _partial_problems(manifest: dict[str, Any], pages: list[SavedPage]) -> Iterator[str]:
    offset, row, number = manifest["dialect"]["data_start"], 1, 1
    first = pages[0].page if pages else None
    if first and (first.source_start < offset or first.first_row < row or first.number < number):
        yield f"page {first.number} starts before the first record"
    for page in (saved.page for saved in pages):
        if len({page.source_start > offset, page.first_row > row, page.number > number}) > 1:
            yield f"page {page.number}: what is missing before it does not fit in pages, rows and bytes"
        offset, row, number = page.source_end, page.first_row + page.records, page.number + 1
    if offset > _records_end(manifest):
        yield "the last chunk ends behind the end of the source"


def _whole_problems(manifest: dict[str, Any], pages: list[SavedPage]) -> Iterator[str]:
    offset, row = manifest["dialect"]["data_start"], 1
    for page in (saved.page for saved in pages):
        if page.source_start > offset:
            yield f"no chunk covers the bytes {offset} to {page.source_start} of the source"
        if page.first_row != row:
            yield f"page {page.number} starts with row {page.first_row}, not {row}"
        offset, row = page.source_end, page.first_row + page.records
    if [saved.page.number for saved in pages] != list(range(1, len(pages) + 1)):
        yield f"pages are not numbered 1 to {len(pages)}"
    size_bytes = _records_end(manifest)
    if pages and pages[0].page.source_start != manifest["dialect"]["data_start"]:
        yield "the first chunk does not start where the header ends"
    if offset != size_bytes:
        missing = f"no chunk covers the bytes {offset} to {size_bytes} of the source"
        yield "the last chunk does not end where the source ends" if pages else missing


def _records_end(manifest: dict[str, Any]) -> int:
    """Return the byte offset at which the records of the source end: its own end, or its footer."""
    end: int = manifest["dialect"].get("data_end") or manifest["source"]["bytes"]
    return end


def _count_problems(manifest: dict[str, Any], pages: list[SavedPage]) -> Iterator[str]:
    counts = counts_of(pages)
    if counts_object(counts, manifest["manifest_version"]) != manifest["counts"]:
        yield "the counts are not the sums over the chunks"
    if counts.records != sum(saved.page.records for saved in pages):
        yield "records are not enriched, not found, fallback and rejected together"
    # Version 0.1.0 called a result without one valid row complete; what it wrote goes on proving what it proved.
    known = {"cancelled", status_of(counts), *(["complete"] if status_of(counts) == "partial" else [])}
    if manifest["status"] not in known:
        yield f"the status {manifest['status']!r} does not fit the counts"
    for saved, listed in zip(pages, manifest["chunks"], strict=True):
        if saved.rejected_rows != listed["rejected"] or saved.chunk.rows != saved.counted_rows:
            yield f"{saved.chunk.file}: its counts do not fit each other or its rejected records"
    by_rule = by_rule_in(pages)
    if manifest.get("schema", {}).get("rejected_by_rule", by_rule) != by_rule or (by_rule and "schema" not in manifest):
        yield "what the schema rejected by rule is not the sums over the files of rejected records"
    tolerated = listed_tolerated(manifest)
    if (pages or tolerated) and tolerated != tolerated_in(pages):
        yield "what reading has tolerated is not the sums over the chunks"
    if len(manifest["rejected_files"]) != sum(1 for saved in pages if saved.rejected):
        yield "a file of rejected records belongs to no chunk"
