"""Manifests that were written, read again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from activities.disk.directory import Directory
from activities.disk.errors import disk_errors
from activities.manifest.model import manifest_problems
from activities.output.names import generation_of_manifest, manifest_name
from activities.output.page_journal import FileFacts, SavedPage
from workflows.errors import OutputRefused
from workflows.models import Counts, Page, Tolerated
from workflows.requests import WrittenManifest

_RESULT_KEYS = (b'"status"', b'"counts"')


def read_manifest(folder: Directory, generation: int) -> dict[str, Any]:
    """Return a generation's manifest, which has every key it must have, each with a value of its type.

    Raises:
        OutputRefused: it is missing, not JSON, or not of that shape.
    """
    name = manifest_name(generation)
    content = folder.read(name)
    if content is None:
        raise OutputRefused(f"{folder.path} holds no {name}")
    try:
        manifest: dict[str, Any] = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise _damaged(folder, name, f"it is no JSON: {error}") from error
    wrong = next(manifest_problems(manifest), None)
    if wrong is None and manifest["generation"] != generation:
        wrong = f"it says it is generation {manifest['generation']}"
    if wrong is not None:
        raise _damaged(folder, name, wrong)
    return manifest


def newest_generation(folder: Directory) -> int:
    """Return the newest generation that has a manifest, 0 where the batch is not complete."""
    return max((generation_of_manifest(name) or 0 for name in folder.names()), default=0)


def read_result(folder: Directory, generation: int) -> WrittenManifest:
    """Return what the workflow learns of a written manifest, without parsing its list of chunks.

    Raises:
        OutputRefused: there is no such manifest, or it does not say.
    """
    found = {raw[: raw.index(b":")]: raw[raw.index(b":") + 1 :] for raw in _lines(folder, generation, _RESULT_KEYS)}
    try:
        status, counts = (orjson.loads(found[key]) for key in _RESULT_KEYS)
        return WrittenManifest(file=manifest_name(generation), status=status, counts=Counts(**counts))
    except (KeyError, TypeError, ValueError) as error:
        raise OutputRefused(f"{folder.path / manifest_name(generation)} is damaged: no status or counts") from error


def digest_of(manifest: Mapping[str, Any]) -> str | None:
    """Return the digest that the `integrity` of a manifest must hold; None where it is too deep to have one."""
    rest = {key: value for key, value in manifest.items() if key != "integrity"}
    try:
        return hashlib.sha256(orjson.dumps(rest, option=orjson.OPT_SORT_KEYS)).hexdigest()
    except TypeError:  # what can be read may be nested four times as deep as what can be written
        return None


def saved_pages(manifest: Mapping[str, Any]) -> list[SavedPage]:
    """Return what a manifest lists, as it stood in the journal."""
    rejected = {each["page"]: each for each in manifest["rejected_files"]}
    return [_saved(each, rejected.get(each["page"])) for each in manifest["chunks"]]


def listed_page(folder: Directory, generation: int, number: int) -> SavedPage | None:
    """Return one page of a manifest; None where it lists no such page.

    The file is searched line by line, which for twenty thousand chunks takes milliseconds where parsing it all would
    take a tenth of a second and its memory.

    Raises:
        OutputRefused: there is no such manifest.
    """
    wanted = b'"page":%d,' % number
    listed = [orjson.loads(raw) for raw in _lines(folder, generation, b'{"file":') if wanted in raw]
    chunk = next((each for each in listed if "source_start" in each), None)
    rejected = next((each for each in listed if "source_start" not in each), None)
    return None if chunk is None else _saved(chunk, rejected)


def listed_tolerated(listed: Mapping[str, Any]) -> Tolerated | None:
    """Return what a manifest, or an entry of its chunks, says that reading has tolerated; None where it does not."""
    found = listed.get("tolerated")
    return Tolerated(blank_lines=found["blank_lines"], bare_quotes=found["bare_quotes"]) if found else None


def listed_columns(folder: Directory, generation: int) -> tuple[str, ...]:
    """Return the source's columns.

    Raises:
        OutputRefused: there is no such manifest, or it names none.
    """
    for raw in _lines(folder, generation, b'"dialect":'):
        return tuple(orjson.loads(raw.removeprefix(b'"dialect":'))["columns"])
    raise OutputRefused(f"{folder.path / manifest_name(generation)} names no columns")


def _damaged(folder: Directory, name: str, why: str) -> OutputRefused:
    return OutputRefused(f"{folder.path / name} is damaged: {why}; 'batchctl verify {folder.path}' tells all of it")


def _lines(folder: Directory, generation: int, start: bytes | tuple[bytes, ...]) -> Iterator[bytes]:
    name = manifest_name(generation)
    file = folder.reading(name)
    if file is None:
        raise OutputRefused(f"{folder.path} holds no {name}")
    with file, disk_errors(f"reading {folder.path / name}"):
        yield from (raw.rstrip(b",\n") for raw in file if raw.startswith(start))


def _saved(chunk: Mapping[str, Any], rejected: Mapping[str, Any] | None) -> SavedPage:
    return SavedPage(
        page=Page(
            number=chunk["page"],
            source_start=chunk["source_start"],
            source_end=chunk["source_end"],
            first_row=chunk["first_row"],
            records=chunk["last_row"] - chunk["first_row"] + 1,
            rejected=chunk["rejected"],
            line=chunk["line"],
        ),
        chunk=_file_facts(chunk),
        enriched=chunk["enriched"],
        fallback=chunk["fallback"],
        by_error=chunk["by_error"],
        not_found=chunk.get("not_found", 0),
        rejected=_file_facts(rejected) if rejected else None,
        tolerated=listed_tolerated(chunk),
        by_rule=rejected.get("by_rule", {}) if rejected else {},
    )


def _file_facts(listed: Mapping[str, Any]) -> FileFacts:
    return FileFacts(file=listed["file"], rows=listed["rows"], bytes=listed["bytes"], sha256=listed["sha256"])
