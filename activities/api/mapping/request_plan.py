"""How a row becomes a request: compiled once for each API, into one function that does what is configured and no more.

Address, body and form are put together from closures when the plan is compiled. The time of a call has no decisions
left in it; what an API does not use costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from activities.api.mapping.address import Address, RowCannotBeSent, Target, compile_address
from activities.api.mapping.expression_columns import Kind
from activities.api.mapping.expressions import Expression, compile_expression
from activities.api.mapping.request_body import BodyOf, Row, body_of, finder, json_body
from activities.api.mapping.request_headers import fixed_headers
from activities.api.transport.base import Request
from workflows.api_spec import ApiSpec, BulkSpec, InvalidSpec, at_key


@dataclass(frozen=True, slots=True)
class RequestPlan:
    """How rows become requests to one API.

    `request` takes a row, the same as JSON, and its idempotency key; `bulk`, where the API has one, rows and their
    keys. Both raise RowCannotBeSent, and nothing else. `headers` go with every call beside those of the transport and
    the credentials. `needed_columns` are those without which a file is refused. Made anew when a secret changes.
    """

    origin: str
    headers: tuple[tuple[str, str], ...]
    needed_columns: tuple[str, ...]
    request: Callable[[Row, bytes, str], Request]
    bulk_origin: str = ""
    bulk: Callable[[Sequence[Row], Sequence[str]], Request] | None = None

    @classmethod
    def compile(cls, spec: ApiSpec, secrets: Mapping[str, str] | None = None) -> RequestPlan:
        """Return the plan for `spec`; `secrets` has the values of its `secret_vars`.

        Raises:
            InvalidSpec: it cannot be used; the first reason.
        """
        secrets = secrets or {}
        with at_key("url"):
            address = compile_address(spec.url)
        values = _Values.compile(spec, secrets, address)
        body, columns = body_of(spec)
        bulk_origin, bulk, bulk_columns = _bulk(spec, secrets)
        return cls(
            address.origin,
            fixed_headers(spec),
            tuple(dict.fromkeys((*values.columns, *columns, *bulk_columns))),
            _assembled(spec.method.encode(), values.target, body),
            bulk_origin,
            bulk,
        )


class _Values(NamedTuple):
    """What the variables of an address are made of: the columns they need, and the target of a row or a fixed one."""

    columns: tuple[str, ...]
    target: Target | bytes

    @classmethod
    def compile(cls, spec: ApiSpec, secrets: Mapping[str, str], address: Address) -> _Values:
        fixed = {name: _secret(name, secrets) for name in spec.secret_vars}
        computed = {
            name: _expression(f"vars.{name}", text)
            for name, text in spec.vars.items()
            if name in address.variables and name not in fixed
        }
        columns = [each for each in address.variables if each not in fixed and each not in computed]
        columns += [column for each in computed.values() for column in each.columns]
        if not columns and not computed:
            return cls((), _fixed_target("url", address, fixed))
        return cls(tuple(columns), _target(address.target, fixed, computed))


def _target(target: Target, constants: dict[str, str], computed: dict[str, Expression]) -> Target:
    if not constants and not computed:
        return target
    found = [(name, finder("vars." + name, expression)) for name, expression in computed.items()]

    def with_vars(row: Mapping[str, Any]) -> bytes:
        values = {**row, **constants}
        for name, find in found:
            values[name] = find(row)
        return target(values)

    return with_vars


def _fixed_target(key: str, address: Address, constants: dict[str, str]) -> bytes:
    """Return the target of an address that nothing of a row goes into."""
    try:
        return address.target(constants)
    except RowCannotBeSent as error:
        raise InvalidSpec(key, str(error)) from error


def _assembled(method: bytes, target: Target | bytes, body: BodyOf | None) -> Callable[[Row, bytes, str], Request]:
    """Return the function from row to request; without `body` it is the row as it is."""
    if isinstance(target, bytes):
        if body is None:
            return lambda _, row_json, key: Request(method, target, row_json, key)
        return lambda row, _, key: Request(method, target, body(row), key)
    if body is None:
        return lambda row, row_json, key: Request(method, target(row), row_json, key)
    return lambda row, _, key: Request(method, target(row), body(row), key)


def _bulk(
    spec: ApiSpec, secrets: Mapping[str, str]
) -> tuple[str, Callable[[Sequence[Row], Sequence[str]], Request] | None, tuple[str, ...]]:
    """Return the origin of bulk calls, the function from rows to one, and the columns it needs."""
    if spec.bulk is None:
        return "", None, ()
    if spec.encode == "form":
        raise InvalidSpec("encode", "a bulk call is sent as JSON, and its header would say form: leave out one of them")
    with at_key("bulk.url"):
        address = compile_address(spec.bulk.url)
    for name in address.variables:
        if name not in spec.secret_vars:
            raise InvalidSpec("bulk.url", f"{{{name}}} would be of one row, and a bulk call is for many")
    constants = {name: _secret(name, secrets) for name in address.variables}
    target = _fixed_target("bulk.url", address, constants)
    body = _expression("bulk.body", spec.bulk.body, "call")
    columns = (*body.columns, *_matched_columns(spec.bulk))
    find = finder("bulk.body", body)

    def bulk(rows: Sequence[Row], keys: Sequence[str]) -> Request:
        return Request(b"POST", target, json_body(find({"rows": list(rows), "keys": list(keys)})))

    return address.origin, bulk, columns


def _matched_columns(bulk: BulkSpec) -> tuple[str, ...]:
    return _expression("bulk.match.row", bulk.match_row).columns if bulk.match_row else ()


def _secret(name: str, secrets: Mapping[str, str]) -> str:
    try:
        return secrets[name]
    except KeyError:
        raise InvalidSpec(f"vars.{name}", "this secret is not in the configuration of this host") from None


def _expression(key: str, text: str, over: Kind = "row") -> Expression:
    with at_key(key):
        return compile_expression(text, over=over)
