"""The row log of a page (its hidden part file): every finished row, durable before the next call in its place is made.

A worker that is killed leaves the rows it had finished; the next attempt reads them here and calls the API for the
rest only. One line per row (see `activities.disk.checked_lines`), appended in a single write, so that it survives a
kill at once; `sync` makes the rows so far survive a power cut too. The first line for a row is its answer for ever.

The payload is `row TAB kind TAB error TAB statuses TAB latency_ms TAB element`: no JSON is parsed to sort and join. One
line more, `tolerated TAB blank_lines TAB bare_quotes`, says what reading the page has tolerated; 0.2.0 passes over it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, Self

from activities.disk.checked_lines import close_torn_line, line, payloads
from activities.disk.directory import Directory
from activities.disk.errors import disk_errors, translated
from activities.disk.failpoints import cut, failpoint
from activities.output.names import part_name
from workflows.errors import StorageFull, TransientError
from workflows.models import NOT_FOUND, Tolerated

RowKind = Literal["E", "N", "F", "R"]
"""Enriched, not found, fallback, rejected."""

READ_AT_ONCE_BYTES = 8_388_608
_FIELD_BREAKS = 5
_TOLERATED = b"tolerated\t"


@dataclass(slots=True)
class DurableRow:
    """A finished row.

    `statuses` has one entry per call made; `latency_ms` is that of the successful one. `element` is the row as it
    will stand in the chunk file or in the file of rejected rows: compact JSON, without line breaks.
    """

    row: int
    kind: RowKind
    error: str
    statuses: tuple[str, ...]
    latency_ms: float
    element: bytes = field(repr=False)


class RowLog:
    """An open row log. Iterating reads its sound rows from disk in row order; `done` holds their numbers.

    `tolerated` is None where the page was not read to its end, or by 0.2.0.
    """

    def __init__(self, fd: int, path: str) -> None:
        self._fd = fd
        self._path = path
        self._torn = False
        self.tolerated: Tolerated | None = None
        with disk_errors(f"reading {path}"):
            close_torn_line(fd)
            self._found: dict[int, tuple[int, int]] | None = self._places()
            """Offset and size of each row's payload; None once there are more rows than were found."""
        self.done = set(self._found)

    @classmethod
    def open(cls, folder: Directory, page_number: int, generation: int = 1) -> Self:
        """Open the part file of a page, made where it is missing."""
        name = part_name(page_number, generation)
        fd = folder.appending(name)
        assert fd is not None, "made where missing"  # noqa: S101 - for the type checker
        return cls._of(fd, f"{folder.path / name}")

    @classmethod
    def existing(cls, folder: Directory, page_number: int, generation: int = 1) -> Self | None:
        """Open the part file of a page; None where there is none."""
        name = part_name(page_number, generation)
        fd = folder.appending(name, create=False)
        return None if fd is None else cls._of(fd, f"{folder.path / name}")

    @classmethod
    def _of(cls, fd: int, path: str) -> Self:
        try:
            return cls(fd, path)
        except BaseException:
            os.close(fd)
            raise

    def append(self, rows: Iterable[DurableRow]) -> None:
        """Write rows in one write; they survive a kill of this process from here on. Microseconds, no sync.

        Raises:
            StorageFull: there is no room; the rows do not count as done.
        """
        added = list(rows)
        self._write(b"".join([line(_payload(row)) for row in added]))
        self.done.update([row.row for row in added])
        failpoint("part.write.after")

    def keep_tolerated(self, tolerated: Tolerated) -> None:
        """Write down what reading the page has tolerated, unless it stands there already.

        Raises:
            StorageFull: there is no room.
        """
        if self.tolerated != tolerated:
            self._write(line(b"%b%d\t%d" % (_TOLERATED, tolerated.blank_lines, tolerated.bare_quotes)))
            self.tolerated = tolerated

    def _write(self, lines: bytes) -> None:
        data = (b"\n" if self._torn else b"") + lines
        try:
            written = os.write(self._fd, cut("part.write.before", data))
        except OSError as error:
            raise translated(error, f"writing {self._path}") from error
        self._torn = written < len(data)
        self._found = None
        if self._torn:
            raise StorageFull(f"writing {self._path}: the disk took a part of it; it goes on once there is room")

    @property
    def size_bytes(self) -> int:
        """How long the file is now."""
        with disk_errors(f"reading {self._path}"):
            return os.fstat(self._fd).st_size

    @property
    def is_deleted(self) -> bool:
        """True where the open file has lost its name: somebody deleted it, or another attempt has saved the page."""
        with disk_errors(f"looking at {self._path}"):
            return self._fd >= 0 and os.fstat(self._fd).st_nlink == 0

    def check_not_deleted(self) -> None:
        """Raise where what is appended would be gone.

        Raises:
            TransientError: the file was deleted.
        """
        if self.is_deleted:
            raise TransientError(f"{self._path} was deleted while it was in use")

    def sync(self) -> None:
        """Make the rows so far durable against a power cut. Safe beside `append` in another thread."""
        with disk_errors(f"syncing {self._path}"):
            failpoint("part.sync.before")
            os.fdatasync(self._fd)

    def __iter__(self) -> Iterator[DurableRow]:
        with disk_errors(f"reading {self._path}"):
            places = self._places() if self._found is None else self._found
            size_bytes = os.fstat(self._fd).st_size
            # One read for all rows: with one for each, a thread hands the interpreter over a thousand times a page.
            content = os.pread(self._fd, size_bytes, 0) if size_bytes <= READ_AT_ONCE_BYTES else None
            for _, (offset, length) in sorted(places.items()):
                yield _row(content[offset : offset + length] if content else os.pread(self._fd, length, offset))

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _places(self) -> dict[int, tuple[int, int]]:
        places: dict[int, tuple[int, int]] = {}
        for offset, found in payloads(self._fd):
            if found.startswith(_TOLERATED):
                self.tolerated = _tolerated(found)
            if found.count(b"\t") != _FIELD_BREAKS:
                continue
            places.setdefault(int(found[: found.index(b"\t")]), (offset, len(found)))
        return places


def kind_of(error: str | None) -> RowKind:
    """Return what a row is that was called and ended with this error, if any."""
    if error is None:
        return "E"
    return "N" if error == NOT_FOUND else "F"


def _payload(row: DurableRow) -> bytes:
    codes = f"{row.row}\t{row.kind}\t{row.error}\t{','.join(row.statuses)}\t{row.latency_ms:.3f}\t"
    payload = codes.encode() + row.element
    if b"\n" in payload or payload.count(b"\t") != _FIELD_BREAKS:
        raise ValueError(f"row {row.row}: a code or an element with a tab or a line break cannot be kept")
    return payload


def _tolerated(payload: bytes) -> Tolerated:
    _, blank_lines, bare_quotes = payload.split(b"\t")
    return Tolerated(blank_lines=int(blank_lines), bare_quotes=int(bare_quotes))


def _row(payload: bytes) -> DurableRow:
    row, kind, error, statuses, latency_ms, element = payload.split(b"\t", _FIELD_BREAKS)
    return DurableRow(
        row=int(row),
        kind=kind.decode(),  # type: ignore[arg-type]  # written by append, and the line proved itself
        error=error.decode(),
        statuses=tuple(statuses.decode().split(",")) if statuses else (),
        latency_ms=float(latency_ms),
        element=element,
    )
