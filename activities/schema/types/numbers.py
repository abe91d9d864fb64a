"""`integer`, `number` and `boolean`. A number keeps its digits: what is written again is what stood in the cell."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from activities.api.mapping.exact_numbers import ExactFloat, number_of
from activities.schema.field import Field
from activities.schema.findings import Unusable
from activities.schema.types.cell_type import CellType, Compare, as_it_is, identity_of_number

_MOST_DIGITS = 4_000
"""Python reads no whole number of more than 4,300 digits; longer ones are kept as they are."""

_SPECIAL = {"nan": "NaN", "inf": "INF", "+inf": "INF", "-inf": "-INF"}
TRUE_VALUES = ("true", "True", "TRUE", "1")
FALSE_VALUES = ("false", "False", "FALSE", "0")


class _NotANumber:
    """Is neither less than anything nor more."""

    def _is_not(self, _: object) -> bool:
        return False

    __lt__ = __le__ = __gt__ = __ge__ = _is_not


_NAN = _NotANumber()


def integer_type(field: Field) -> CellType:
    """Return the type of whole numbers.

    Raises:
        Unusable: `groupChar` or `bareNumber` cannot be used.
    """
    lexical = _lexical(field, rf"[+-]?{_digits(_group_char(field, ''))}")

    def read(cell: str) -> Any:
        if cell.isascii() and cell.isdigit() and len(cell) <= _MOST_DIGITS:
            return int(cell)
        return _number(lexical(cell), "")

    return CellType(read=read, read_json=_integer_of_json, identity=identity_of_number, order=as_it_is)


def number_type(field: Field, decimal: str) -> CellType:
    """Return the type of numbers; `decimal` is the decimal separator of a field that says none.

    Raises:
        Unusable: `decimalChar`, `groupChar` or `bareNumber` cannot be used.
    """
    point = _character(field, "decimalChar", decimal)
    digits = _digits(_group_char(field, point))
    mark = re.escape(point)
    lexical = _lexical(field, rf"[+-]?(?:{digits}(?:{mark}[0-9]*)?|{mark}[0-9]+)(?:[eE][+-]?[0-9]+)?")

    plain = re.compile(rf"-?(?:0|[1-9][0-9]{{0,17}})(?:{mark}[0-9]+)?").fullmatch

    def read(cell: str) -> Any:
        if plain(cell):
            is_real = point in cell or cell == "-0"
            return ExactFloat(cell if point == "." else cell.replace(point, ".")) if is_real else int(cell)
        special = _SPECIAL.get(cell.strip().lower())
        return special or _number(lexical(cell), point)

    return CellType(read=read, read_json=_number_of_json, identity=identity_of_number, order=_order, bounded=_bounded)


def boolean_type(field: Field) -> CellType:
    """Return the type of true and false.

    Raises:
        Unusable: a text means both, or nothing means one of them.
    """
    true, false = (
        _texts(field, key, default) for key, default in (("trueValues", TRUE_VALUES), ("falseValues", FALSE_VALUES))
    )
    both = sorted({*true} & {*false})
    if both:
        raise Unusable("falseValues", f"{both[0]!a} is among the trueValues too")
    values = {**dict.fromkeys(true, True), **dict.fromkeys(false, False)}

    def read(cell: str) -> bool:
        try:
            return values[cell]
        except KeyError:
            raise ValueError("it is neither true nor false") from None

    return CellType(read=read, read_json=_boolean_of_json)


def number_text(text: str, point: str) -> str:
    """Return what a number is in JSON: without a plus, a needless zero in front, or a point without digits."""
    sign = "-" if text[0] == "-" else ""
    mantissa, exponent = re.fullmatch(r"([^eE]*)([eE].*)?", text.lstrip("+-"), re.DOTALL).groups("")  # type: ignore[union-attr]
    whole, _, fraction = mantissa.partition(point) if point else (mantissa, "", "")
    return f"{sign}{whole.lstrip('0') or '0'}{'.' if fraction else ''}{fraction}{exponent}"


def _number(text: str, point: str) -> Any:
    return number_of(number_text(text, point))


def _order(value: Any) -> Any:
    if isinstance(value, ExactFloat):
        try:
            return Decimal(value.text)
        except InvalidOperation:
            return float(value)  # an exponent of more than 18 digits: nothing or infinity
    if isinstance(value, str):
        return _NAN if value == "NaN" else float(value)
    return value


def _bounded(compare: Compare, bound: Any) -> Callable[[Any], bool]:
    """Return what compares by the floats where they differ, and by all digits where they do not."""
    near = float(str(bound))
    more, less = compare(1, 0), compare(0, 1)

    def holds(value: Any) -> bool:
        if type(value) is ExactFloat and value != near:
            return more if value > near else less
        return compare(_order(value), bound)

    return holds


def _lexical(field: Field, pattern: str) -> Callable[[str], str]:
    """Return what finds the number in a cell, without the characters that group its digits; raises ValueError."""
    bare = field.options.get("bareNumber", True)
    if not isinstance(bare, bool):
        raise Unusable("bareNumber", "it must be true or false")
    whole = re.compile(rf"\s*({pattern})\s*" if bare else rf"[^0-9-]*?({pattern})[^0-9]*")
    group = field.options.get("groupChar") or ""

    def lexical(cell: str) -> str:
        found = whole.fullmatch(cell)
        if found is None:
            raise ValueError("it is no number")
        return found[1].replace(group, "") if group else found[1]

    return lexical


def _digits(group: str) -> str:
    return rf"[0-9]+(?:{re.escape(group)}[0-9]+)*" if group else "[0-9]+"


def _group_char(field: Field, point: str) -> str:
    group = _character(field, "groupChar", "")
    if group and group == point:
        raise Unusable("groupChar", f"{group!a} is the decimal separator too")
    return group


def _character(field: Field, key: str, default: str) -> str:
    value = field.options.get(key)
    if value is None:
        return default
    if not isinstance(value, str) or not value or re.search(r"[0-9eE+-]", value):
        raise Unusable(key, "it must be text without digits, signs and the letter e")
    return value


def _texts(field: Field, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
    value = field.options.get(key, default)
    if not isinstance(value, list | tuple) or not value or not all(isinstance(each, str) for each in value):
        raise Unusable(key, "it must be a list of texts, and not an empty one")
    return tuple(value)


def _integer_of_json(value: Any) -> Any:
    if isinstance(value, bool) or not (isinstance(value, int) or getattr(value, "text", ".").lstrip("-").isdigit()):
        raise ValueError("it is no whole number")
    return value


def _number_of_json(value: Any) -> Any:
    if type(value) not in {int, float, ExactFloat}:
        raise ValueError("it is no number")
    return value


def _boolean_of_json(value: Any) -> Any:
    if type(value) is not bool:
        raise ValueError("it is neither true nor false")
    return value
