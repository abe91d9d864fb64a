"""Mistakes are gathered here while a file is checked: none of them ends the check."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import ValidationError

from daemon.config.file import ConfigFile
from daemon.config.findings import Finding
from daemon.config.grammar.section import Section, kind_of
from daemon.config.grammar.toml_lines import KeyPath
from daemon.config.nearest_name import nearest
from daemon.config.secrets import REFERENCE, Secret
from daemon.config.settings import PREFIX

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN = {"missing": "is missing", "string_too_short": "is empty"}
_TYPES = {
    "bool_type": "true or false",
    "dict_type": "a table",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_type": "a table",
    "path_type": "a text",
    "string_type": "a text",
    "tuple_type": "a list",
}


class Mistakes:
    """What is wrong with one file. The same mistake at the same place is kept once."""

    def __init__(self, file: ConfigFile) -> None:
        self.file = file
        self._found: dict[Finding, None] = {}

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All mistakes so far."""
        return tuple(self._found)

    def has(self, path: KeyPath) -> bool:
        """Return whether something is known to be wrong at a key."""
        return any(each.key == dotted(path) for each in self._found)

    def add(self, path: KeyPath, what: str, *, nearest: str = "", todo: str = "") -> None:
        """Add a mistake at a key of the file."""
        line = self.file.line_of(path)
        found = Finding(file=self.file.name, line=line, key=dotted(path), what=what, nearest=nearest, todo=todo)
        self._found[found] = None

    def add_variable(self, name: str, what: str, *, nearest: str = "", todo: str = "") -> None:
        """Add a mistake that is a variable of the environment."""
        self._found[Finding(file="environment", line=0, key=name, what=what, nearest=nearest, todo=todo)] = None

    def add_all_variables(self, error: ValidationError) -> None:
        """Add everything that is wrong with variables that give settings of the service."""
        for each in error.errors(include_url=False):
            self.add_variable(f"{PREFIX}{each['loc'][0]}".upper(), _what(each, []))

    def add_all(
        self, error: ValidationError, model: type[Section], base: KeyPath, *, inherited: frozenset[str] = frozenset()
    ) -> None:
        """Add everything that is wrong with a section that stands at `base`, but for what it has from elsewhere."""
        for each in error.errors(include_url=False):
            place = tuple(step for step in each["loc"] if not str(step).startswith("<"))
            if place and place[0] in inherited:
                continue
            if each["type"] == "extra_forbidden":
                self._add_unknown_in(model, base, place)
            elif each["type"] == "literal_error":
                self._add_no_choice((*base, *place), each)
            else:
                self.add((*base, *place), _what(each, _classes(_annotation_at(model, place))))

    def add_unknown(self, path: KeyPath, known: list[str], *, todo: str = "") -> None:
        """Add a key that does not exist beside those that do."""
        close = nearest(str(path[-1]), known)
        table = f"[{dotted(path[:-1])}]" if len(path) > 1 else "the file"
        listed = "" if close or todo or not known else f"there are {', '.join(sorted(known))}"
        self.add(path, f"is no key of {table}", nearest=close, todo=todo or listed)

    def _add_unknown_in(self, model: type[Section], base: KeyPath, place: KeyPath) -> None:
        """Add an unknown key, and where it was right: there, in a table within, or in one around it."""
        known, key = _keys_at(model, place[:-1]), str(place[-1])
        within = [name for name in known if key in _keys_at(model, (*place[:-1], name))]
        around = [place[:end] for end in range(len(place) - 1) if key in _keys_at(model, place[:end])]
        todo = ""
        if within:
            todo = f"write it as {within[0]}.{key}, or in [{dotted((*base, *place[:-1], within[0]))}]"
        elif around:
            todo = f"it stands in [{dotted((*base, *around[-1]))}]"
        self.add_unknown((*base, *place), [] if todo else known, todo=todo)

    def _add_no_choice(self, path: KeyPath, error: Any) -> None:
        choices = re.findall(r"'([^']*)'", error["ctx"]["expected"])
        close = nearest(error["input"], choices) if isinstance(error["input"], str) else ""
        self.add(path, f"must be one of {', '.join(choices)}", nearest=close)


def dotted(path: KeyPath) -> str:
    """Return a path as TOML writes keys; a place in a list is a number in brackets, from 0."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += ("." if text else "") + (step if _BARE.fullmatch(step) else f'"{step}"')
    return text


def _what(error: Any, classes: list[type[Section]]) -> str:
    kind = error["type"]
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind == "model_type" and classes == [Secret]:
        return f"is given as a plain value; a secret must be {REFERENCE}"
    if kind in _TYPES:
        return f"must be {_TYPES[kind]} and is {kind_of(error['input'])}"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if kind == "string_pattern_mismatch":
        return f"must match {error['ctx']['pattern']}"
    return str(error["msg"]).replace("Input should be", "must be").replace("String should", "must")


def _keys_at(model: type[Section], path: KeyPath) -> list[str]:
    """Return the keys that the table at `path` of a section may have."""
    classes = [model] if not path else _classes(_annotation_at(model, path))
    return [key for each in classes for key in keys_of(each)]


def keys_of(model: type[Section]) -> list[str]:
    """Return the keys of a section as the file has them."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _annotation_at(model: type[Section], path: KeyPath) -> Any:
    annotation: Any = model
    for step in path:
        for each in _classes(annotation):
            fields = {field.alias or name: field for name, field in each.model_fields.items()}
            if step in fields:
                annotation = fields[str(step)].annotation
    return annotation


def _classes(annotation: Any) -> list[type[Section]]:
    return list(_sections_in(annotation))


def _sections_in(annotation: Any) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for each in get_args(annotation):
        yield from _sections_in(each)
