"""The headers that go with every call to an API: those that hold no secret."""

from __future__ import annotations

import re

from workflows.api_spec import ApiSpec, InvalidSpec

BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
"""Whose requests have a body."""

FORM = "application/x-www-form-urlencoded"

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_OUR_HEADERS = frozenset({"connection", "content-length", "idempotency-key", "transfer-encoding"})
"""Where a request ends is the transport's to say; and the key is what makes a call safe to repeat."""


def fixed_headers(spec: ApiSpec) -> tuple[tuple[str, str], ...]:
    """Return the headers of `spec`. Those with a secret are not among them: they come with the credentials.

    Raises:
        InvalidSpec: one cannot be sent; what is in it is not said.
    """
    headers = dict(spec.headers)
    seen = set[str]()
    for name in (*headers, *spec.secret_headers):
        _check_header(name, headers.get(name, ""))
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
