"""What can be known of an expression from its syntax tree alone: the columns that it names, and a name for its result.

Best effort: a column that is reached in a way not foreseen here (`merge(@, {a: b}).c`) is not found, and a file without
it is taken; its rows then see null there.
"""

from __future__ import annotations

from functools import reduce
from typing import Any, Literal

from activities.api.mapping.expression_compiler import Node

Kind = Literal["row", "call", "answer"]
"""What an expression is used on: a row, the `{rows, keys}` of a bulk call, an answer of the API."""

_Found = Literal["row", "rows", "call", "answer"] | None
"""What a part of an expression stands for: `rows` is a list of rows, None anything else."""

_SAME_ROWS = frozenset({"sort_by", "reverse"})
"""Functions that return the rows they are given."""

_MAY_BE_OBJECT = frozenset({"current", "identity", "field", "index", "multi_select_dict", "or_expression"})
_OBJECT_FUNCTIONS = frozenset({"merge", "not_null", "max_by", "min_by"})
_PROJECTIONS = frozenset({"projection", "filter_projection", "value_projection", "flatten"})
_CHAINS = frozenset({"subexpression", "index_expression", "pipe"})


def columns_of(tree: Node, over: Kind) -> tuple[str, ...]:
    """Return the columns that an expression over `over` names, in the order of their first use."""
    names: dict[str, None] = {}
    _walk(tree, over, names)
    return tuple(names)


def _walk(node: Node, value: _Found, names: dict[str, None]) -> _Found:
    """Note the columns that `node` names when it is used on `value`; return what it finds there."""
    kind, children = node["type"], node["children"]
    if kind == "field":
        if value == "row":
            names[node["value"]] = None
        return "rows" if value == "call" and node["value"] == "rows" else None
    if kind in {"current", "identity", "slice", "index"}:
        return "row" if kind == "index" and value == "rows" else value
    if kind in _CHAINS:
        return reduce(lambda found, child: _walk(child, found, names), children, value)
    if kind in _PROJECTIONS:
        return _walk_projection(node, value, names)
    if kind == "function_expression":
        return _walk_function(node, value, names)
    found = [_walk(child, value, names) for child in children]
    return next((each for each in found if each), None) if kind in {"or_expression", "and_expression"} else None


def _walk_projection(node: Node, value: _Found, names: dict[str, None]) -> _Found:
    base, *others = node["children"]
    found = _walk(base, value, names)
    if node["type"] == "flatten":
        return found
    element: _Found = "row" if found == "rows" and node["type"] != "value_projection" else None
    results = [_walk(each, element, names) for each in others]
    return "rows" if results[0] == "row" else None


def _walk_function(node: Node, value: _Found, names: dict[str, None]) -> _Found:
    given = [_walk(each, value, names) for each in node["children"] if each["type"] != "expref"]
    element: _Found = "row" if "rows" in given else None
    for each in node["children"]:
        if each["type"] == "expref":
            _walk(each["children"][0], element, names)
    return "rows" if "rows" in given and node["value"] in _SAME_ROWS else None


def result_name(tree: Node) -> str | None:
    """Return the last field that an expression goes through, "" where there is none.

    None where the result has names of its own: an object, made by the expression.
    """
    if tree["type"] == "multi_select_dict":
        return None
    if tree["type"] in _CHAINS and tree["children"][-1]["type"] == "multi_select_dict":
        return None
    return _last_field(tree)


def _last_field(node: Any) -> str:
    kind = node["type"]
    if kind == "field":
        return str(node["value"])
    if kind in _CHAINS or kind in _PROJECTIONS:
        for child in reversed(node["children"][:2]):
            if name := _last_field(child):
                return name
    if kind == "or_expression":
        return _last_field(node["children"][0])
    return ""


def may_be_object(node: Node) -> bool:
    """Return whether the result of an expression can be an object at all."""
    kind = node["type"]
    if kind in _CHAINS:
        return may_be_object(node["children"][-1])
    if kind in {"or_expression", "and_expression"}:
        return any(may_be_object(each) for each in node["children"])
    if kind == "literal":
        return isinstance(node["value"], dict)
    if kind == "function_expression":
        return node["value"] in _OBJECT_FUNCTIONS
    return kind in _MAY_BE_OBJECT
