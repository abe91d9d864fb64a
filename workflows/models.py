"""What crosses the boundary between workflows and activities: frozen, JSON-safe, small.

Rows never cross it. A page is a byte range of the claimed file; an activity that needs its rows reads them again.
Texts are cut, counters are summed, and nothing here grows with the size of the file.

Units are in the names: `_s` seconds, `_ms` milliseconds, `_bytes`, `_rows`. Times are ISO 8601 in UTC. Ranges are
half-open: `[source_start, source_end)`.

Annotations are real types here, not postponed ones: Temporal's converter reads them for every payload, and evaluating
text each time was 5 % of a worker's time.
"""

from dataclasses import dataclass, field, replace
from typing import Literal, Self

from workflows.ids import printable

Mode = Literal["cursor", "in-memory"]
"""How a batch is worked: page by page, or with all its pages known at the start."""

MAX_PAGES_AT_ONCE = 300
"""Pages the in-memory workflow may hold: 12 events each stays far below the server's limit for one run."""

Outcome = Literal["completed", "failed", "cancelled"]
"""How a batch ended."""

State = Literal["running", "paused", "waiting", "completed", "failed", "cancelled"]
"""What a batch is doing, in the words of `batchctl`."""

ManifestStatus = Literal["complete", "complete_with_fallbacks", "partial", "cancelled"]
"""What a manifest says of its batch; `partial`: no record was a valid row, and the batch has failed."""


NOT_FOUND = "not_found"
"""The error of a row that the API has nothing on. No other row ever has it."""

RESERVED = frozenset({"_row", "enriched", "error"})
"""Names that are ours in every row of a result. A source column of such a name is numbered like a duplicate."""


MAX_CONCURRENCY = 4_096
"""Calls in flight that an operator may ask for."""

SERVICE = "batchd"
"""Who paused a batch that paused by itself."""

QUESTION = "resume goes on"
"""What the reason of a pause says where the batch asks an operator, and not for something to be mended."""

PausedBy = Literal["refusal", "question", "person"]
"""Why a batch stands still: the API does not accept it, a limit is past, or somebody wants it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedDialect:
    r"""How a claimed file is written, found once: nothing that comes later sees another file in the same bytes.

    `newline` is the line end of the first records: `\n`, `\r\n`, `\r` or `mixed`. The header is the first record at or
    behind byte `header_start`; the records begin at byte `data_start`, on physical line `data_line`. `record_rules` are
    those by which they are told apart, see `activities.source.grammar`; 1 where the claim is older than the choice.
    They end at byte `data_end`, 0 being the end of the file. Of a file without a header, `CsvOptions` has the names of
    the columns, if they are given. The rest is how its fields are written, see `activities.source.field_format`.
    `decided_by` says in words on what evidence `encoding`, `delimiter` and `header` were decided.
    """

    delimiter: str
    encoding: str
    quote: str = '"'
    newline: str = "\n"
    header_start: int = 0
    data_start: int = 0
    data_line: int = 2
    record_rules: int = 1
    escape: str = ""
    data_end: int = 0
    has_header: bool = True
    comment: str = ""
    trim: bool = False
    bare_quotes: str = "accept"
    short_rows: str = "reject"
    trailing_delimiter: bool = False
    decided_by: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The claimed file, pinned: every activity holds it against these before it believes a byte.

    `file` is the name as the operating system has it (undecodable bytes as surrogates); `name` is the same as text
    that can be shown and stored. The path is `<inbox>/.processing/<batch id>/<file>`, made by the activity.
    `dialect` is None only where the claim is older than the pinning of dialects.
    """

    file: str
    name: str
    size_bytes: int
    mtime_ns: int
    inode: int
    sha256: str
    modified_at: str = ""
    first_seen_at: str = ""
    stable_at: str = ""
    claimed_at: str = ""
    dialect: PinnedDialect | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Why this file is this batch."""

    policy: str
    key: str
    duplicate_of: str | None = None
    rerun_of: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvOptions:
    """How the operator wants the file read. `auto` means: decide from the file and record the decision.

    `schema_sha256` is of the Table Schema that its rows must fit, which is `schema.json` in the output folder; empty
    where there is none. To that schema cells that are `null` are missing (None: only those that it says itself), and
    `decimal` is the decimal separator of numbers. `quote` is `auto` where nobody has named it: a double quote, and a
    file that seems to have others is refused. An empty `escape` means that quotes are doubled. `column_names` are those
    of a file without a header; empty: they are numbered. `footer` is a regular expression.
    """

    encoding: str = "auto"
    delimiter: str = "auto"
    required_columns: tuple[str, ...] = ()
    max_columns: int = 16_384
    max_record_bytes: int = 1_048_576
    max_field_bytes: int = 262_144
    schema_sha256: str = ""
    quote: str = "auto"
    escape: str = ""
    null: str | None = None
    decimal: str = "."
    has_header: bool = True
    column_names: tuple[str, ...] = ()
    skip_lines: int = 0
    comment: str = ""
    trim: bool = False
    bare_quotes: str = "accept"
    short_rows: str = "reject"
    footer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The settings that shape a result, fixed when the batch starts and kept over restarts."""

    page_rows: int = 500
    pages_in_flight: int = 4
    max_fallback: str = "100%"
    max_rejected: str = "100%"
    limit_sample_rows: int = 100
    heartbeat_timeout_s: float = 10.0
    csv: CsvOptions = field(default_factory=CsvOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRef:
    """Which batch an activity works for, and how its source is read."""

    id: str
    source: Source
    csv: CsvOptions
    generation: int = 1
    feed: str = ""

    @property
    def log_fields(self) -> dict[str, object]:
        """The fields by which every line of the log names the batch; `feed` only where a file names it."""
        feed = {"feed": self.feed} if self.feed else {}
        retry = {"generation": self.generation} if self.generation > 1 else {}
        return {"id": self.id, "file": printable(self.source.name), **feed, **retry}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where the next page starts. `offset` is a byte offset at a record border; 0 means the header is unread."""

    offset: int = 0
    page: int = 1
    row: int = 1
    line: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A slice of source records, by reference.

    Records are numbered from 1, header excluded, rejected ones included; `line` is the physical line the slice
    starts on. `records` counts all of them, `rejected` those that are not valid rows. With `no_bare_quotes` it is
    certain that there are none, see `Tolerated`, so that nobody looks for them.
    """

    number: int
    source_start: int
    source_end: int
    first_row: int
    records: int
    rejected: int = 0
    line: int = 1
    no_bare_quotes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerated:
    """What a reader passed over or took for text, though a strict one would not: see `docs/csv.md`.

    `blank_lines` are those between and behind records; `bare_quotes` those inside fields that have none around them.
    """

    blank_lines: int = 0
    bare_quotes: int = 0

    def plus(self, other: Self) -> Self:
        """Return the sum of both."""
        return replace(
            self,
            blank_lines=self.blank_lines + other.blank_lines,
            bare_quotes=self.bare_quotes + other.bare_quotes,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """How far the files of a batch have been hashed: those of pages up to `page` were what they must be.

    `since_ns` is the output folder's own clock when that check began: a file that changed later is hashed again.
    """

    page: int = 0
    since_ns: int = 0

    def since(self, page_number: int) -> int:
        """Return since when the files of a page need no second hash while they do not change; 0 where they do."""
        return self.since_ns if page_number <= self.page else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimits:
    """Limits an operator set for one batch while it runs; None leaves the service's own."""

    concurrency: int | None = None
    rate: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStats:
    """What the API calls of some rows cost. Sums; `latency_ms` counts successful calls by histogram bucket.

    A bucket's key is the integer `floor(8 * log2(milliseconds + 1))` as text, so two of them 9 % apart are told
    apart and one histogram has under 150 of them.
    """

    calls: int = 0
    retries: int = 0
    by_status: dict[str, int] = field(default_factory=dict)
    latency_ms: dict[str, int] = field(default_factory=dict)

    def plus(self, other: Self) -> Self:
        """Return the sum of both; pages may be added in any order."""
        return replace(
            self,
            calls=self.calls + other.calls,
            retries=self.retries + other.retries,
            by_status=_summed(self.by_status, other.by_status),
            latency_ms=_summed(self.latency_ms, other.latency_ms),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """One stay in the paused state; `to` is empty while it lasts."""

    since: str
    by: str = ""
    reason: str = ""
    to: str = ""

    @property
    def kind(self) -> PausedBy:
        """Why the batch stands still."""
        if self.by != SERVICE:
            return "person"
        return "question" if QUESTION in self.reason else "refusal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The batch stands still by itself: `on` names what for (`api`)."""

    on: str
    since: str
    until: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Rows by what became of them, which add up to `records`; on the rows that were not found the API has nothing."""

    records: int = 0
    enriched: int = 0
    fallback: int = 0
    rejected: int = 0
    by_error: dict[str, int] = field(default_factory=dict)
    not_found: int = 0

    def plus(self, other: Self) -> Self:
        """Return the sum of both; pages may be added in any order."""
        return replace(
            self,
            records=self.records + other.records,
            enriched=self.enriched + other.enriched,
            fallback=self.fallback + other.fallback,
            rejected=self.rejected + other.rejected,
            by_error=_summed(self.by_error, other.by_error),
            not_found=self.not_found + other.not_found,
        )

    def outcomes(self) -> dict[str, int]:
        """Return how many rows became what, in words; those that were not found only where there are some."""
        not_found = {"not found": self.not_found} if self.not_found else {}
        return {"enriched": self.enriched, **not_found, "fallback": self.fallback, "rejected": self.rejected}


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """Payload of the signals `pause`, `resume` and `cancel`: who and why. Both may be left out."""

    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsChange:
    """Payload of the update `set_limits`, and its record in the manifest."""

    concurrency: int | None = None
    rate: float | None = None
    by: str = ""
    reason: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlState:
    """What holds a batch back or shapes its calls: the pause, the limits, the cancel. Kept on disk too.

    `asked` and `accepted` are those of `BatchState`; `at` is when it was last changed, empty where nothing ever was.
    """

    pause: Pause | None = None
    limits: CallLimits = field(default_factory=CallLimits)
    cancel: Control | None = None
    asked: str = ""
    accepted: list[str] = field(default_factory=list)
    at: str = ""


def _summed(first: dict[str, int], second: dict[str, int]) -> dict[str, int]:
    return {key: first.get(key, 0) + second.get(key, 0) for key in sorted(first | second)}
