"""Every setting of batchd, as one frozen class read from `BATCH_*` environment variables.

`docs/configuration.md` is generated from this class. Temporal's own address, namespace, TLS and API key come from
Temporal's own `TEMPORAL_*` variables and profiles, see `daemon.temporal.connection`.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from activities.source.detection.doubt import Check
from daemon.config.arguments import CONFIG_VARIABLE
from daemon.config.setting_values import (
    Address,
    HttpUrl,
    Ip,
    NamedPath,
    SecretPath,
    SecretToken,
    Share,
    checked_encoding,
)
from workflows.api_spec import BatchTerms
from workflows.errors import SettingsError
from workflows.ids import IdentityPolicy
from workflows.models import CsvOptions, Shape

PREFIX = "BATCH_"
MOST_WORKERS = 256


class Settings(BaseSettings):
    """All settings. Units are in the names; every field says its effect in one sentence."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=False)

    inbox: NamedPath = Field(Path("inbox"), description="Folder that is watched for new files.")
    output_root: NamedPath = Field(
        Path("/tmp"),  # noqa: S108 - the product's documented default; opened safely, see activities.output.output_folder
        description="Folder under which each batch gets its `batch-<id>` output folder.",
    )
    state_dir: NamedPath = Field(
        Path(".batchd"),
        description="Folder of the receipts and of the embedded server's database; closed to "
        "other users (mode 0700) where it holds nothing else.",
    )
    pattern: str = Field(
        "*.csv", min_length=1, description="Shell pattern, any case, that a file name must match to be taken."
    )
    identity: IdentityPolicy = Field(
        "name+content", description="What makes two files the same file, so that the second is a duplicate."
    )
    settle_s: float = Field(2.0, ge=0, le=86_400, description="Seconds a file must stay unchanged before it is taken.")
    rescan_s: float = Field(
        10.0,
        ge=0.1,
        le=3_600,
        description="Seconds between scans of the inbox when no event wakes the daemon.",
    )
    watch_events: bool = Field(
        True, description="Let file system events wake the daemon early; a scan decides either way."
    )
    ready_marker: str = Field(
        "",
        description="Name of a marker file that must stand beside a file before it is taken, such as `{name}.done`; "
        "empty: none is needed.",
    )
    max_file_bytes: int = Field(
        1_099_511_627_776, ge=1, description="Largest file in bytes that is taken; a larger one is refused."
    )
    hashes_in_flight: int = Field(2, ge=1, le=64, description="Files hashed at the same time.")
    starts_in_flight: int = Field(8, ge=1, le=256, description="Workflow starts asked for at the same time.")
    in_memory_max_bytes: int = Field(
        262_144,
        ge=0,
        le=1_048_576,
        description="Largest file in bytes that the in-memory workflow takes; larger ones are paged by cursor.",
    )
    page_rows: int = Field(500, ge=1, le=100_000, description="Source records in one page, and so in one chunk.")
    pages_in_flight: int = Field(4, ge=1, le=64, description="Pages of one batch worked at the same time.")
    encoding: str = Field(
        "auto",
        description="Text encoding of the files (`utf-8`, `cp1252`, ...; docs/csv.md lists them); `auto` decides from "
        "the file.",
    )
    delimiter: Literal["auto", ",", ";", "tab", "|"] = Field(
        "auto",
        description="Field separator of the files; `auto` decides from the header and the first records. A first line "
        "`sep=;` in a file decides over it.",
    )
    unchecked: Annotated[tuple[Check, ...], NoDecode] = Field(
        (),
        description="Comma-separated checks that files are not held to: `format`, `encoding`, `delimiter`, `quote`, "
        "`header` (docs/csv.md says what each refuses).",
    )
    max_columns: int = Field(
        16_384, ge=1, le=1_048_576, description="Most columns that a header may have; a file with more is refused."
    )
    required_columns: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Comma-separated columns that a file must have; a file without them is refused."
    )
    max_record_bytes: int = Field(
        1_048_576, ge=64, le=67_108_864, description="Largest record in bytes; a larger one is rejected."
    )
    max_field_bytes: int = Field(
        262_144,
        ge=16,
        le=67_108_864,
        description="Largest field in bytes; a record with a larger one is rejected.",
    )
    max_fallback: Share = Field(
        "100%",
        description="Count or share of fallback rows past which a batch pauses and asks; `100%` never asks.",
    )
    max_rejected: Share = Field(
        "100%",
        description="Count or share of rejected records past which a batch pauses and asks; `100%` never asks.",
    )
    limit_sample_rows: int = Field(
        100,
        ge=1,
        description="Records that must be done before a share in the two limits above counts; a smaller file is "
        "judged at its end.",
    )
    api_url: HttpUrl = Field(
        "http://127.0.0.1:3001/enrich",
        min_length=1,
        description="Address that each row is posted to, without user or password.",
    )
    api_bulk_url: HttpUrl = Field("", description="Address that takes many rows in one call; empty: none.")
    api_bulk_size: int = Field(50, ge=2, le=1_000, description="Rows in one bulk call.")
    api_token: SecretToken = Field(
        SecretStr(""), description="Bearer token for the API; empty: none. Prefer `BATCH_API_TOKEN_FILE`."
    )
    api_token_file: SecretPath | None = Field(
        None,
        description="File that holds the bearer token for the API; `$CREDENTIALS_DIRECTORY/NAME` is a credential of "
        "systemd.",
    )
    api_concurrency: int = Field(
        64,
        ge=1,
        le=4_096,
        description="Most API calls in flight, over all batches and workers of this service; each further host with "
        "`batchd work` has as many of its own.",
    )
    api_rate: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="Most API calls a second, over all batches and workers of this service; each further host with "
        "`batchd work` makes as many of its own; 0: no limit.",
    )
    api_timeout_s: float = Field(
        10.0,
        gt=0,
        le=3_600,
        description="Seconds one API call may take in all, connecting and reading included.",
    )
    api_attempts: int = Field(3, ge=1, le=20, description="Calls made for one row before it becomes a fallback row.")
    api_max_body_bytes: int = Field(
        1_048_576,
        ge=64,
        description="Largest API answer in bytes that is read; a larger one is a bad response.",
    )
    api_outage: Literal["wait", "fallback"] = Field(
        "wait",
        description="What rows do while the whole API is down: `wait` for it, or become `fallback` rows.",
    )
    task_queue: str = Field(
        "batch-task",
        min_length=1,
        description="Temporal task queue of the workers; that for pages of long files has `-pages` behind it.",
    )
    workers: int | Literal["auto"] = Field(
        1, description="Worker processes of `batchd run` and `batchd work`; `auto`: one per core."
    )
    heartbeat_timeout_s: float = Field(
        10.0,
        ge=1,
        le=600,
        description="Seconds without a heartbeat after which a page's work is given to another.",
    )
    server_port: int = Field(7233, ge=1, le=65_535, description="Port of the embedded Temporal server.")
    server_ui_port: int = Field(
        8233, ge=0, le=65_535, description="Port of the embedded Temporal server's web page; 0: no web page."
    )
    server_ui_ip: Ip = Field(
        "127.0.0.1",
        description="IP where the embedded Temporal server's web page listens. Whoever can reach it can steer batches.",
    )
    start_timeout_s: float = Field(
        30.0, ge=1, le=3_600, description="Seconds to wait at start for the Temporal server."
    )
    stop_timeout_s: float = Field(
        25.0,
        ge=1,
        le=3_600,
        description="Seconds that work in flight may take to finish when the service stops.",
    )
    metrics_address: Address = Field(
        "",
        description="IP:PORT where the first worker process serves the metrics of Temporal's SDK, each further one a "
        "port higher; empty: they stand beside those of batchd at BATCH_HEALTH_ADDRESS.",
    )
    health_address: Address = Field(
        "",
        description="IP:PORT of `/livez` (503 where something stands still that only a new start mends), "
        "`/readyz` (503 unless the service, each of its processes and for `batchd run` the Temporal server is ready) "
        "and `/metrics` (what all its processes count); empty: none.",
    )
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="Form of log lines; `auto`: text on a terminal, JSON elsewhere."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level logged.")
    trace_calls_every: int = Field(
        100,
        ge=1,
        description="Where batches are traced, see docs/traces.md: of the calls of a page, the first and then one in "
        "so many have a span and carry `traceparent`.",
    )

    @model_validator(mode="before")
    @classmethod
    def _split_columns(cls, values: dict[str, Any]) -> dict[str, Any]:
        for name in ("required_columns", "unchecked"):
            listed = values.get(name)
            if isinstance(listed, str):
                values[name] = tuple(each.strip() for each in listed.split(",") if each.strip())
        return values

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if isinstance(self.workers, int) and not 1 <= self.workers <= MOST_WORKERS:
            raise ValueError(f"BATCH_WORKERS must be 1 to {MOST_WORKERS}, or auto")
        if self.ready_marker and "{name}" not in self.ready_marker:
            raise ValueError("BATCH_READY_MARKER must contain {name}")
        try:
            checked_encoding(self.encoding)
        except ValueError as error:
            raise ValueError(f"BATCH_ENCODING: {error}") from None
        return self

    def shape(self) -> Shape:
        """Return the settings that a batch keeps from its start to its end."""
        return Shape(
            page_rows=self.page_rows,
            pages_in_flight=self.pages_in_flight,
            max_fallback=self.max_fallback,
            max_rejected=self.max_rejected,
            limit_sample_rows=self.limit_sample_rows,
            heartbeat_timeout_s=self.heartbeat_timeout_s,
            csv=CsvOptions(
                encoding=self.encoding,
                delimiter=self.delimiter,
                required_columns=self.required_columns,
                max_columns=self.max_columns,
                max_record_bytes=self.max_record_bytes,
                max_field_bytes=self.max_field_bytes,
            ),
        )

    def terms(self) -> BatchTerms:
        """Return all that a batch keeps from its claim to its end."""
        return BatchTerms(shape=self.shape())

    def worker_processes(self, most_calls: int) -> int:
        """Return how many worker processes to run: never more than there may be calls at once."""
        wanted = len(os.sched_getaffinity(0)) if self.workers == "auto" else self.workers
        return min(wanted, most_calls)


def load_settings(environ: Mapping[str, str] = os.environ, **overrides: object) -> Settings:
    """Read the settings from `environ`.

    Raises:
        SettingsError: a value is wrong, or a `BATCH_*` name is unknown; the message names it and says what to do.
    """
    _refuse_unknown(environ)
    given = {name.lower().removeprefix(PREFIX.lower()): value for name, value in environ.items() if _is_ours(name)}
    settings = Settings.__new__(Settings)  # its __init__ would read the environment of this process, whatever is given
    try:
        Settings.__pydantic_validator__.validate_python({**given, **overrides}, self_instance=settings)
        return settings
    except ValidationError as error:
        raise SettingsError("; ".join(_message(each) for each in error.errors())) from error


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in environ:
        if _is_ours(name) and name.upper() not in known:
            close = difflib.get_close_matches(name.upper(), known, n=1)
            hint = f"did you mean {close[0]}?" if close else "docs/configuration.md lists the settings"
            raise SettingsError(f"{name} is not a setting of batchd; {hint}")


def _is_ours(variable: str) -> bool:
    return variable.upper().startswith(PREFIX) and variable.upper() != CONFIG_VARIABLE


def _message(error: Any) -> str:
    field = str(error["loc"][0]) if error["loc"] else ""
    message = str(error["msg"]).removeprefix("Value error, ")
    if not field:
        return message
    secret = "token" in field or field.endswith("_url")  # an address may hold a key in its query
    shown = "" if secret else f" (it is {error['input']!r})"
    return f"{PREFIX}{field.upper()}: {message}{shown}"
