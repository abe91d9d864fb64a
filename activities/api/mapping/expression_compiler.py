"""JMESPath compiled: the syntax tree of the library becomes nested Python functions, once for each expression.

The library walks its tree for every value, which took 19 µs for a small body; compiled it takes a fifth. Its parser and
its functions are used as they are. Where it differs from the specification, this follows the specification: text and a
number are not ordered (null, no error), and `to_number` takes numbers of JSON only. Source: jmespath.org/specification.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jmespath import functions

from activities.api.mapping.exact_numbers import dumps, number_of

Node = dict[str, Any]
"""A node of the library's syntax tree: its `type`, `children`, mostly a `value`."""

Run = Callable[[Any], Any]
"""Takes a value and returns what the expression finds in it."""


def is_true(value: Any) -> bool:
    """Return whether a value counts as true in JMESPath: all but null, false, and what is empty. 0 does."""
    return not (value is None or value is False or (not value and isinstance(value, (str, list, dict))))


class _Functions(functions.Functions):
    @functions.signature({"types": []})
    def _func_to_string(self, arg: Any) -> str:
        return arg if isinstance(arg, str) else dumps(arg).decode()

    @functions.signature({"types": []})
    def _func_to_number(self, arg: Any) -> Any:
        if isinstance(arg, str):
            return number_of(arg)
        return arg if _is_number(arg) else None


FUNCTIONS = _Functions()
"""The functions of JMESPath, by name in `FUNCTION_TABLE`."""


class _Expression:
    """A reference to an expression (`&name`), as the functions of the library take it. They know it by its name."""

    def __init__(self, run: Run) -> None:
        self.expression = run

    def visit(self, run: Run, value: Any) -> Any:
        return run(value)


def compiled(node: Node) -> Run:
    """Return the function for one node of the tree. Raises what the functions of JMESPath raise."""
    return _COMPILERS[node["type"]](node)


def _field(node: Node) -> Run:
    name = node["value"]
    return lambda value: value.get(name) if isinstance(value, dict) else None


def _current(_: Node) -> Run:
    return lambda value: value


def _literal(node: Node) -> Run:
    literal = node["value"]
    return lambda _: literal


def _chain(node: Node) -> Run:
    first, *others = map(compiled, node["children"])
    for other in others:
        first = _after(first, other)
    return first


def _after(first: Run, second: Run) -> Run:
    return lambda value: second(first(value))


def _index(node: Node) -> Run:
    index = node["value"]

    def run(value: Any) -> Any:
        return value[index] if isinstance(value, list) and -len(value) <= index < len(value) else None

    return run


def _slice(node: Node) -> Run:
    part = slice(*node["children"])
    return lambda value: value[part] if isinstance(value, list) else None


def _object(node: Node) -> Run:
    members = [(pair["value"], compiled(pair["children"][0])) for pair in node["children"]]
    return lambda value: None if value is None else {key: run(value) for key, run in members}


def _list(node: Node) -> Run:
    members = [compiled(each) for each in node["children"]]
    return lambda value: None if value is None else [run(value) for run in members]


def _projection(node: Node) -> Run:
    base, each = map(compiled, node["children"])

    def run(value: Any) -> Any:
        elements = base(value)
        if not isinstance(elements, list):
            return None
        return [found for element in elements if (found := each(element)) is not None]

    return run


def _filter(node: Node) -> Run:
    base, each, condition = map(compiled, node["children"])

    def run(value: Any) -> Any:
        elements = base(value)
        if not isinstance(elements, list):
            return None
        held = [element for element in elements if is_true(condition(element))]
        return [found for element in held if (found := each(element)) is not None]

    return run


def _values(node: Node) -> Run:
    base, each = map(compiled, node["children"])

    def run(value: Any) -> Any:
        members = base(value)
        if not isinstance(members, dict):
            return None
        return [found for element in members.values() if (found := each(element)) is not None]

    return run


def _flatten(node: Node) -> Run:
    base = compiled(node["children"][0])

    def run(value: Any) -> Any:
        elements = base(value)
        if not isinstance(elements, list):
            return None
        return [member for each in elements for member in (each if isinstance(each, list) else [each])]

    return run


def _or(node: Node) -> Run:
    left, right = map(compiled, node["children"])
    return lambda value: found if is_true(found := left(value)) else right(value)


def _and(node: Node) -> Run:
    left, right = map(compiled, node["children"])
    return lambda value: right(value) if is_true(found := left(value)) else found


def _not(node: Node) -> Run:
    operand = compiled(node["children"][0])
    return lambda value: not is_true(operand(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)


def _ordered(left: Any, right: Any) -> bool:
    return (_is_number(left) and _is_number(right)) or (isinstance(left, str) and isinstance(right, str))


_COMPARISONS: dict[str, Callable[[Any, Any], bool | None]] = {
    "eq": _equal,
    "ne": lambda left, right: not _equal(left, right),
    "lt": lambda left, right: left < right if _ordered(left, right) else None,
    "lte": lambda left, right: left <= right if _ordered(left, right) else None,
    "gt": lambda left, right: left > right if _ordered(left, right) else None,
    "gte": lambda left, right: left >= right if _ordered(left, right) else None,
}


def _comparison(node: Node) -> Run:
    compare = _COMPARISONS[node["value"]]
    left, right = map(compiled, node["children"])
    return lambda value: compare(left(value), right(value))


def _function(node: Node) -> Run:
    name, call = node["value"], FUNCTIONS.call_function
    arguments = [compiled(each) for each in node["children"]]
    return lambda value: call(name, [run(value) for run in arguments])


def _reference(node: Node) -> Run:
    reference = _Expression(compiled(node["children"][0]))
    return lambda _: reference


_COMPILERS: dict[str, Callable[[Node], Run]] = {
    "and_expression": _and,
    "comparator": _comparison,
    "current": _current,
    "expref": _reference,
    "field": _field,
    "filter_projection": _filter,
    "flatten": _flatten,
    "function_expression": _function,
    "identity": _current,
    "index": _index,
    "index_expression": _chain,
    "literal": _literal,
    "multi_select_dict": _object,
    "multi_select_list": _list,
    "not_expression": _not,
    "or_expression": _or,
    "pipe": _chain,
    "projection": _projection,
    "slice": _slice,
    "subexpression": _chain,
    "value_projection": _values,
}
