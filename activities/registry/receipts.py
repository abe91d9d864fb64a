"""Receipts: what is remembered of a batch for ever, one small JSON file each in the state folder.

Temporal forgets a closed run after its retention time; the receipt does not, so the same file is a duplicate for ever.
A receipt is written whole or not at all, and only ever moves forward (`Receipts.write`): whoever still believes that a
batch runs cannot undo the word of the one who ended it, and a batch that has ended never ends another way. The time of
change of each file is the time of its claim, so the newest are found without opening any.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeVar

from activities.disk.atomic_files import make_folder, sync_folder, temporary_beside, write_new
from activities.disk.errors import disk_errors, translated
from activities.disk.failpoints import failpoint
from workflows.api_spec import AnswerRule, ApiSpec, BatchTerms, BulkSpec
from workflows.errors import InvalidBatchId, StartedElsewhere, TransientError
from workflows.ids import checked_id, displayed, slug
from workflows.models import Counts, CsvOptions, Identity, Mode, PinnedDialect, Shape, Source

ReceiptState = Literal["claimed", "running", "completed", "failed", "cancelled"]
"""`claimed`: the file is ours and its workflow not yet known to run."""

MAX_RECEIPT_BYTES = 1_048_576
_ORDER = {"claimed": 0, "running": 1, "completed": 2, "failed": 2, "cancelled": 2}
_BEGINNING = re.compile(r"[a-z0-9-]{1,80}")
_HEX_CHARS = 12

T = TypeVar("T")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One batch. Times are ISO 8601 in UTC; `archived_as` is relative to the inbox, as text that can be shown.

    `terms` is None where it was claimed by a version that kept none, or is a rerun that has not been started yet.
    `reason` and `error_type` say why it failed, or where it is only `claimed`, why it has not been started yet.
    """

    id: str
    workflow_id: str
    identity: Identity
    source: Source
    state: ReceiptState
    mode: Mode = "cursor"
    inbox: str = ""
    claimed_at: str = ""
    started_at: str | None = None
    finished_at: str | None = None
    output_dir: str = ""
    manifest: str | None = None
    counts: Counts | None = None
    reason: str = ""
    error_type: str = ""
    archived_as: str | None = None
    generation: int = 1
    terms: BatchTerms | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to the batch."""
        return self.state in {"completed", "failed", "cancelled"}

    @property
    def started_elsewhere(self) -> bool:
        """Whether what Temporal has under this id is the batch of another installation."""
        return self.state == "claimed" and self.error_type == StartedElsewhere.__name__


class Receipts:
    """All receipts of one state folder. Blocking, safe to use from many threads and processes at once."""

    def __init__(self, state_dir: Path) -> None:
        self.folder = state_dir / "receipts"
        self._warned_of: set[str] = set()

    def write(self, receipt: Receipt, *, synced: bool = True) -> bool:
        """Put a receipt in place; False where the one that stands there is not before it, and stays.

        Claimed comes before running, running before the end, one generation of a result before the next. A batch
        ends once: where it was completed it can no more fail, and the other way round.

        `synced` makes it outlast a power cut. Without, one may bring back the receipt before, or none at all: right
        only while the claimed file is there to make it again from.

        Raises:
            StorageFull: there is no room; the old receipt stays.
            TransientError: the folder cannot be written.
        """
        path = self._path(checked_id(receipt.id))
        with disk_errors(f"writing the receipt of {receipt.id}"):
            make_folder(self.folder)
            with temporary_beside(path) as temporary:
                failpoint("receipt.write.before")
                write_new(temporary, json.dumps(asdict(receipt)).encode(), synced=synced)
                _date(temporary, receipt.claimed_at)
                with self._alone():
                    if self._is_past(receipt):
                        return False
                    failpoint("receipt.rename.before")
                    temporary.replace(path)
                failpoint("receipt.renamed")
            if synced:
                sync_folder(self.folder)
        failpoint("receipt.written")
        return True

    def read(self, batch_id: str) -> Receipt | None:
        """Return the receipt of a batch; None where there is none, or only a torn one.

        Raises:
            InvalidBatchId: `batch_id` is none.
            TransientError: whether there is one cannot be seen: it is there and cannot be read.
        """
        return self._read(self._path(checked_id(batch_id)))

    def newest_first(self) -> Iterator[Receipt]:
        """Yield every receipt, the latest claim first. Looks at each file once and opens only what is asked for.

        One that cannot be read is logged once and left out: a list is better with a gap than not at all.
        """
        for path in self._newest_paths(""):
            try:
                receipt = self._read(path)
            except TransientError:
                continue
            if receipt is not None:
                yield receipt

    def ids(self) -> list[str]:
        """Return the ids of all batches, the latest first, without reading their receipts."""
        return [each.stem for each in self._newest_paths("")]

    def count(self) -> int:
        """Return how many receipts there are; none is opened."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return sum(_is_receipt(name) for name in os.listdir(self.folder))  # noqa: PTH208 - names are all it takes
        return 0

    def find(self, name: str) -> Receipt | None:
        """Return the batch that `name` means, as `candidates`; None where that is none or more than one."""
        found = self.candidates(name, most=2)
        return found[0] if len(found) == 1 else None

    def candidates(self, name: str, *, most: int) -> list[Receipt]:
        """Return up to `most` batches that `name` may mean, newest first.

        `name` is an id, `batch-<id>`, a file name (its latest batch), or the beginning of an id or `batch-<id>`.
        """
        exact = self._exactly(name) or self.latest_of(name)
        if exact:
            return [exact]
        beginnings = {name, name.removeprefix("batch-")}
        paths = (path for each in sorted(beginnings) if _BEGINNING.fullmatch(each) for path in self._newest_paths(each))
        receipts = (self._read(path) for path in paths)
        return list(islice((each for each in receipts if each is not None), most))

    def latest_of(self, file_name: str | bytes, counts: Callable[[Receipt], bool] = lambda _: True) -> Receipt | None:
        """Return the latest batch of a file of this name, of those that count."""
        shown = displayed(file_name)
        beginning = slug(shown)
        for path in self._newest_paths(f"{beginning}-"):
            if len(path.stem) != len(beginning) + 1 + _HEX_CHARS:
                continue
            receipt = self._read(path)
            if receipt is not None and receipt.source.name == shown and counts(receipt):
                return receipt
        return None

    def _path(self, batch_id: str) -> Path:
        return self.folder / f"{batch_id}.json"

    def _exactly(self, name: str) -> Receipt | None:
        for each in (name, name.removeprefix("batch-")):
            with contextlib.suppress(InvalidBatchId):
                receipt = self.read(each)
                if receipt:
                    return receipt
        return None

    def _newest_paths(self, beginning: str) -> list[Path]:
        found: list[tuple[int, str]] = []
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(self.folder) as entries:
            for entry in entries:
                name = entry.name
                if name.startswith(beginning) and _is_receipt(name):
                    with contextlib.suppress(FileNotFoundError):
                        found.append((entry.stat(follow_symlinks=False).st_mtime_ns, name))
        return [self.folder / name for _, name in sorted(found, reverse=True)]

    def _read(self, path: Path) -> Receipt | None:
        """Return what stands at `path`. Whoever took an unreadable receipt for none would work a file twice."""
        try:
            failpoint("receipt.open.before")
            with path.open("rb") as file:
                content = file.read(MAX_RECEIPT_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._warn_once(path, error.strerror or str(error))
            raise translated(error, f"reading the receipt {path}") from error
        try:
            return _decoded(content[:MAX_RECEIPT_BYTES], path.stem)
        except (ValueError, TypeError, KeyError, RecursionError):
            self._warn_once(path, "torn, or not a receipt")
            return None

    def _warn_once(self, path: Path, why: str) -> None:
        if path.name not in self._warned_of:
            self._warned_of.add(path.name)
            logger.warning("receipt.unreadable", extra={"fields": {"file": str(path), "why": why}})

    def _is_past(self, receipt: Receipt) -> bool:
        now = self.read(receipt.id)
        if now is None:
            return False
        if now.ended:
            return now.state != receipt.state or now.generation > receipt.generation
        return _ORDER[now.state] > _ORDER[receipt.state]

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        fd = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with contextlib.suppress(OSError):  # a file system without locks: two writers of one batch are rare
                fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


def _is_receipt(name: str) -> bool:
    return name.endswith(".json") and not name.startswith(".")


def _decoded(content: bytes, batch_id: str) -> Receipt:
    found = json.loads(content)
    if found["id"] != batch_id or found["state"] not in _ORDER:
        raise ValueError(batch_id)
    counts, dialect = found.get("counts"), found["source"].get("dialect")
    nested = {
        "identity": built(Identity, found["identity"]),
        "source": built(Source, {**found["source"], "dialect": dialect and built(PinnedDialect, dialect)}),
        "counts": None if counts is None else built(Counts, counts),
        "terms": _terms(found.get("terms")),
    }
    return built(Receipt, {**found, **nested})


def _terms(found: dict[str, Any] | None) -> BatchTerms | None:
    if found is None:
        return None
    csv = found["shape"]["csv"]
    lists = {name: tuple(csv.get(name, ())) for name in ("required_columns", "column_names")}
    options = built(CsvOptions, {**csv, **lists})
    shape = built(Shape, {**found["shape"], "csv": options})
    return built(BatchTerms, {**found, "shape": shape, "api": found.get("api") and _api(found["api"])})


def _api(found: dict[str, Any]) -> ApiSpec:
    bulk = found.get("bulk")
    rules = [built(AnswerRule, each) for each in found.get("rules", [])]
    return built(ApiSpec, {**found, "bulk": bulk and built(BulkSpec, bulk), "rules": rules})


def built(kind: type[T], values: dict[str, Any]) -> T:
    """Build a dataclass; what a later version has added is left out."""
    known = {each.name for each in fields(kind)}  # type: ignore[arg-type]  # only dataclasses come here
    return kind(**{key: value for key, value in values.items() if key in known})


def _date(path: Path, claimed_at: str) -> None:
    with contextlib.suppress(ValueError, OverflowError):
        claimed_ns = int(datetime.fromisoformat(claimed_at).timestamp() * 1_000_000) * 1_000
        os.utime(path, ns=(claimed_ns, claimed_ns))
