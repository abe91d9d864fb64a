"""The two languages of a configuration, checked where it is read: JMESPath, and RFC 6570 for addresses.

What is wrong is said without the address, which may hold a secret by mistake.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from activities.api.mapping.address import compile_address
from activities.api.mapping.expressions import InvalidExpression, compile_expression
from workflows.errors import SettingsError

_QUOTED_CHARS = 40


def expression(text: str) -> str:
    """Return `text` where it is a JMESPath expression, or empty.

    Raises:
        ValueError: it is not; the message says where.
    """
    try:
        if text:
            compile_expression(text)
    except InvalidExpression as error:
        raise ValueError(f"is no JMESPath: {error.problem}, at character {error.position}") from None
    return text


def url_template(text: str) -> str:
    """Return `text` where it is the template of an http address whose scheme, host and port hold no variable.

    Raises:
        ValueError: it is not.
    """
    try:
        if text:
            compile_address(text)
    except SettingsError as error:
        problem = str(error).replace(f"; not so {text}", "").replace(f" of {text}", "").replace(text, "it")
        if text[:_QUOTED_CHARS] in problem:  # a long text, which was cut short
            problem = "it cannot be read"
        raise ValueError(f"is no address: {problem}") from None
    return text


Expression = Annotated[str, AfterValidator(expression), WithJsonSchema({"type": "string"})]
UrlTemplate = Annotated[str, AfterValidator(url_template), WithJsonSchema({"type": "string"})]
