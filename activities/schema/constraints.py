"""The constraints of a field as checks of its values, in the order in which they are held against them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from activities.schema.field import Field
from activities.schema.findings import Findings, Unusable
from activities.schema.pattern import compile_pattern
from activities.schema.types.cell_type import CellType, Compare, as_it_is

NOT_SERVED = {"jsonSchema": "values of JSON are not held to a schema of their own here; leave it out"}


class Check(NamedTuple):
    """Whether a value holds to one rule."""

    rule: str
    holds: Callable[[Any], bool]


def checks_of(field: Field, kind: CellType, findings: Findings, place: str) -> list[Check]:
    """Return the checks of `field`; what cannot be used of its constraints is noted below `place`.

    `required`, `unique` and keys are not among them: they are of the missing, and of more than one row.
    """
    checks: list[Check] = []
    for rule, written in field.constraints.items():
        with findings.at(f"{place}.constraints.{rule}"):
            check = _check(rule, written, field, kind)
            if check is not None:
                checks.append(Check(rule, check))
    if "categories" in field.options:
        with findings.at(f"{place}.categories"):
            if "categories" not in kind.served:
                raise Unusable("", f"the type {field.type} has no categories")
            checks.append(Check("categories", _among(_category_values(field.options["categories"]), kind)))
    return checks


def _check(rule: str, written: Any, field: Field, kind: CellType) -> Callable[[Any], bool] | None:
    if rule in NOT_SERVED:
        raise Unusable("", NOT_SERVED[rule])
    if rule not in _MAKERS:
        raise Unusable("", f"there is no such constraint; there is {', '.join(_MAKERS)}")
    if rule not in kind.constraints:
        raise Unusable("", f"it means nothing to the type {field.type}")
    return _MAKERS[rule](written, kind)


def _flag(written: Any, _: CellType) -> None:
    if not isinstance(written, bool):
        raise Unusable("", "it must be true or false")


def _enum(written: Any, kind: CellType) -> Callable[[Any], bool]:
    if not isinstance(written, list | tuple) or not written:
        raise Unusable("", "it must be a list of values, and not an empty one")
    return _among(written, kind)


def _among(written: Any, kind: CellType) -> Callable[[Any], bool]:
    identity = kind.identity
    allowed = frozenset(identity(_value(each, kind, f"value {at}")) for at, each in enumerate(written, start=1))
    return allowed.__contains__ if identity is as_it_is else lambda value: identity(value) in allowed


def _category_values(written: Any) -> list[Any]:
    if not isinstance(written, list | tuple) or not written:
        raise Unusable("", "it must be a list of values, or of objects with one each")
    if all(isinstance(each, dict) for each in written):
        if not all("value" in each for each in written):
            raise Unusable("", "each of its objects must have a value")
        return [each["value"] for each in written]
    return list(written)


def _pattern(written: Any, _: CellType) -> Callable[[Any], bool]:
    if not isinstance(written, str):
        raise Unusable("", "it must be a regular expression, as text")
    try:
        return compile_pattern(written)
    except ValueError as error:
        raise Unusable("", f"it is no regular expression of XML Schema: {error}") from error


def _length(compare: Compare) -> Callable[[Any, CellType], Callable[[Any], bool]]:
    def make(written: Any, _: CellType) -> Callable[[Any], bool]:
        if isinstance(written, bool) or not isinstance(written, int) or written < 0:
            raise Unusable("", "it must be a whole number of 0 or more")
        return lambda value: compare(len(value), written)

    return make


def _bound(compare: Compare, turned: Compare) -> Callable[[Any, CellType], Callable[[Any], bool]]:
    """Return what makes the check of a bound; `turned` is `compare` with its two sides exchanged."""

    def make(written: Any, kind: CellType) -> Callable[[Any], bool]:
        order = kind.order or as_it_is
        bound = order(_value(written, kind, "it"))
        if not bound <= bound:  # noqa: PLR0124 - NaN is not
            raise Unusable("", "nothing is less or more than NaN")
        if kind.bounded is not None:
            return kind.bounded(compare, bound)
        if order is as_it_is:
            return partial(turned, bound)
        return lambda value: compare(order(value), bound)

    return make


def _value(written: Any, kind: CellType, which: str) -> Any:
    try:
        return kind.value_of(written)
    except (ValueError, AttributeError) as error:
        raise Unusable("", f"{which} is no value of the field: {error}") from error


_MAKERS: dict[str, Callable[[Any, CellType], Callable[[Any], bool] | None]] = {
    "required": _flag,
    "unique": _flag,
    "enum": _enum,
    "pattern": _pattern,
    "minimum": _bound(operator.ge, operator.le),
    "maximum": _bound(operator.le, operator.ge),
    "exclusiveMinimum": _bound(operator.gt, operator.lt),
    "exclusiveMaximum": _bound(operator.lt, operator.gt),
    "minLength": _length(operator.ge),
    "maxLength": _length(operator.le),
}
