"""Writes `docs/manifest.schema.json` from the model of a manifest: `make docs`. A test holds the file to the model."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from activities.manifest.model import Manifest

HEAD = {"$schema": GenerateJsonSchema.schema_dialect, "$id": "https://batchd.invalid/manifest-1.schema.json"}
_INNERMOST = re.compile(r"\{[^\[\]{}]*\}|\[[^\[\]{}]*\]")
"""An object or a list without another in it: it stands on one line."""


class _Published(GenerateJsonSchema):
    """Without what only Python needs: titles made from names, and what a missing key is read as."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


def manifest_schema() -> str:
    """Return the JSON Schema of a manifest."""
    schema: dict[str, Any] = Manifest.model_json_schema(schema_generator=_Published)
    parts = schema.pop("$defs")
    for each in parts.values():
        del each["title"]
    text = json.dumps({**HEAD, **schema, "$defs": parts}, indent=2) + "\n"
    return _INNERMOST.sub(lambda found: " ".join(found[0].split()), text)


if __name__ == "__main__":
    sys.stdout.write(manifest_schema())
