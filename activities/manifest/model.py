"""What a manifest holds: the one statement by which manifests are checked and from which their schema is published.

The check asks for keys and types: a number that cannot be is left to the check that knows what is wrong with it. What
`published` adds (bounds, patterns, descriptions) stands in `docs/manifest.schema.json` alone. Unknown keys pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workflows.ids import IdentityPolicy
from workflows.models import ManifestStatus, Mode


def published(description: str | None = None, *, default: Any = ..., **keywords: Any) -> Any:
    """Return a field about which the schema says more than its type; one with a default may be missing."""
    if keywords:
        return Field(default, description=description, json_schema_extra=keywords)
    return Field(default, description=description)  # naming no keywords here keeps those of the type


Count = Annotated[int, Field(json_schema_extra={"minimum": 0})]
FromOne = Annotated[int, Field(json_schema_extra={"minimum": 1})]
Measured = Annotated[float, Field(json_schema_extra={"minimum": 0})]
MeasuredOrNull = Annotated[float | None, Field(json_schema_extra={"minimum": 0})]
Sha256 = Annotated[str, Field(json_schema_extra={"pattern": "^[0-9a-f]{64}$"})]
Time = Annotated[str, Field(description="ISO 8601 in UTC; empty where unknown.")]
ByError = Annotated[dict[str, Count], Field(description="Fallback rows by error code.")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, defer_build=True)


class Producer(_Part):
    """What wrote the manifest."""

    name: str
    version: str


class Source(_Part):
    """The file the rows came from."""

    name: str
    bytes: Count
    sha256: Sha256
    modified_at: Time
    first_seen_at: Time
    stable_at: Time
    claimed_at: Time
    archived_as: str = published("Where the source was filed, from the inbox.")


class Identity(_Part):
    """What makes the batch another one than the rest."""

    policy: IdentityPolicy
    key: str
    duplicate_of: str = ""
    rerun_of: str = ""
    reason: str = ""


class Dialect(_Part):
    """How the source was read."""

    delimiter: str = published("What separates fields: one character or several.", minLength=1, maxLength=8)
    quote: Literal['"', "'", ""]
    encoding: str
    newline: Literal["\n", "\r\n", "\r", "mixed"]
    columns: list[str] = published(minItems=1, uniqueItems=True)
    data_start: Count = published(
        "Byte offset of the first record, behind the header and its blank lines; the size of a source that has none."
    )
    record_rules: FromOne = published(
        "By which rules records were told apart: 1, as in 0.1.0, also where it is missing; 2, where a bad quote that "
        "crossed a line end costs its own line alone.",
        default=1,
    )
    escape: Literal["", "\\"] = published("What takes the meaning of a quote away; empty: it is doubled.", default="")
    comment: str = published("What begins a line that is no record; empty: nothing does.", default="")
    trim: bool = published("Whether spaces and tabs around values were left out.", default=False)
    bare_quotes: Literal["accept", "reject"] = published("What became of quotes in unquoted fields.", default="accept")
    short_rows: Literal["reject", "pad"] = published("What became of records with too few fields.", default="reject")
    trailing_delimiter: bool = published(
        "Whether each record ends with a delimiter that separates nothing.", default=False
    )
    has_header: bool = published("Whether the first record has the names of the columns.", default=True)
    data_end: Count = published("Byte offset of the footer; 0: there is none.", default=0)
    header_start: Count = published("Byte offset of the header: behind byte order marks and other lines.", default=0)
    decided_by: dict[str, str] = published(
        "On what evidence `encoding`, `delimiter` and `header` were decided, in words; from version 2 on.", default={}
    )


class Schema(_Part):
    """What the rows had to fit, in a file beside the chunks; only where the feed had a schema, from version 2 on."""

    file: str = published(const="schema.json")
    bytes: Count
    sha256: Sha256
    null: str | None = published("What stood in a cell without a value, beside the schema's own `missingValues`.")
    decimal: Literal[".", ","] = published("Decimal separator of numbers, where the schema says none.")
    rejected_by_rule: dict[str, Count] = published(
        "Records that were rejected because they break it, by the rule, of the first that each breaks.", default={}
    )


class CountedRecords(_Part):
    """What became of the records."""

    records: Count = published("enriched + not_found + fallback + rejected")
    enriched: Count
    not_found: Count = published("Rows that the API has nothing on; from version 2 on.", default=0)
    fallback: Count
    rejected: Count
    by_error: ByError


class Tolerated(_Part):
    """What reading has tolerated; from version 2 on, where it was counted for each page."""

    blank_lines: Count = published(
        "Lines with nothing on them that were passed over between records and behind the last one; those before the "
        "first record, in the footer, and comments are not counted."
    )
    bare_quotes: Count = published(
        "Quotes inside unquoted fields that were taken for text, in valid rows and in records that were rejected for "
        "their number of fields, the size of one, or a schema."
    )


class Cancelled(_Part):
    """Who cancelled the batch and why; only in a cancelled one."""

    by: str
    reason: str


class Gap(_Part):
    """A part of the source that a cancelled batch has not done."""

    source_start: Count
    source_end: Count
    first_row: FromOne
    last_row: int | None = published("null: to the end of the source, whose number of rows was not counted.")


class Parent(_Part):
    """The manifest this generation was made from; only from generation 2 on."""

    generation: FromOne
    file: str
    sha256: Sha256


class Latency(_Part):
    """Of successful calls, within 5 %; null without any."""

    p50: MeasuredOrNull
    p95: MeasuredOrNull
    p99: MeasuredOrNull


class Api(_Part):
    """The calls that were made."""

    name: str = published("As its section of the configuration file is called; from version 2 on.", default="")
    method: Literal["GET", "POST", "PUT", "PATCH"] = published("From version 2 on.", default="POST")
    url: str = published("Without secrets; from version 2 on the template (RFC 6570).")
    fallback: dict[str, Any] = published("What a fallback row gets; from version 2 on.", default={})
    calls: Count
    retries: Count = published("Calls beyond the first for a row.")
    by_status: dict[str, Count] = published("Calls by HTTP status or kind of failure.")
    latency_ms: Latency


class Pause(_Part):
    """A time in which no calls were made, on somebody's order."""

    since: Time = Field(alias="from")
    to: Time
    by: str
    reason: str


class Timing(_Part):
    """How long it took."""

    started_at: Time
    finished_at: Time
    duration_s: Measured
    rows_per_s: Measured


class Settings(_Part):
    """Settings that shaped the result, no secrets."""

    max_record_bytes: FromOne = 1
    max_field_bytes: FromOne = 1
    page_rows: FromOne = 1


class Chunk(_Part):
    """A page that was done, and the file of its rows."""

    file: str = published(pattern=r"^chunk-([0-9]{6}|[1-9][0-9]{6,})(-g([2-9]|[1-9][0-9]+))?\.json$")
    page: FromOne = published("Page number, from 1.")
    first_row: FromOne
    last_row: Count = published("Both ends included; rejected records between them count.")
    rows: Count = published("Rows in the file: enriched, not found and fallback.")
    enriched: Count
    not_found: Count = published("From version 2 on.", default=0)
    fallback: Count
    rejected: Count = published("Records of the page that stand in its file of rejected records.")
    by_error: ByError
    tolerated: Tolerated = published(default=None)
    line: FromOne = published("Physical line of the source on which the page starts.")
    source_start: Count = published("Byte range of the page in the source, start included.")
    source_end: Count = published("End of the byte range, not included.")
    bytes: Count
    sha256: Sha256


class RejectedFile(_Part):
    """The rejected records of a page, and their file."""

    file: str = published(pattern=r"^rejected-([0-9]{6}|[1-9][0-9]{6,})\.json$")
    page: FromOne
    rows: FromOne
    by_rule: dict[str, Count] = published(
        "Records among them that break the schema, by the rule; only where there are some.", default={}
    )
    bytes: Count
    sha256: Sha256


class Integrity(_Part):
    """What the manifest proves itself and its parent by."""

    algorithm: str = published(const="sha256")
    digest: Sha256 = published("Over the canonical JSON (sorted keys, no spaces, UTF-8) of everything but `integrity`.")
    previous: str | None = published("The parent's digest; null in generation 1.", pattern="^[0-9a-f]{64}$")


class Manifest(_Part):
    """Written last, never rewritten: the batch is complete. A later generation is manifest-g<n>.json."""

    model_config = ConfigDict(
        title="batchd completion manifest, versions 1 and 2", json_schema_extra={"additionalProperties": False}
    )

    manifest_version: int = published(
        "2 where a configuration file describes the API, 1 where environment variables do.", enum=[1, 2]
    )
    generation: FromOne = published(
        "1 for the batch itself, n + 1 after fallback rows of generation n were tried again."
    )
    producer: Producer
    id: str = published(pattern="^[a-z0-9]+(-[a-z0-9]+)*-[0-9a-f]{12}$")
    workflow_id: str = published(pattern="^batch-[a-z0-9-]+$")
    run_ids: list[str] = published("Temporal runs that worked on it, oldest first; the newest are kept.")
    mode: Mode
    feed: str = published("Whose inbox the file came from; from version 2 on.", default="")
    config_sha256: str = published(
        "Of the configuration file, without comments and secrets; from version 2 on.",
        default="",
        pattern="^[0-9a-f]{64}$",
    )
    status: ManifestStatus
    source: Source
    identity: Identity
    dialect: Dialect
    table_schema: Schema = Field(default=None, alias="schema")  # type: ignore[assignment]  # as `parent`
    counts: CountedRecords
    tolerated: Tolerated = published(default=None)
    cancelled: Cancelled = published(default=None)
    gaps: list[Gap] = published("What a cancelled batch has not done; only in a cancelled one.", default=())
    parent: Parent = published(default=None)
    api: Api
    pauses: list[Pause]
    limits: list[dict[str, Any]] = published("Limits that were changed while the batch ran, by whom and why.")
    timing: Timing
    settings: Settings
    chunks: list[Chunk]
    rejected_files: list[RejectedFile]
    integrity: Integrity


_LONG_LISTS: dict[str, type[BaseModel]] = {"chunks": Chunk, "rejected_files": RejectedFile}
_WRONG = {"missing": "is missing", "model_type": "is no object", "dict_type": "is no object", "list_type": "is no list"}


def manifest_problems(value: Any) -> Iterator[str]:
    """Yield what of a parsed `value` is not as a manifest has it; every problem names its field.

    Entries of the long lists are checked one by one: as a whole, 20,000 chunks would take 30 MB more.
    """
    if not isinstance(value, dict):
        yield from _problems(Manifest, value, "manifest")
        return
    lists = {key: value[key] for key in _LONG_LISTS if isinstance(value.get(key), list)}
    yield from _problems(Manifest, value | {key: [] for key in lists}, "manifest")
    for key, entries in lists.items():
        for number, entry in enumerate(entries):
            yield from _problems(_LONG_LISTS[key], entry, f"manifest.{key}[{number}]")


def _problems(model: type[BaseModel], value: Any, at: str) -> Iterator[str]:
    try:
        model.model_validate(value)
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            field = at + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in each["loc"])
            if each["type"] == "literal_error":
                yield f"{field} is none of {each['ctx']['expected'].replace(' or ', ', ')}"
            else:
                yield f"{field} {_WRONG.get(each['type'], 'has a value of the wrong type')}"
