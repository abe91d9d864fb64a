"""What is kept of an answer: `take`, a JMESPath expression, compiled into a function from answer to columns.

An object gives its members. Anything else takes the name of the last field that the expression goes through:
`take = "data.title"` adds `title`, `take = "tags[*].name"` adds `name`. An expression that goes through none
(`join(…)`, `[a, b]`) is refused when it is compiled: `{name: join(…)}` gives it one. Null adds nothing: the API
answered, and knows nothing more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from activities.api.mapping.expressions import ExpressionFailed, compile_expression
from workflows.api_spec import InvalidSpec, at_key
from workflows.errors import BatchdError

Take = Callable[[Any], dict[str, Any]]
"""Takes an answer and returns what it adds to its row. Raises CannotTake."""


class CannotTake(BatchdError):
    """`take` cannot be used on this answer."""


def compile_take(text: str) -> Take:
    """Return the function for `text`; for an empty one it is the whole answer where that is an object, else nothing.

    Raises:
        InvalidSpec: it is no JMESPath, or can find nothing that has a name.
    """
    if not text:
        return lambda answer: answer if isinstance(answer, dict) else {}
    with at_key("answer.take"):
        expression = compile_expression(text, over="answer")
    name, search = expression.result_name, expression.search
    if name == "" and not expression.may_be_object:
        raise InvalidSpec("answer.take", f"what it finds has no name: write {{name: {text}}}")

    def take(answer: Any) -> dict[str, Any]:
        try:
            found = search(answer)
        except ExpressionFailed as error:
            raise CannotTake(f"take: {error}") from error
        return found if isinstance(found, dict) else _named(name, found)

    return take


def _named(name: str | None, found: Any) -> dict[str, Any]:
    """Return a value that is no object under its name; nothing is nothing, and needs none."""
    if found is None:
        return {}
    if name:
        return {name: found}
    if found == []:
        return {}
    raise CannotTake("take: it finds no object and gives no name to what it finds: write {name: …}")
