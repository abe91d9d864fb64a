"""What a manifest says beside its list of chunks: where the rows came from, how they were made, what it took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from activities.manifest.document import by_rule_in, counts_object, counts_of, status_of, tolerated_in
from activities.output.call_stats import percentile_ms
from activities.output.names import SCHEMA
from activities.output.page_journal import SavedPage
from workflows.api_spec import ApiSpec
from workflows.ids import workflow_id
from workflows.models import CallStats, Counts, CsvOptions, Pause, Shape
from workflows.requests import WriteManifest

PRODUCER = "batchd"
API_KEYS = ("name", "method", "url", "fallback")
"""What a manifest says of the API beside its calls; version 1 knows the address alone."""
_CSV_SETTINGS = frozenset(
    {"encoding", "delimiter", "required_columns", "max_columns", "max_record_bytes", "max_field_bytes"}
)
"""Options of reading that always stand among the settings; others only where they are set."""
SCHEMA_OPTIONS = ("schema_sha256", "null", "decimal")
"""Options of a source that stand under `schema`."""
_PERCENTS = (50, 95, 99)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestFacts:
    """What a manifest says beyond the request and the folder.

    `data_start` is the byte offset of the first record; `source_sha256` is that of the source as it was read again at
    the end; `api_url` is without secrets; `record_rules` are those by which records were told apart.
    `other_rules` are what else the dialect says where that is unusual; `decided_by` is the evidence for it.
    `data_end` is the byte offset of a footer, 0 where there is none.
    """

    delimiter: str
    quote: str
    encoding: str
    newline: str
    columns: Sequence[str]
    data_start: int
    source_sha256: str
    api_url: str
    producer_version: str
    finished_at: str
    record_rules: int = 1
    other_rules: Mapping[str, Any] = field(default_factory=dict)
    decided_by: Mapping[str, str] = field(default_factory=dict)
    data_end: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)


def first_facts(request: WriteManifest, facts: ManifestFacts, pages: list[SavedPage]) -> dict[str, Any]:
    """Return the facts of a batch's first manifest, in the order in which they stand there."""
    source, identity = request.batch.source, request.identity
    counts = counts_of(pages)
    status = "cancelled" if request.cancelled else status_of(counts)
    shelf = "failed" if status in {"cancelled", "partial"} else "archive"
    version = 2 if request.api else 1
    tolerated = tolerated_in(pages)
    manifest: dict[str, Any] = {
        "manifest_version": version,
        "generation": request.batch.generation,
        "producer": {"name": PRODUCER, "version": facts.producer_version},
        "id": request.batch.id,
        "workflow_id": workflow_id(request.batch.id),
        "run_ids": list(request.run_ids),
        "mode": request.mode,
        **({"feed": request.feed, "config_sha256": request.config_sha256} if request.api else {}),
        "status": status,
        "source": {
            "name": source.name,
            "bytes": source.size_bytes,
            "sha256": facts.source_sha256,
            "modified_at": source.modified_at,
            "first_seen_at": source.first_seen_at,
            "stable_at": source.stable_at,
            "claimed_at": source.claimed_at,
            "archived_as": f"{shelf}/{request.batch.id}/{source.name}",
        },
        "identity": {key: value for key, value in asdict(identity).items() if value is not None},
        "dialect": _dialect(facts, version),
        **({"schema": _schema(request, pages)} if request.schema else {}),
        "counts": counts_object(counts, version),
        **({"tolerated": asdict(tolerated)} if tolerated and version > 1 else {}),
    }
    if request.cancelled:
        manifest["cancelled"] = asdict(request.cancelled)
        manifest["gaps"] = gaps(pages, facts.data_start, facts.data_end or source.size_bytes)
    settings = {key: value for key, value in {**facts.settings, **_settings(request.shape)}.items() if key != "csv"}
    manifest |= work_facts(request, _api(request.api, facts.api_url), facts.finished_at, counts)
    return {key: json_safe(value) for key, value in {**manifest, "settings": settings}.items()}


def work_facts(request: WriteManifest, api: Mapping[str, Any], finished_at: str, counts: Counts) -> dict[str, Any]:
    """Return what the work took: calls of the `api`, pauses, changed limits, time."""
    duration_s = _seconds_between(request.started_at, finished_at)
    return {
        "api": {**api, **_calls(request.stats)},
        "pauses": [_pause(each) for each in request.pauses],
        "limits": [asdict(each) for each in request.limits_log],
        "timing": {
            "started_at": request.started_at,
            "finished_at": finished_at,
            "duration_s": duration_s,
            "rows_per_s": round(counts.records / duration_s, 1) if duration_s else 0.0,
        },
    }


def gaps(pages: list[SavedPage], data_start: int, size_bytes: int) -> list[dict[str, int | None]]:
    """Return what of the source a cancelled batch has not done; `last_row` is null where it reaches the end."""
    found: list[dict[str, int | None]] = []
    offset, row = data_start, 1
    for saved in pages:
        page = saved.page
        if page.source_start > offset:
            found.append(_gap(offset, page.source_start, row, page.first_row - 1))
        offset, row = page.source_end, page.first_row + page.records
    if offset < size_bytes:
        found.append(_gap(offset, size_bytes, row, None))
    return found


def json_safe(value: Any) -> Any:
    """Return `value` with every text such that JSON can hold it: undecodable bytes of names are shown as escapes."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {json_safe(str(key)): json_safe(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [json_safe(each) for each in value]
    return value if isinstance(value, bool | int | float | None) else str(value)


def _schema(request: WriteManifest, pages: list[SavedPage]) -> dict[str, Any]:
    csv = request.batch.csv
    file = {"file": SCHEMA, "bytes": len(request.schema.encode()), "sha256": csv.schema_sha256}
    return {**file, "null": csv.null, "decimal": csv.decimal, "rejected_by_rule": by_rule_in(pages)}


def _dialect(facts: ManifestFacts, version: int) -> dict[str, Any]:
    return {
        "delimiter": facts.delimiter,
        "quote": facts.quote,
        "encoding": facts.encoding,
        "newline": facts.newline,
        "columns": list(facts.columns),
        "data_start": facts.data_start,
        "record_rules": facts.record_rules,
        **facts.other_rules,
        **({"decided_by": facts.decided_by} if facts.decided_by and version > 1 else {}),
    }


def _api(api: ApiSpec | None, url: str) -> dict[str, Any]:
    return {key: getattr(api, key) for key in API_KEYS} if api else {"url": url}


def _calls(stats: CallStats) -> dict[str, Any]:
    return {
        "calls": stats.calls,
        "retries": stats.retries,
        "by_status": dict(stats.by_status),
        "latency_ms": {f"p{percent}": percentile_ms(stats, percent) for percent in _PERCENTS},
    }


def _pause(pause: Pause) -> dict[str, str]:
    return {"from": pause.since, "to": pause.to, "by": pause.by, "reason": pause.reason}


def _settings(shape: Shape) -> dict[str, Any]:
    values = asdict(shape)
    csv = values.pop("csv")
    usual = asdict(CsvOptions())
    shaping = {key: value for key, value in csv.items() if key in _CSV_SETTINGS or value != usual[key]}
    return {**{key: value for key, value in shaping.items() if key not in SCHEMA_OPTIONS}, **values}


def _gap(source_start: int, source_end: int, first_row: int, last_row: int | None) -> dict[str, int | None]:
    return {"source_start": source_start, "source_end": source_end, "first_row": first_row, "last_row": last_row}


def _seconds_between(start: str, end: str) -> float:
    try:
        passed = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    except (ValueError, TypeError):
        return 0.0
    return max(0.0, round(passed.total_seconds(), 3))
