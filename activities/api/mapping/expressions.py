"""Expressions of the configuration: JMESPath, compiled once, with what can be known of one before it is used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import jmespath
from jmespath.exceptions import IncompleteExpressionError, JMESPathError, JMESPathTypeError, LexerError, ParseError

from activities.api.mapping.expression_columns import Kind, columns_of, may_be_object, result_name
from activities.api.mapping.expression_compiler import FUNCTIONS, Node, Run, compiled
from workflows.errors import BatchdError, SettingsError, shortened


class InvalidExpression(SettingsError):
    """A text is no JMESPath. `position` counts characters from 1; `problem` is what is wrong there.

    The message shows the expression, and a caret under the place.
    """

    def __init__(self, expression: str, position: int, problem: str) -> None:
        line = expression.replace("\n", " ").replace("\t", " ")
        super().__init__(f"{problem}, at character {position}:\n  {line}\n  {' ' * (position - 1)}^")
        self.position = position
        self.problem = problem


class ExpressionFailed(BatchdError):
    """An expression cannot be used on this value: a function met a type that it does not take."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression.

    `columns` are those of the row that it is used on, and that it names. `result_name` is the field that it ends with,
    "" where it ends otherwise, None where its result is an object or has names of its own. Without `may_be_object` it
    never is one.
    """

    text: str
    columns: tuple[str, ...]
    result_name: str | None
    may_be_object: bool
    run: Run

    def search(self, value: Any) -> Any:
        """Return what is found in `value`, None for nothing.

        Raises:
            ExpressionFailed: it cannot be used on this value.
        """
        try:
            return self.run(value)
        except JMESPathError as error:
            raise ExpressionFailed(_failure(error)) from error
        except (ArithmeticError, AttributeError, RecursionError, TypeError, ValueError) as error:
            raise ExpressionFailed(f"it cannot be computed: {shortened(str(error), 200)}") from error


def compile_expression(text: str, *, over: Kind = "row") -> Expression:
    """Return `text`, compiled. `over` is what it will be used on: a `row`, a bulk `call`, or an `answer`.

    Raises:
        InvalidExpression: it is no JMESPath, or calls a function that is not there or takes other arguments.
    """
    try:
        tree: Node = dict(jmespath.compile(text).parsed)
        _check_functions(text, tree)
        return Expression(text, columns_of(tree, over), result_name(tree), may_be_object(tree), compiled(tree))
    except JMESPathError as error:
        raise InvalidExpression(text, *_what_is_wrong(text, error)) from error
    except RecursionError as error:
        raise InvalidExpression(text, 1, "the expression is nested too deeply") from error


def columns(text: str) -> tuple[str, ...]:
    """Return the columns that an expression over a row names, as far as can be seen.

    Those of an alternative (`nickname || name`) count too: a row has all columns of its file, empty ones included.

    Raises:
        InvalidExpression: as `compile_expression`.
    """
    return compile_expression(text).columns


def _what_is_wrong(text: str, error: JMESPathError) -> tuple[int, str]:
    """Return the position, from 1, and the problem."""
    if isinstance(error, IncompleteExpressionError):
        return len(text) + 1, "the expression ends too early"
    if isinstance(error, LexerError):
        return error.lexer_position + 1, f"the expression cannot be read: {error.message}"
    if isinstance(error, ParseError) and error.lex_position is not None:
        return error.lex_position + 1, f"the expression cannot be read: unexpected {error.token_value!r}"
    return 1, "the expression is empty" if not text.strip() else f"the expression cannot be read: {error}"


def _failure(error: JMESPathError) -> str:
    """Return what a function did not take, without the value: it may be a cell."""
    if isinstance(error, JMESPathTypeError):
        kinds = " or ".join(error.expected_types)
        return f"{error.function_name}() takes {kinds}, and was given {error.actual_type}"
    return shortened(str(error), 200)


def _check_functions(text: str, tree: Node) -> None:
    """Refuse calls that can never succeed; the library would say so only when it comes to them."""
    for node in _nodes(tree):
        if node["type"] != "function_expression":
            continue
        name, given = node["value"], len(node["children"])
        position = text.find(f"{name}(") + 1 or 1
        function = FUNCTIONS.FUNCTION_TABLE.get(name)
        if function is None:
            near = get_close_matches(name, FUNCTIONS.FUNCTION_TABLE, 1)
            hint = f"; do you mean {near[0]}()?" if near else ""
            raise InvalidExpression(text, position, f"there is no function {name}(){hint}")
        taken = len(function["signature"])
        variadic = bool(taken and function["signature"][-1].get("variadic"))
        if given < taken or (given > taken and not variadic):
            least = "at least " if variadic else ""
            raise InvalidExpression(text, position, f"{name}() takes {least}{taken} arguments, and is given {given}")


def _nodes(node: Any) -> Iterator[Node]:
    if isinstance(node, dict):
        yield node
        for child in node["children"]:
            yield from _nodes(child)
