"""Why a file has not been taken yet, or what became of it: for `batchctl explain` and `batchctl list --all`.

Everything is read from the folders, so it answers while the daemon is stopped, and after Temporal has forgotten.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from activities.file_source import FAILED
from activities.registry.reasons import REASON_JSON
from activities.registry.receipts import Receipt, Receipts
from daemon.config.feed_settings import feed_of
from daemon.config.settings import Settings
from daemon.intake.admit.candidate import Candidate, RuleContext
from daemon.intake.admit.duplicates import RECEIPT, what_next
from daemon.intake.admit.refusals import REFUSED, Obstacle
from daemon.intake.admit.rules import OUTSIDE, RuleResult, first_broken, results
from daemon.intake.observe.entries import DUPLICATES, Names, entries, entry_at
from daemon.intake.observe.writing import writers_of
from workflows.ids import DEFAULT_FEED, displayed, slug

MOST_FATES = 20
MOST_REFUSED = 200
MOST_STEM_CHARS = 60
MAX_DOCUMENT_BYTES = 65_536
ALL_PASSED = "every rule is passed; the next scan takes it"

__all__ = ["Explanation", "Fate", "RuleResult", "WaitingFile", "explain", "waiting_files"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of an earlier file of this name. `where` is relative to the inbox."""

    became: str
    at: str = ""
    batch_id: str | None = None
    where: str | None = None
    why: str = ""
    todo: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Everything about one name. JSON-safe.

    `state` is what the file in the inbox is now (`waiting settling held left ignored refused duplicate`), else what
    became of the last one of its name (`claimed running completed failed cancelled refused duplicate`), else `absent`.
    `rules` is empty where no such file is in the inbox; `fates` holds earlier files of the name, newest first.
    """

    file: str
    state: str
    summary: str
    todo: str = ""
    wait_s: float | None = None
    rules: list[RuleResult] = field(default_factory=list)
    fates: list[Fate] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingFile:
    """A file that is no batch: still in the inbox, or refused."""

    name: str
    state: str
    why: str
    todo: str = ""
    size_bytes: int | None = None


def explain(settings: Settings, name: bytes | str) -> Explanation:
    """Return how a file stands to every rule of intake, in order, and what became of earlier ones of its name.

    Blocking; reads a file under 64 MiB once, of a larger one the beginning. Writes nothing.
    """
    raw = os.fsencode(Path(os.fsdecode(name)).name)
    fates = list(islice(sorted(_fates(settings, raw), key=lambda each: each.at, reverse=True), MOST_FATES))
    entry = entry_at(settings.inbox.absolute() / os.fsdecode(raw))
    rules = list(results(Candidate(RuleContext(settings, reads_large=False), entry))) if entry else []
    file = displayed(raw)
    if not rules:
        return _of_the_past(settings, file, fates)
    failed = next((each for each in rules if each.passed is False), None)
    unseen = next((each for each in rules if each.passed is None), None)
    passed = f"no rule that can be seen from here is broken; {unseen.rule}: {unseen.why}" if unseen else ALL_PASSED
    return Explanation(
        file=file,
        state=failed.leads_to if failed else "waiting",
        summary=failed.why if failed else passed,
        todo=failed.todo if failed else "",
        wait_s=failed.wait_s if failed else None,
        rules=rules,
        fates=fates,
    )


def waiting_files(settings: Settings) -> list[WaitingFile]:
    """Return what lies in the inbox and is no batch yet, oldest first, and then what was refused, newest first.

    No file is opened; hidden names are left out.
    """
    return [*_in_inbox(settings), *_refused(settings)]


def _of_the_past(settings: Settings, file: str, fates: list[Fate]) -> Explanation:
    if not fates:
        inbox = settings.inbox
        why = f"there is no such file in {inbox}, and no batch was made of one" if inbox.is_dir() else f"no {inbox}"
        return Explanation(file=file, state="absent", summary=why, todo=f"drop it into {inbox}")
    last = fates[0]
    return Explanation(file=file, state=last.became, summary=last.why, todo=last.todo, fates=fates)


def _fates(settings: Settings, name: bytes) -> Iterator[Fate]:
    inbox, file = settings.inbox.absolute(), displayed(name)
    receipt = Receipts(settings.state_dir.absolute()).latest_of(name, lambda each: _is_of_feed(each, settings))
    if receipt:
        yield _batch(receipt)
    stem = os.fsdecode(name.rpartition(b".")[0] or name)[:MOST_STEM_CHARS]
    for path in _named(inbox / DUPLICATES, beginning=stem, ending=RECEIPT):
        document = _document(path)
        if document.get("file") == file:
            yield Fate(
                became="duplicate",
                at=str(document.get("set_aside_at", "")),
                batch_id=document.get("duplicate_of"),
                where=f"{DUPLICATES}/{path.name.removesuffix(RECEIPT)}",
                why=f"a second drop of the file of batch {document.get('duplicate_of')}",
                todo=str(document.get("what_next", "")),
            )
    for path in _named(inbox / FAILED, beginning=f"{REFUSED}{slug(file)}-"):
        document = _document(path / REASON_JSON)
        if document.get("file") == file:
            yield Fate(
                became="refused",
                at=str(document.get("at", "")),
                where=f"{FAILED}/{path.name}",
                why=str(document.get("what", "")),
                todo=str(document.get("mend", "")),
            )


def _is_of_feed(receipt: Receipt, settings: Settings) -> bool:
    """Return whether a batch is one of the feed; all are, where no configuration file names feeds."""
    feed = feed_of(settings)
    if not feed or receipt.terms is None:
        return not feed or receipt.inbox == str(settings.inbox.absolute())
    return (receipt.terms.feed or DEFAULT_FEED) == feed


def _batch(receipt: Receipt) -> Fate:
    why = {
        "claimed": f"taken, and not started: {receipt.reason}" if receipt.reason else "taken; it is being started",
        "running": f"'batchctl status {receipt.id}' shows how far it is",
        "completed": f"the result is in {receipt.output_dir}",
    }.get(receipt.state, receipt.reason or "the reason was not recorded")
    return Fate(
        became=receipt.state,
        at=receipt.finished_at or receipt.started_at or receipt.claimed_at,
        batch_id=receipt.id,
        where=receipt.archived_as,
        why=why,
        todo=what_next(receipt) if receipt.state in {"failed", "cancelled"} else "",
    )


def _in_inbox(settings: Settings) -> Iterator[WaitingFile]:
    context = RuleContext(settings)
    try:
        found = list(entries(context.inbox, lambda name: _is_listed(name, context)))
    except OSError as error:
        yield WaitingFile(name=str(settings.inbox), state="left", why=f"the inbox cannot be read: {error.strerror}")
        return
    writers = writers_of([each.fingerprint for each in found if each.kind == "file"])
    for entry in sorted(found, key=lambda each: each.fingerprint.mtime_ns):
        candidate = Candidate(context, entry)
        candidate.writer = writers.get((entry.fingerprint.device, entry.fingerprint.inode))
        broken = first_broken(OUTSIDE, candidate)
        obstacle = broken[1] if broken else Obstacle("every rule about its outside is passed; it is taken in its turn")
        yield WaitingFile(
            name=displayed(entry.name),
            state=obstacle.leads_to,
            why=obstacle.why,
            todo=obstacle.todo,
            size_bytes=entry.fingerprint.size_bytes,
        )


def _is_listed(name: bytes, context: RuleContext) -> bool:
    names = context.names
    if name.startswith(b".") or names.kind(name) in {"own", "marker"}:
        return False
    return names.kind(name) == "wanted" or not names.is_of_another_feed(name)


def _refused(settings: Settings) -> Iterator[WaitingFile]:
    folders = _named(settings.inbox / FAILED, beginning=REFUSED)
    documents = sorted(
        (_document(each / REASON_JSON) for each in folders), key=lambda each: str(each.get("at")), reverse=True
    )
    names = Names(settings)
    own = (each for each in documents if not names.is_of_another_feed(os.fsencode(str(each.get("file", "")))))
    for document in islice(own, MOST_REFUSED):
        yield WaitingFile(
            name=str(document.get("file", "?")),
            state="refused",
            why=str(document.get("what", "the reason cannot be read")),
            todo=str(document.get("mend", "")),
            size_bytes=document.get("size_bytes"),
        )


def _named(folder: Path, *, beginning: str = "", ending: str = "") -> list[Path]:
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names are compared before they are paths
    except OSError:
        return []
    return [folder / each for each in names if each.startswith(beginning) and each.endswith(ending)]


def _document(path: Path) -> dict[str, Any]:
    """Return a small JSON object; an empty one where it cannot be read."""
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(MAX_DOCUMENT_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
