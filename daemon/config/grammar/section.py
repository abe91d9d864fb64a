"""What every section of the configuration has in common: no key that is not known, no value of another type."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from types import NoneType
from typing import Any, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationInfo, field_validator

from daemon.config.settings import Settings

_KINDS: dict[type, str] = {
    bool: "true or false",
    dict: "a table",
    float: "a number",
    int: "a whole number",
    list: "a list",
    str: "a text",
}
_FITTING: dict[Any, tuple[type, ...]] = {bool: (bool,), int: (int,), float: (int, float)}


class Section(BaseModel):
    """One table of the file.

    The context of a validation may hold `folder`, to which relative paths belong, and `variables`, the names of the
    keys that come from variables of the environment: those are texts, and their paths stay as they are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @field_validator("*", mode="before")
    @classmethod
    def _of_its_type(cls, value: object, info: ValidationInfo) -> object:
        """Return `value` where it need not be turned into another type: `attempts = "3"` and `= true` are mistakes."""
        field = cls.model_fields[str(info.field_name)]
        annotation = _without_none(field.annotation)
        if any(isinstance(each, BeforeValidator) for each in field.metadata):
            return value  # it is written as something else, such as a duration
        if info.field_name in _context(info).get("variables", ()):
            return value
        fits = value is None or type(value) in _FITTING.get(annotation, (type(value),))
        if not fits:
            raise ValueError(f"must be {_KINDS[annotation]} and is {kind_of(value)}")
        return value

    @field_validator("*", mode="after")
    @classmethod
    def _in_its_folder(cls, value: Any, info: ValidationInfo) -> Any:
        folder = _context(info).get("folder")
        if isinstance(value, Path) and folder and info.field_name not in _context(info).get("variables", ()):
            return folder / value
        return value


def kind_of(value: object) -> str:
    """Return what a value of a TOML document is, in words."""
    return _KINDS.get(type(value), "a date or a time")


def tables_as(tag: str) -> Callable[[Any], str]:
    """Return what chooses between two kinds of a value: a table is the one tagged `tag`, the rest is `<plain>`.

    Tags stand in the place of a mistake, between < and >, and are left out where it is shown.
    """

    def tag_of(value: Any) -> str:
        return tag if isinstance(value, dict | BaseModel) else "<plain>"

    return tag_of


def _without_none(annotation: Any) -> Any:
    kinds = [each for each in get_args(annotation) if each is not NoneType]
    return kinds[0] if len(kinds) == 1 and NoneType in get_args(annotation) else annotation


def _context(info: ValidationInfo) -> dict[str, Any]:
    return info.context or {}


def shared(setting: str, **changes: str) -> Any:
    """Return a field with the default, bounds and description of a setting, so that nothing is described twice."""
    field = copy.copy(Settings.model_fields[setting])
    for attribute, value in changes.items():
        setattr(field, attribute, value)
    return field
