"""The tables of `docs/configuration.md` that describe the file: one for each section, from its class."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BeforeValidator, StrictBool
from pydantic.fields import FieldInfo

from daemon.config.grammar.quantities import call_rates, duration_s, duration_text
from daemon.config.grammar.section import Section
from daemon.config.secrets import Secret
from daemon.config.sections.api_section import (
    AnswerSection,
    ApiSection,
    AuthSection,
    BasicSection,
    BulkSection,
    MatchSection,
    Oauth2Section,
    RuleSection,
    TlsSection,
)
from daemon.config.sections.feed_section import FeedSection
from daemon.config.sections.service_section import ServiceSection

SECTIONS: dict[str, type[Section]] = {
    "`[service]`": ServiceSection,
    "`[api.NAME]`": ApiSection,
    "`auth` of an API": AuthSection,
    "`auth.basic`": BasicSection,
    "`auth.oauth2`": Oauth2Section,
    "`tls` of an API": TlsSection,
    "`bulk` of an API": BulkSection,
    "`bulk.match`": MatchSection,
    "`[api.NAME.answer]`": AnswerSection,
    "`rules` of an answer": RuleSection,
    "`[feed.NAME]` and `[defaults]`": FeedSection,
    "A secret": Secret,
}
DEFAULTS_NOTE = "`[defaults]` has keys of a feed for all of them; a feed's own go before."
_WRITTEN_AS: dict[Callable[..., Any], str] = {
    call_rates: "rate, or a list of rates",
    duration_s: "duration",
}
_KINDS: dict[Any, str] = {
    bool: "`true`, `false`",
    StrictBool: "`true`, `false`",
    dict: "table",
    float: "number",
    int: "whole number",
    list: "list",
    Path: "path",
    Secret: "secret",
    str: "text",
    tuple: "list",
}
_BOUNDS = {"ge": ">=", "gt": ">", "le": "<="}


def section_tables() -> str:
    """Return a heading and a table for each section."""
    return "".join(_section(heading, model) for heading, model in SECTIONS.items())


def _section(heading: str, model: type[Section]) -> str:
    text = f"\n### {heading}\n\n{' '.join((model.__doc__ or '').split())}\n"
    if model is FeedSection:
        text += f"\n{DEFAULTS_NOTE}\n"
    rows = [_row(field.alias or name, field) for name, field in model.model_fields.items()]
    return text + "\n| key | default | values | effect |\n| --- | --- | --- | --- |\n" + "\n".join(rows) + "\n"


def _row(key: str, field: FieldInfo) -> str:
    return f"| `{key}` | {_default(field)} | {_values(field)} | {field.description} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    default = field.get_default(call_default_factory=True, validated_data={})
    if default in (None, "", (), {}) or isinstance(default, Section):
        return "empty"
    if duration_s in _written_by(field):
        return f"`{duration_text(default)}`"
    text = str(default).lower() if isinstance(default, bool) else str(default)
    return f"`{text}`".replace("|", "\\|")


def _values(field: FieldInfo) -> str:
    written = [_WRITTEN_AS[each] for each in _written_by(field) if each in _WRITTEN_AS]
    bounds = [
        f"{sign} {getattr(each, attribute):,}"
        for each in field.metadata
        for attribute, sign in _BOUNDS.items()
        if hasattr(each, attribute)
    ]
    return ", ".join(written or bounds) or ", ".join(dict.fromkeys(_kinds(field.annotation)))


def _written_by(field: FieldInfo) -> list[Any]:
    """Return what reads a value that is written otherwise than it is kept."""
    inner = [each for part in get_args(field.annotation) for each in getattr(part, "__metadata__", ())]
    return [each.func for each in (*field.metadata, *inner) if isinstance(each, BeforeValidator)]


def _kinds(annotation: Any) -> list[str]:
    origin, parts = get_origin(annotation), get_args(annotation)
    if annotation in _KINDS:
        return [_KINDS[annotation]]
    if origin is Annotated:
        return _kinds(parts[0])
    if origin is Literal:
        return [f"`{each}`".replace("|", "\\|") for each in parts]
    if origin in {Union, UnionType}:
        return [kind for each in parts if each is not NoneType for kind in _kinds(each)]
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return ["table"]
    return [_KINDS[origin]]
