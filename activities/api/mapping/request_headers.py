"""The headers that go with every call to an API, and the secrets in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from workflows.api_spec import ApiSpec, InvalidSpec

BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
"""Whose requests have a body."""

FORM = "application/x-www-form-urlencoded"

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_OUR_HEADERS = frozenset({"connection", "content-length", "idempotency-key", "transfer-encoding"})
"""Where a request ends is the transport's to say; and the key is what makes a call safe to repeat."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret, and where it is kept: a file, or a variable of the environment. `before` goes before it: `Bearer `."""

    value: str = field(repr=False)
    file: str = ""
    env: str = ""
    before: str = ""


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets of one API, by the names that `secret_vars` and `secret_headers` of its spec have."""

    vars: Mapping[str, Secret] = field(default_factory=dict)
    headers: Mapping[str, Secret] = field(default_factory=dict)


def fixed_headers(spec: ApiSpec, secrets: Secrets) -> tuple[tuple[str, str], ...]:
    """Return the headers of `spec`, secrets put in.

    Raises:
        InvalidSpec: one cannot be sent; what is in it is not said.
    """
    headers = dict(spec.headers)
    for name in spec.secret_headers:
        secret = secret_of(f"headers.{name}", secrets.headers, name)
        headers[name] = secret.before + secret.value
    seen = set[str]()
    for name, value in headers.items():
        _check_header(name, value)
        if name.lower() in seen:
            raise InvalidSpec(f"headers.{name}", "it is given twice: case makes no difference in names of headers")
        seen.add(name.lower())
    if spec.encode == "form" and spec.method in BODY_METHODS and "content-type" not in seen:
        headers["Content-Type"] = FORM
    return tuple(headers.items())


def _check_header(name: str, value: str) -> None:
    """Refuse a header that cannot be sent, without saying what is in it."""
    key = f"headers.{name}"
    if not _HEADER_NAME.fullmatch(name):
        raise InvalidSpec(key, f"{name!r} cannot be the name of a header")
    if name.lower() in _OUR_HEADERS:
        raise InvalidSpec(key, "it is set by batchd itself: leave it out")
    if _CONTROL.search(value):
        raise InvalidSpec(key, "its value holds a line break or another control character")
    try:
        value.encode("latin-1")
    except UnicodeEncodeError as error:
        raise InvalidSpec(key, "its value holds characters that a header cannot (beyond Latin-1)") from error


def secret_of(key: str, secrets: Mapping[str, Secret], name: str) -> Secret:
    """Return the secret `name`.

    Raises:
        InvalidSpec: this host has none of that name.
    """
    try:
        return secrets[name]
    except KeyError:
        raise InvalidSpec(key, "this secret is not in the configuration of this host") from None
