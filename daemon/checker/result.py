"""A finished output folder held against the file it was made from: I1, I2, I3 and I7.

Everything is read anew from the bytes on disk; nothing is believed because the manifest says so.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.checker.documents import canonical, read_json
from daemon.checker.form import Form
from daemon.checker.records import ReadRecord, line_ends, read_records

Row = Mapping[str, Any]
Answer = Callable[[Mapping[str, str]], Mapping[str, Any]]
"""What the API adds to a row, from its source columns."""

SHOWN = 5
TOLERATED = ("blank_lines", "bare_quotes")
_NOT_READ = ("escape", "comment", "trim", "trailing_delimiter")
_MANIFEST = re.compile(r"manifest(?:-g([0-9]+))?\.json")


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One rule that does not hold, and what shows it."""

    rule: str
    what: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"


def check_result(folder: Path, source: Path, *, answer: Answer | None = None) -> list[Finding]:
    """Return what is wrong with the newest result in `folder`; nothing where all holds.

    Args:
        folder: the output folder of a batch that has ended.
        source: the file it was made from.
        answer: what the API adds to a row; without it what enriched rows hold beside their source is not judged.
    """
    try:
        name, manifest = _newest_manifest(folder)
        result = _Result(folder, name, manifest, source.read_bytes(), answer)
        return [*result.whole(), *result.pages(), *result.rows(), *result.counts()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [Finding("I3", f"{folder} cannot be judged: {type(error).__name__}: {error}")]


def _newest_manifest(folder: Path) -> tuple[str, dict[str, Any]]:
    generations = {
        int(found[1] or 1): found[0] for each in folder.iterdir() if (found := _MANIFEST.fullmatch(each.name))
    }
    if not generations:
        raise ValueError("there is no manifest")
    name = generations[max(generations)]
    return name, read_json(folder / name)


class _Result:
    """One generation of a result, with what its source holds."""

    def __init__(
        self, folder: Path, name: str, manifest: dict[str, Any], content: bytes, answer: Answer | None
    ) -> None:
        self._folder, self._name, self._manifest, self._content, self._answer = folder, name, manifest, content, answer
        dialect, settings = manifest["dialect"], manifest["settings"]
        _check_known(dialect)
        self._columns: list[str] = dialect["columns"]
        form = Form(
            delimiter=dialect["delimiter"],
            quote=dialect["quote"],
            encoding=dialect["encoding"],
            bare_quotes=dialect.get("bare_quotes", "accept"),
            short_rows=dialect.get("short_rows", "reject"),
            max_record_bytes=settings["max_record_bytes"],
            max_field_bytes=settings["max_field_bytes"],
        )
        self._start: int = dialect["data_start"]
        line = 1 + line_ends(form.units(content[: self._start]))
        self._end: int = dialect.get("data_end") or len(content)
        read = read_records(content[: self._end], form, start=self._start, line=line, width=len(self._columns))
        self._records = {each.number: each for each in read}

    def whole(self) -> Iterator[Finding]:
        """I3 and I7: the manifest and every file it lists are whole, and nothing else is there."""
        manifest, folder = self._manifest, self._folder
        listed = {each["file"]: each for key in ("chunks", "rejected_files") for each in manifest[key]}
        if "schema" in manifest:
            listed[manifest["schema"]["file"]] = manifest["schema"]
        for name, entry in listed.items():
            content = (folder / name).read_bytes() if (folder / name).is_file() else None
            if content is None:
                yield Finding("I3", f"{name} is listed and not there")
            elif (len(content), hashlib.sha256(content).hexdigest()) != (entry["bytes"], entry["sha256"]):
                yield Finding("I3", f"{name} is not the file that the manifest lists")
        proof = {key: value for key, value in manifest.items() if key != "integrity"}
        if hashlib.sha256(canonical(proof).encode()).hexdigest() != manifest["integrity"]["digest"]:
            yield Finding("I3", f"the digest of {self._name} is that of another manifest")
        source = manifest["source"]
        if (source["bytes"], source["sha256"]) != (len(self._content), hashlib.sha256(self._content).hexdigest()):
            yield Finding("I3", "the source is not the file that the manifest names")
        yield from self._sums()
        for each in sorted(folder.iterdir()):
            if each.name.startswith(".") or each.suffix not in {".json", ".sha256"}:
                yield Finding("I7", f"{each.name} is left over")

    def _sums(self) -> Iterator[Finding]:
        sums = self._folder / (self._name.removesuffix(".json") + ".sha256")
        for line in sums.read_text().splitlines():
            digest, _, name = line.partition("  ")
            file = self._folder / name
            if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != digest:
                yield Finding("I3", f"{sums.name} does not hold for {name}")

    def pages(self) -> Iterator[Finding]:
        """I2: the byte ranges of the chunks are the data part of the source, each once."""
        if self._manifest["status"] == "cancelled":
            return
        at = self._start
        for chunk in self._manifest["chunks"]:
            if chunk["source_start"] != at or chunk["source_end"] <= at:
                yield Finding(
                    "I2", f"{chunk['file']} begins at byte {chunk['source_start']}, the one before ends at {at}"
                )
            at = chunk["source_end"]
            records = [each for each in self._records.values() if chunk["source_start"] <= each.start < at]
            numbers = [each.number for each in records]
            if numbers != list(range(chunk["first_row"], chunk["last_row"] + 1)):
                yield Finding("I2", f"{chunk['file']} has other records than the bytes it names")
        if at != self._end and self._manifest["chunks"]:
            yield Finding("I2", f"the chunks end at byte {at}, the records of the source at {self._end}")

    def rows(self) -> Iterator[Finding]:
        """I1: each record of the source stands once, as a row with its cells or as a rejected record."""
        times: Counter[int] = Counter()
        wrong: list[Finding] = []
        for name, row in self._listed("chunks"):
            times[row["_row"]] += 1
            wrong += self._wrong_row(name, row)
        for name, row in self._listed("rejected_files"):
            times[row["_row"]] += 1
            record = self._records.get(row["_row"])
            if record is None or (record.reason or self._by_schema(row), record.line) != (row["reason"], row["line"]):
                wrong.append(Finding("I1", f"{name}: record {row['_row']} was rejected otherwise than it is to be"))
        lost = [number for number in self._records if not times[number]]
        if self._manifest["status"] == "cancelled":
            lost = []
        double = [number for number, count in times.items() if count > 1]
        for what, numbers in (("lost", lost), ("there more than once", double)):
            if numbers:
                yield Finding("I1", f"{len(numbers)} records are {what}, such as {numbers[:SHOWN]}")
        yield from wrong[:SHOWN]

    def _by_schema(self, row: Row) -> str:
        """Return the reason of a sound record that a schema refused; whether it was right to is not judged here."""
        return "schema" if "schema" in self._manifest and row.get("column") and row.get("rule") else ""

    def _wrong_row(self, name: str, row: Row) -> Iterator[Finding]:
        number = row["_row"]
        record = self._records.get(number)
        if record is None or record.reason:
            yield Finding("I1", f"{name}: row {number} is no valid row of the source")
            return
        keys = list(row)
        cells = [row[key] for key in keys[: keys.index("_row")]]
        if keys[: keys.index("_row")] != self._columns or cells != list(record.cells):
            yield Finding("I1", f"{name}: row {number} does not hold the cells of its record")
        if row["enriched"] is not (not row.get("error")):
            yield Finding("I1", f"{name}: row {number} is enriched and has an error, or neither")
        added = {key: row[key] for key in keys[keys.index("enriched") + 1 :]}
        if self._answer and row["enriched"] and added != self._answer(_source_row(self._columns, record)):
            yield Finding("I1", f"{name}: row {number} has the answer of another row")

    def counts(self) -> Iterator[Finding]:
        """I3: what the manifest counts is what lies there, in all and for each chunk."""
        found: Counter[str] = Counter(records=0)
        for chunk in self._manifest["chunks"]:
            own = Counter(_kind(row) for row in read_json(self._folder / chunk["file"]))
            own["rejected"] = chunk["rejected"]
            told = {kind: chunk.get(kind, 0) for kind in ("enriched", "fallback", "not_found", "rejected")}
            if told != {kind: own[kind] for kind in told}:
                yield Finding("I3", f"{chunk['file']} is counted as {told}")
            found += own
        yield from self._tolerated()
        yield from self._by_rule()
        found["rejected"] = sum(1 for _ in self._listed("rejected_files"))
        found["records"] = sum(found[kind] for kind in ("enriched", "fallback", "not_found", "rejected"))
        counts = self._manifest["counts"]
        wrong = [kind for kind in counts if kind in found.keys() | {"enriched"} and counts[kind] != found[kind]]
        if wrong:
            yield Finding("I3", f"the manifest counts {wrong} otherwise than they are")

    def _tolerated(self) -> Iterator[Finding]:
        """I3: where the manifest counts blank lines and bare quotes, they are those of the source and its chunks."""
        total: Counter[str] = Counter()
        for chunk in self._manifest["chunks"]:
            numbers = range(chunk["first_row"], chunk["last_row"] + 1)
            records = [self._records[each] for each in numbers if each in self._records]
            own = {kind: sum(getattr(each, kind) for each in records) for kind in TOLERATED}
            if "tolerated" in chunk and chunk["tolerated"] != own:
                yield Finding("I3", f"{chunk['file']} is said to tolerate {chunk['tolerated']}, the source has {own}")
            total += Counter(own)
        told = self._manifest.get("tolerated")
        if told is not None and told != {kind: total[kind] for kind in TOLERATED}:
            yield Finding("I3", f"the manifest says that {told} was tolerated, and its chunks are of other records")

    def _by_rule(self) -> Iterator[Finding]:
        """I3: where the manifest counts records by the rule of a schema, they are those that lie there."""
        total: Counter[str] = Counter()
        for entry in self._manifest["rejected_files"]:
            rows = read_json(self._folder / entry["file"])
            own = Counter(row["rule"] for row in rows if row["reason"] == "schema")
            if entry.get("by_rule", own) != own:
                yield Finding("I3", f"{entry['file']} has other records by rule than {entry['by_rule']}")
            total += own
        told = self._manifest.get("schema", {}).get("rejected_by_rule", total)
        if told != total:
            yield Finding("I3", f"the manifest says that {told} broke rules of the schema, and {dict(total)} did")

    def _listed(self, key: str) -> Iterator[tuple[str, Row]]:
        for entry in self._manifest[key]:
            if (self._folder / entry["file"]).is_file():
                yield from ((entry["file"], row) for row in read_json(self._folder / entry["file"]))


def _check_known(dialect: dict[str, Any]) -> None:
    """Raise ValueError where records are written in a way that this program does not read."""
    unknown = [key for key in _NOT_READ if dialect.get(key)]
    if unknown or len(dialect["delimiter"]) != 1 or len(dialect["quote"]) > 1:
        what = ", ".join(unknown) or f"delimiter {dialect['delimiter']!r} and quote {dialect['quote']!r}"
        raise ValueError(f"records written with {what} are not read by this program")


def _source_row(columns: list[str], record: ReadRecord) -> dict[str, str]:
    return dict(zip(columns, record.cells, strict=True))


def _kind(row: Row) -> str:
    if row["enriched"]:
        return "enriched"
    return "not_found" if row["error"] == "not_found" else "fallback"
