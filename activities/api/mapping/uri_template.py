"""Addresses with variables in them: RFC 6570, levels 1 to 3, compiled once into one function from values to text.

The modifiers of level 4 (`{name*}`, `{name:3}`) are refused by name. What a value may be: text, a number, true or
false, and a list or an object of those, which are joined by commas.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from activities.api.mapping.exact_numbers import dumps
from workflows.errors import SettingsError

Expand = Callable[[Mapping[str, Any]], str]
"""Takes the values of the variables; one that is missing or None falls away."""

Encode = Callable[[str], str]

_VARIABLE = re.compile(r"(?:[A-Za-z0-9_]|%[0-9A-Fa-f]{2})+(?:\.(?:[A-Za-z0-9_]|%[0-9A-Fa-f]{2})+)*")
_MODIFIER = re.compile(r"(?:\*|:[1-9][0-9]{0,3})")
_RESERVED_OPERATORS = "=,!@|"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class InvalidTemplate(SettingsError):
    """An address is no URI template that batchd can use. `position` counts characters from 1."""

    def __init__(self, template: str, position: int, problem: str) -> None:
        super().__init__(f"{problem}, at character {position} of {template}")
        self.position = position


class UriTemplate(NamedTuple):
    """A compiled template. `variables` are in the order of their first use."""

    text: str
    variables: tuple[str, ...]
    expand: Expand


class _Operator(NamedTuple):
    first: str
    separator: str
    named: bool
    after_empty_name: str
    encode: Encode


class _PercentTable(dict[int, str]):
    """For `str.translate`: what each character becomes, made when it is first met. Faster than a pattern."""

    def __missing__(self, character: int) -> str:
        code = "".join([f"%{byte:02X}" for byte in chr(character).encode()])
        if len(self) < _MOST_KEPT_CODES:
            self[character] = code
        return code


_MOST_KEPT_CODES = 4_096
_UNRESERVED = string.ascii_letters + string.digits + "-._~"
_PERCENT = _PercentTable({ord(each): each for each in _UNRESERVED})
_NOT_RESERVED = re.compile(r"(?:%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%])+")


def encoded(text: str) -> str:
    """Return `text` with all but letters, digits and `-._~` percent-encoded as UTF-8."""
    return text.translate(_PERCENT)


def encoded_but_reserved(text: str) -> str:
    """Return `text` percent-encoded but for reserved characters and what is percent-encoded already."""
    return _NOT_RESERVED.sub(lambda found: found[0].translate(_PERCENT), text)


_OPERATORS = {
    "": _Operator("", ",", named=False, after_empty_name="", encode=encoded),
    "+": _Operator("", ",", named=False, after_empty_name="", encode=encoded_but_reserved),
    "#": _Operator("#", ",", named=False, after_empty_name="", encode=encoded_but_reserved),
    ".": _Operator(".", ".", named=False, after_empty_name="", encode=encoded),
    "/": _Operator("/", "/", named=False, after_empty_name="", encode=encoded),
    ";": _Operator(";", ";", named=True, after_empty_name="", encode=encoded),
    "?": _Operator("?", "&", named=True, after_empty_name="=", encode=encoded),
    "&": _Operator("&", "&", named=True, after_empty_name="=", encode=encoded),
}
"""RFC 6570, appendix A."""


def compile_template(text: str, *, keep_empty: bool = False) -> UriTemplate:
    """Return `text`, compiled. An empty text as a value falls away; with `keep_empty` it stays, as the RFC has it.

    Raises:
        InvalidTemplate: it is none, or needs level 4.
    """
    first, parts, variables = "", list[tuple[Expand, str]](), list[str]()
    at = 0
    while at < len(text):
        opening = text.find("{", at)
        end = opening if opening >= 0 else len(text)
        literal = _literal(text, at, end)
        if parts:
            parts[-1] = (parts[-1][0], literal)
        else:
            first = literal
        if opening < 0:
            break
        closing = text.find("}", opening)
        if closing < 0:
            raise InvalidTemplate(text, opening + 1, "{ has no }")
        operator, names = _expression(text, opening, closing)
        parts.append((_expander(operator, names, keep_empty=keep_empty), ""))
        variables += names
        at = closing + 1
    return UriTemplate(text, tuple(dict.fromkeys(variables)), _joined(first, parts))


def variables(text: str) -> tuple[str, ...]:
    """Return the variables of a template, in the order of their first use.

    Raises:
        InvalidTemplate: as `compile_template`.
    """
    return compile_template(text).variables


def _literal(text: str, start: int, end: int) -> str:
    """Return a literal part, encoded."""
    literal = text[start:end]
    if (stray := literal.find("}")) >= 0:
        raise InvalidTemplate(text, start + stray + 1, "} has no {")
    if (control := _CONTROL.search(literal)) is not None:
        raise InvalidTemplate(text, start + control.start() + 1, "a control character cannot be in an address")
    return encoded_but_reserved(literal)


def _expression(text: str, opening: int, closing: int) -> tuple[_Operator, list[str]]:
    """Return what stands between two braces: the operator and the names of the variables."""
    start = opening + 1
    sign = text[start : start + 1]
    if sign and sign in _RESERVED_OPERATORS:
        raise InvalidTemplate(text, start + 1, f"the operator {sign} is reserved (RFC 6570 section 2.2)")
    operator = _OPERATORS.get(sign, _OPERATORS[""])
    start += operator is not _OPERATORS[""]
    names = []
    for name in text[start:closing].split(","):
        _check_variable(text, start, name)
        names.append(name)
        start += len(name) + 1
    return operator, names


def _check_variable(text: str, start: int, name: str) -> None:
    found = _VARIABLE.match(name)
    rest = name[found.end() :] if found else name
    if found and not rest:
        return
    position = start + len(name) - len(rest) + 1
    if found and _MODIFIER.fullmatch(rest):
        kind = "explode" if rest == "*" else "prefix"
        raise InvalidTemplate(text, position, f"the {kind} modifier {rest} (RFC 6570 level 4) is not supported")
    why = f"{name!r} is no name of a variable: letters, digits, _ and . between them"
    raise InvalidTemplate(text, position, f"{why} (a column of another name: give it one in vars)")


def _joined(first: str, parts: list[tuple[Expand, str]]) -> Expand:
    if not parts:
        return lambda _: first
    if len(parts) == 1:
        ((expand, after),) = parts
        return lambda values: first + expand(values) + after
    return lambda values: first + "".join([expand(values) + after for expand, after in parts])


def _expander(operator: _Operator, names: list[str], *, keep_empty: bool) -> Expand:
    """Return the function for one expression, all that can be known beforehand made ready."""
    first, separator, named, after_empty_name, encode = operator
    labelled = [(name, f"{name}=" if named else "", name + after_empty_name if named else "") for name in names]

    def expand(values: Mapping[str, Any]) -> str:
        found = []
        get = values.get
        for name, label, empty in labelled:
            value = get(name)
            text = encode(value) if type(value) is str else _text(value, encode)
            if text:
                found.append(label + text)
            elif keep_empty and text is not None:
                found.append(empty)
        return first + separator.join(found) if found else ""

    return expand


def _text(value: Any, encode: Encode) -> str | None:
    """Return a value that is not just text as it stands in an address, None for one that falls away."""
    if isinstance(value, dict):
        value = [each for key, member in value.items() if member is not None for each in (key, member)]
    if isinstance(value, list):
        members = [_scalar(each, encode) for each in value if each is not None]
        return ",".join(members) if members else None
    return None if value is None else _scalar(value, encode)


def _scalar(value: Any, encode: Encode) -> str:
    return encode(value if isinstance(value, str) else dumps(value).decode())
