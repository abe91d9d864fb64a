"""A Table Schema as it is written: JSON, or a table of TOML, to fields; everything that cannot be used is noted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from activities.api.mapping.exact_numbers import ExactFloat, loads
from activities.schema.field import OPTIONS, Field
from activities.schema.findings import Finding, Findings, InvalidSchema

_MATCHES = ("exact", "equal", "subset", "superset", "partial")
_VERSION_2 = "/profiles/2."


def read_json(text: str) -> Any:
    """Return the value of a JSON text, its numbers digit for digit.

    Raises:
        InvalidSchema: it is no JSON.
    """
    try:
        return loads(text.encode())
    except ValueError as error:
        raise InvalidSchema([Finding("", f"it is no JSON: {error}")]) from error


def plain(value: Any) -> Any:
    """Return a value of TOML as one of JSON: a date as its text, a number as it is written."""
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    return ExactFloat(repr(value)) if type(value) is float else value


def fields_of(descriptor: Mapping[str, Any], findings: Findings) -> dict[int, Field]:
    """Return the fields of a schema by their positions; one that cannot be read at all is left out."""
    written = descriptor.get("fields")
    if not isinstance(written, list) or not written:
        findings.add("fields", "there must be a list of fields, and not an empty one")
        return {}
    default_type = "any" if is_version_2(descriptor) else "string"
    found = {at: _field(each, f"fields[{at}]", default_type, findings) for at, each in enumerate(written)}
    return {at: each for at, each in found.items() if each is not None}


def is_version_2(descriptor: Mapping[str, Any]) -> bool:
    """Return whether a schema says that it is of version 2; one that says nothing is of version 1."""
    return _VERSION_2 in str(descriptor.get("$schema", ""))


def match_of(descriptor: Mapping[str, Any], findings: Findings) -> str:
    """Return how fields and columns have to match: as it says, `exact` in version 2, else `subset`."""
    written = descriptor.get("fieldsMatch", "exact" if is_version_2(descriptor) else "subset")
    if isinstance(written, list) and len(written) == 1:
        written = written[0]  # as the first text of version 2 had it
    if written not in _MATCHES:
        findings.add("fieldsMatch", f"it must be one of {', '.join(_MATCHES)}")
        return "subset"
    return str(written)


def missing_values_of(written: Any, place: str, findings: Findings) -> tuple[str, ...]:
    """Return the texts that stand for no value, of which each may have a label."""
    if isinstance(written, list):
        found: list[Any] = [each.get("value") if isinstance(each, dict) else each for each in written]
        if all(isinstance(each, str) for each in found):
            return tuple(dict.fromkeys(found))
    findings.add(place, "it must be a list of texts, or of objects with a text as value")
    return ()


def key_of(written: Any, place: str, fields: tuple[Field, ...], findings: Findings) -> tuple[str, ...]:
    """Return the names of the fields of a key: one name, or a list of them."""
    names = [written] if isinstance(written, str) else written
    if not isinstance(names, list) or not names or not all(isinstance(each, str) for each in names):
        findings.add(place, "it must be the names of fields, and not an empty list")
        return ()
    known = {each.name for each in fields}
    for name in names:
        if name not in known:
            findings.add(place, f"there is no field {name!a}")
    return tuple(dict.fromkeys(names))


def check_names(fields: Mapping[int, Field], findings: Findings, *, may_repeat: bool) -> None:
    """Note the names that more than one field has; version 1 lets fields share one, though no alias."""
    names = Counter(each.name for each in fields.values())
    taken = set(names)
    for at, each in fields.items():
        if names[each.name] > 1 and not may_repeat:
            findings.add(f"fields[{at}].name", f"more than one field is named {each.name!a}")
        for alias in each.aliases:
            if alias in taken and alias != each.name:
                findings.add(f"fields[{at}].aliases", f"{alias!a} is the name of another field")
            taken.add(alias)


def _field(written: Any, place: str, default_type: str, findings: Findings) -> Field | None:
    if not isinstance(written, dict):
        findings.add(place, "it must be an object")
        return None
    name = written.get("name")
    if not isinstance(name, str) or not name:
        findings.add(f"{place}.name", "it must be text, and not an empty one")
        return None
    missing = written.get("missingValues")
    return Field(
        name=name,
        type=_text(written, "type", default_type, place, findings),
        format=_text(written, "format", "default", place, findings),
        aliases=_aliases(written.get("aliases", []), f"{place}.aliases", findings),
        missing_values=None if missing is None else missing_values_of(missing, f"{place}.missingValues", findings),
        constraints=_constraints(written.get("constraints", {}), f"{place}.constraints", findings),
        options={key: written[key] for key in sorted(OPTIONS & written.keys()) if written[key] is not None},
    )


def _text(written: Mapping[str, Any], key: str, default: str, place: str, findings: Findings) -> str:
    value = written.get(key) or default
    if not isinstance(value, str):
        findings.add(f"{place}.{key}", "it must be text")
        return default
    return value


def _aliases(written: Any, place: str, findings: Findings) -> tuple[str, ...]:
    if not isinstance(written, list) or not all(isinstance(each, str) and each for each in written):
        findings.add(place, "it must be a list of names of columns")
        return ()
    return tuple(dict.fromkeys(written))


def _constraints(written: Any, place: str, findings: Findings) -> dict[str, Any]:
    if not isinstance(written, dict):
        findings.add(place, "it must be an object")
        return {}
    return {key: value for key, value in sorted(written.items()) if value is not None}
