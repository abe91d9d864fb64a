"""`[service]`: what the whole installation has once, made from the settings of the same names."""

from __future__ import annotations

from typing import Any

from pydantic import create_model, field_validator

from daemon.config.grammar.section import Section, shared
from daemon.config.settings import MOST_WORKERS, Settings

SERVICE_SETTINGS = (
    "output_root",
    "state_dir",
    "rescan_s",
    "watch_events",
    "hashes_in_flight",
    "starts_in_flight",
    "max_columns",
    "max_record_bytes",
    "max_field_bytes",
    "limit_sample_rows",
    "task_queue",
    "workers",
    "heartbeat_timeout_s",
    "server_port",
    "server_ui_port",
    "server_ui_ip",
    "start_timeout_s",
    "stop_timeout_s",
    "metrics_address",
    "health_address",
    "log_format",
    "log_level",
    "trace_calls_every",
)
"""Settings that belong to no feed and no API. `BATCH_*` variables of these names override the file."""


class _ServiceChecks(Section):
    @field_validator("workers", mode="before", check_fields=False)
    @classmethod
    def _some_or_auto(cls, value: object) -> object:
        count = int(value) if isinstance(value, str) and value.isdecimal() else value
        if count != "auto" and not (type(count) is int and 1 <= count <= MOST_WORKERS):
            raise ValueError(f"must be 1 to {MOST_WORKERS}, or auto")
        return count


_FIELDS: dict[str, Any] = {name: (Settings.model_fields[name].annotation, shared(name)) for name in SERVICE_SETTINGS}

ServiceSection: type[Section] = create_model(
    "ServiceSection",
    __base__=_ServiceChecks,
    __doc__="What the whole installation has once; a `BATCH_*` variable of the same name goes before the file.",
    **_FIELDS,
)
