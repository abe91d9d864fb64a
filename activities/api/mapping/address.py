"""The address of an API: a fixed origin, and a template for what a request line says after it.

Scheme, host and port are cut off before anything of a row is put in, so that no cell can change where a call goes. Nor
can one climb out of its path: `..` means something to servers and proxies however it is encoded, so a row that would
make such a segment is not sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from activities.api.mapping.uri_template import Expand, compile_template
from workflows.errors import BatchdError, SettingsError

Target = Callable[[Mapping[str, Any]], bytes]
"""Takes the values of the variables and returns path and query. Raises RowCannotBeSent."""


class RowCannotBeSent(BatchdError):
    """No request can be made of a row: it becomes a fallback row with this code, and no call is made."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Address(NamedTuple):
    """`origin` is scheme, host and port; `fixed` the target where no variable is in it."""

    origin: str
    variables: tuple[str, ...]
    target: Target
    fixed: bytes | None


_PARTS = re.compile(r"(?P<scheme>[^:/?#{]*)://(?P<authority>[^/?#{]*)(?P<rest>.*)", re.DOTALL)
_AUTHORITY = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")
_DOT_SEGMENT = re.compile(r"/(?:\.|%2[eE]){1,2}(?=[/?]|$)")
_MOST_PORT = 65_535


def compile_address(url: str) -> Address:
    """Return `url`, an RFC 6570 template, compiled; an empty value falls away.

    Raises:
        SettingsError: it is no address, or has a variable, or what has no place there, before its path.
    """
    template = compile_template(url)
    origin, rest = _parts(url)
    leading = "" if rest.startswith(("/", "{/")) else "/"
    expand = compile_template(leading + rest).expand
    if not template.variables:
        fixed = expand({}).encode()
        return Address(origin, (), lambda _: fixed, fixed)
    free = "{+" in rest or rest.startswith("{/")
    return Address(origin, template.variables, _any_target(expand) if free else _plain_target(expand), None)


def _parts(url: str) -> tuple[str, str]:
    """Return origin and the rest of an address."""
    parts = _PARTS.fullmatch(url)
    scheme = parts["scheme"].lower() if parts else ""
    if parts is None or scheme not in {"http", "https"}:
        why = "scheme and host never come from a row" if "{" in url.partition("/")[0] else f"not so {url}"
        raise SettingsError(f"the address must begin with http:// or https://; {why}")
    authority, rest = parts["authority"], parts["rest"]
    if rest.startswith("{") and rest[1:2] not in {"/", "?"}:
        raise SettingsError(
            f"a variable in the host part of {url}: host and port never come from a row; a path begins with /"
        )
    if "@" in authority:
        raise SettingsError("user and password have no place in an address: give them in auth")
    found = _AUTHORITY.fullmatch(authority)
    if found is None or not 0 < int(found["port"] or 1) <= _MOST_PORT:
        raise SettingsError(f"{authority!r} is no host, or host and port (a name beyond ASCII: in its xn-- form)")
    if rest.startswith("//"):
        raise SettingsError(f"{url} has // before its path, where a host may stand: write one /")
    if "#" in rest:
        raise SettingsError(f"a fragment (#) is never sent to a server: leave it out of {url}")
    if _DOT_SEGMENT.search(rest.partition("?")[0]):
        raise SettingsError(f"a segment . or .. in the path of {url}: write the path that it leads to")
    return f"{scheme}://{authority}", rest


def _plain_target(expand: Expand) -> Target:
    """Return the function for a template that puts in nothing but encoded text."""

    def target(values: Mapping[str, Any]) -> bytes:
        text = _expanded(expand, values)
        if "/." in text:
            _check(text)
        return text.encode()

    return target


def _any_target(expand: Expand) -> Target:
    """Return the function for a template that lets reserved characters through, or whose path may fall away."""

    def target(values: Mapping[str, Any]) -> bytes:
        text = _expanded(expand, values)
        if not text.startswith("/"):
            text = "/" + text
        if text.startswith("//"):
            raise RowCannotBeSent("bad_request", "the address would hold // before its path, where a host may stand")
        _check(text)
        return text.encode()

    return target


def _expanded(expand: Expand, values: Mapping[str, Any]) -> str:
    try:
        return expand(values)
    except ValueError as error:
        raise RowCannotBeSent("bad_request", "the address would hold half a character (a surrogate)") from error


def _check(target: str) -> None:
    if _DOT_SEGMENT.search(target.partition("?")[0]):
        raise RowCannotBeSent("bad_request", "the address would hold a segment . or .. in its path")
    if "#" in target:
        raise RowCannotBeSent("bad_request", "the address would hold a fragment (#), which is never sent to a server")
