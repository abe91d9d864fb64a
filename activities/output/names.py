"""What the files of an output folder are called. The first generation has no suffix, later ones have `-g<n>`.

A name that is read counts only where it is exactly the one that is given: `manifest-g02.json` is no manifest.
"""

from __future__ import annotations

import re

SCHEMA = "schema.json"
"""The Table Schema that the rows of a batch fit, in canonical JSON; only where its feed has one."""

DUPLICATES = ".duplicates"
"""The hidden name of what says which rows repeat a key of the schema; only where it has keys, until the manifest."""

_GENERATION = r"(?:-g([2-9]|[1-9][0-9]+))?"
_PAGE = r"(?:[0-9]{6}|[1-9][0-9]{6,})"
_LISTED = re.compile(rf"(?:chunk-{_PAGE}{_GENERATION}|rejected-{_PAGE})\.json")
_WORK = re.compile(rf"\.(?:part-{_PAGE}{_GENERATION}|journal{_GENERATION}|manifest{_GENERATION}\.json|duplicates)")
_MANIFEST = re.compile(rf"manifest{_GENERATION}\.json")


def chunk_name(page_number: int, generation: int = 1) -> str:
    """Return the name of a page's chunk."""
    return f"chunk-{page_number:06d}{_suffix(generation)}.json"


def rejected_name(page_number: int) -> str:
    """Return the name of a page's rejected records. They are read once and have one generation."""
    return f"rejected-{page_number:06d}.json"


def manifest_name(generation: int = 1) -> str:
    """Return the name of a generation's manifest."""
    return f"manifest{_suffix(generation)}.json"


def sums_name(generation: int = 1) -> str:
    """Return the name of a generation's list of digests, as `sha256sum -c` reads it."""
    return f"manifest{_suffix(generation)}.sha256"


def part_name(page_number: int, generation: int = 1) -> str:
    """Return the hidden name of a page's finished rows."""
    return f".part-{page_number:06d}{_suffix(generation)}"


def journal_name(generation: int = 1) -> str:
    """Return the hidden name of a generation's journal."""
    return f".journal{_suffix(generation)}"


def generation_of_manifest(name: str) -> int | None:
    """Return which generation's manifest is called `name`; None where it is no manifest's name."""
    found = _MANIFEST.fullmatch(name)
    return int(found[1] or 1) if found else None


def generation_of_data(name: str) -> int | None:
    """Return which generation a chunk or a file of rejected records belongs to; None for other names."""
    found = _LISTED.fullmatch(name)
    return int(found[1] or 1) if found else None


def generation_of_work(name: str) -> int | None:
    """Return which generation a hidden file of the work belongs to: part, journal, manifest, duplicates; else None."""
    found = _WORK.fullmatch(name)
    return int(next(filter(None, found.groups()), 1)) if found else None


def _suffix(generation: int) -> str:
    return f"-g{generation}" if generation > 1 else ""
