"""One field of a schema, with what shapes its values and nothing else: titles and descriptions are left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OPTIONS = frozenset(
    {"decimalChar", "groupChar", "bareNumber", "trueValues", "falseValues", "delimiter", "itemType", "categories"}
)
"""Properties of a field that shape its values, beside those with a place of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """What a column must hold.

    `aliases` are other names that the column may have. `missing_values` None: those of the schema. `constraints` and
    `options` have the properties of the specification by their names, as values of JSON.
    """

    name: str
    type: str = "string"
    format: str = "default"
    aliases: tuple[str, ...] = ()
    missing_values: tuple[str, ...] | None = None
    constraints: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def descriptor(self) -> dict[str, Any]:
        """Return the field as the specification writes it, without what is as it is by default."""
        missing = None if self.missing_values is None else list(self.missing_values)
        found = {
            "name": self.name,
            "type": self.type,
            "format": "" if self.format == "default" else self.format,
            "aliases": list(self.aliases),
            "constraints": dict(self.constraints),
            **self.options,
        }
        kept = {key: value for key, value in found.items() if key in {"name", "type", *self.options} or value}
        return kept if missing is None else {**kept, "missingValues": missing}
