"""Writes `docs/batchd.schema.json`, for editors, from the sections of the configuration: `make docs`."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from daemon.config.check import MAX_NAME_CHARS, NAME
from daemon.config.sections.api_section import ApiSection
from daemon.config.sections.feed_section import FeedSection
from daemon.config.sections.service_section import ServiceSection

HEAD = {
    "$schema": GenerateJsonSchema.schema_dialect,
    "$id": "https://batchd.invalid/batchd.schema.json",
    "title": "batchd.toml",
    "type": "object",
    "additionalProperties": False,
    "required": ["api", "feed"],
}
SECTIONS: tuple[type[BaseModel], ...] = (ServiceSection, ApiSection, FeedSection)
_INNERMOST = re.compile(r"\{[^\[\]{}]*\}|\[[^\[\]{}]*\]")
"""An object or a list without another in it: it stands on one line."""


class _Published(GenerateJsonSchema):
    """Without titles made from names, and without null, which TOML has not."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        published = super().default_schema(schema)
        if published.get("default", "") is None:
            del published["default"]
        return published


def configuration_schema() -> str:
    """Return the JSON Schema of a configuration file."""
    mode: JsonSchemaMode = "validation"
    _, schema = models_json_schema([(each, mode) for each in SECTIONS], schema_generator=_Published)
    parts: dict[str, Any] = schema["$defs"]
    for each in parts.values():
        del each["title"]
    parts["FeedDefaults"] = {key: each for key, each in parts["FeedSection"].items() if key != "required"}
    properties = {
        "service": _reference(ServiceSection.__name__),
        "api": _named(ApiSection.__name__),
        "defaults": _reference("FeedDefaults"),
        "feed": _named(FeedSection.__name__),
    }
    text = json.dumps({**HEAD, "properties": properties, "$defs": parts}, indent=2) + "\n"
    return _INNERMOST.sub(lambda found: " ".join(found[0].split()), text)


def _named(section: str) -> dict[str, Any]:
    return {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "patternProperties": {f"^(?=.{{1,{MAX_NAME_CHARS}}}$){NAME.pattern}$": _reference(section)},
    }


def _reference(section: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{section}"}


if __name__ == "__main__":
    sys.stdout.write(configuration_schema())
