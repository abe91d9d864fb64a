"""The text of a manifest: one top-level key to a line, one chunk to a line, written and digested as a stream.

A batch of ten million rows has twenty thousand chunks; nothing here holds more of them than their journal entries.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from activities.output.names import manifest_name
from activities.output.page_journal import FileFacts, SavedPage
from workflows.models import Counts, ManifestStatus, Tolerated

VERSIONS = (1, 2)
"""2 where a configuration file describes the API: it knows rows that were not found. 1 where `BATCH_*` does."""

ALGORITHM = "sha256"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestDocument:
    """A manifest to be written. `facts` holds every key but `chunks`, `rejected_files` and `integrity`."""

    facts: dict[str, Any]
    pages: list[SavedPage]
    previous: str | None = None
    _lists: tuple[str, str] = field(default=("chunks", "rejected_files"), init=False)

    @property
    def generation(self) -> int:
        """The generation it completes."""
        return int(self.facts["generation"])

    @property
    def name(self) -> str:
        """The name of its file."""
        return manifest_name(self.generation)

    def files(self) -> Iterator[FileFacts]:
        """Yield every file it lists, chunks first."""
        for saved in self.pages:
            yield saved.chunk
        for saved in self.pages:
            if saved.rejected:
                yield saved.rejected
        yield from schema_files(self.facts)

    def digest(self) -> str:
        """Return the sha256 over the canonical JSON of everything but `integrity`."""
        digest = hashlib.sha256()
        lead = b"{"
        for key in sorted([*self.facts, *self._lists]):
            digest.update(b"%b%b:" % (lead, orjson.dumps(key)))
            for block in self._canonical(key):
                digest.update(block)
            lead = b","
        digest.update(b"}")
        return digest.hexdigest()

    def blocks(self) -> Iterator[bytes]:
        """Yield the file."""
        yield b"{\n"
        for key, value in self.facts.items():
            yield b"%b:%b,\n" % (orjson.dumps(key), orjson.dumps(value))
        for key in self._lists:
            yield b"%b:[\n" % orjson.dumps(key)
            yield from _joined(self._listed(key), b",\n")
            yield b"\n],\n"
        yield b'"integrity":%b\n}\n' % orjson.dumps(
            {"algorithm": ALGORITHM, "digest": self.digest(), "previous": self.previous}
        )

    def same_files(self, manifest: Mapping[str, Any]) -> bool:
        """Return whether a manifest that was read lists exactly these pages and files."""
        return all(
            len(manifest[key]) == sum(1 for _ in self._listed(key))
            and all(ours == theirs for ours, theirs in zip(self._listed(key), manifest[key], strict=True))
            for key in self._lists
        )

    def _canonical(self, key: str) -> Iterator[bytes]:
        if key in self._lists:
            yield b"["
            yield from _joined(self._listed(key), b",", orjson.OPT_SORT_KEYS)
            yield b"]"
        else:
            yield orjson.dumps(self.facts[key], option=orjson.OPT_SORT_KEYS)

    def _listed(self, key: str) -> Iterator[dict[str, Any]]:
        if key == "chunks":
            version = self.facts["manifest_version"]
            return (chunk_object(each, version) for each in self.pages)
        return (rejected_object(each) for each in self.pages if each.rejected)


def schema_files(manifest: Mapping[str, Any]) -> list[FileFacts]:
    """Return the file of the schema that a manifest lists, if any."""
    schema = manifest.get("schema")
    return [FileFacts(file=schema["file"], rows=0, bytes=schema["bytes"], sha256=schema["sha256"])] if schema else []


def chunk_object(saved: SavedPage, version: int) -> dict[str, Any]:
    """Return a page as an entry of `chunks`."""
    page = saved.page
    not_found = {"not_found": saved.not_found} if version > 1 else {}
    tolerated = {"tolerated": asdict(saved.tolerated)} if saved.tolerated and version > 1 else {}
    return {
        "file": saved.chunk.file,
        "page": page.number,
        "first_row": page.first_row,
        "last_row": page.first_row + page.records - 1,
        "rows": saved.chunk.rows,
        "enriched": saved.enriched,
        **not_found,
        "fallback": saved.fallback,
        "rejected": saved.rejected_rows,
        "by_error": saved.by_error,
        **tolerated,
        "line": page.line,
        "source_start": page.source_start,
        "source_end": page.source_end,
        "bytes": saved.chunk.bytes,
        "sha256": saved.chunk.sha256,
    }


def rejected_object(saved: SavedPage) -> dict[str, Any]:
    """Return a page's rejected records as an entry of `rejected_files`."""
    facts = saved.rejected
    assert facts is not None, "only pages with rejected records are listed"  # noqa: S101 - for the type checker
    return {
        "file": facts.file,
        "page": saved.page.number,
        "rows": facts.rows,
        **({"by_rule": saved.by_rule} if saved.by_rule else {}),
        "bytes": facts.bytes,
        "sha256": facts.sha256,
    }


def by_rule_in(pages: Iterable[SavedPage]) -> dict[str, int]:
    """Return the records that a schema has refused, by rule, as sums over pages."""
    total = Counter[str]()
    for saved in pages:
        total.update(saved.by_rule)
    return dict(sorted(total.items()))


def counts_of(pages: Iterable[SavedPage]) -> Counts:
    """Return the sums over pages."""
    total = Counts()
    for saved in pages:
        total = total.plus(
            Counts(
                records=saved.chunk.rows + saved.rejected_rows,
                enriched=saved.enriched,
                fallback=saved.fallback,
                rejected=saved.rejected_rows,
                by_error=saved.by_error,
                not_found=saved.not_found,
            ),
        )
    return total


def tolerated_in(pages: Iterable[SavedPage]) -> Tolerated | None:
    """Return the sums over pages of what reading them has tolerated; None where it was not counted for each."""
    total = Tolerated()
    for saved in pages:
        if saved.tolerated is None:
            return None
        total = total.plus(saved.tolerated)
    return total


def counts_object(counts: Counts, version: int) -> dict[str, Any]:
    """Return counts as they stand in a manifest of `version`."""
    return {key: value for key, value in asdict(counts).items() if version > 1 or key != "not_found"}


def status_of(counts: Counts) -> ManifestStatus:
    """Return the status of a batch whose pages are all there."""
    if counts.records and counts.rejected == counts.records:
        return "partial"
    return "complete_with_fallbacks" if counts.fallback else "complete"


def _joined(objects: Iterable[dict[str, Any]], between: bytes, option: int = 0) -> Iterator[bytes]:
    lead = b""
    for each in objects:
        yield lead + orjson.dumps(each, option=option)
        lead = between
