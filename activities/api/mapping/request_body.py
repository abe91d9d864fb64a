"""The body of a request: the row, or what an expression makes of it, as JSON or as a form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from activities.api.mapping.address import RowCannotBeSent
from activities.api.mapping.exact_numbers import dumps
from activities.api.mapping.expressions import Expression, ExpressionFailed, compile_expression
from activities.api.mapping.request_headers import BODY_METHODS
from activities.api.mapping.uri_template import encoded
from workflows.api_spec import ApiSpec, InvalidSpec, at_key

Row = dict[str, Any]
"""The source columns of a row: texts, or values of JSON where a schema types them."""

BodyOf = Callable[[Row], bytes]
"""Takes a row and returns the body. Raises RowCannotBeSent."""


def body_of(spec: ApiSpec) -> tuple[BodyOf | None, tuple[str, ...]]:
    """Return the function from row to body, None where it is the row, and the columns it needs.

    Raises:
        InvalidSpec: the body cannot be used.
    """
    if spec.method not in BODY_METHODS:
        if spec.body:
            raise InvalidSpec("body", f"a {spec.method} request has none: leave it out, or use method = 'POST'")
        return (lambda _: b""), ()
    write = _form if spec.encode == "form" else json_body
    if not spec.body:
        return (_form if spec.encode == "form" else None), ()
    with at_key("body"):
        expression = compile_expression(spec.body)
    find = finder("body", expression)
    return (lambda row: write(find(row))), expression.columns


def json_body(value: Any) -> bytes:
    """Return a body as JSON. Null is none."""
    if value is None:
        raise RowCannotBeSent("bad_request_body", "body: the expression finds nothing in this row")
    try:
        return dumps(value)
    except ValueError as error:
        raise RowCannotBeSent("bad_request_body", "body: it cannot be written as JSON") from error


def _form(value: Any) -> bytes:
    """Return an object as a form (WHATWG URL, section 5.2); a field that is null falls away."""
    if not isinstance(value, dict):
        raise RowCannotBeSent("bad_request_body", "body: a form is made of an object, {field: value, …}")
    return "&".join([_form_field(name, each) for name, each in value.items() if each is not None]).encode()


def _form_field(name: str, value: Any) -> str:
    if isinstance(value, (dict, list)):
        kind = "a list" if isinstance(value, list) else "an object"
        raise RowCannotBeSent("bad_request_body", f"body: the field {name} is {kind}; a form holds text and numbers")
    try:
        text = value if isinstance(value, str) else dumps(value).decode()
        return f"{encoded(name)}={encoded(text)}".replace("%20", "+")
    except ValueError as error:
        raise RowCannotBeSent("bad_request_body", f"body: the field {name} cannot be encoded") from error


def finder(key: str, expression: Expression) -> Callable[[Any], Any]:
    """Return the function that uses an expression on a row; it raises RowCannotBeSent."""
    search = expression.search

    def find(row: Any) -> Any:
        try:
            return search(row)
        except ExpressionFailed as error:
            raise RowCannotBeSent("bad_request", f"{key}: {error}") from error

    return find
