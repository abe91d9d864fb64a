"""The headers of a request, the same ones over every transport, and the address in parts."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from activities.api.options import ApiOptions

BODY_METHODS = frozenset({b"POST", b"PUT", b"PATCH"})
"""Whose requests have a body, be it an empty one (RFC 9110 section 8.6)."""

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""What names are made of (RFC 9110 section 5.6.2)."""

TRACEPARENT = "traceparent"
"""Which trace a call belongs to (W3C Trace Context)."""

FRAMING = frozenset({"connection", "content-length", "transfer-encoding"})
"""Headers that say where a request ends. They are the transport's own: anything else could smuggle a second one in."""


class Origin(NamedTuple):
    """Where an API is. `authority` is the host as the Host header names it, with the port where the address has one."""

    scheme: str
    host: str
    port: int
    authority: str


def origin_of(url: str) -> Origin:
    """Return where `url` is; user and password fall away."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Origin(parts.scheme, parts.hostname or "", port, parts.netloc.rpartition("@")[2])


def target_of(url: str) -> bytes:
    """Return what a request line says of `url`: path and query."""
    parts = urlsplit(url)
    target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
    return _one_line("the address of the API", target)


def fixed_headers(url: str, options: ApiOptions) -> list[tuple[str, str]]:
    """Return the headers that go with every call to `url`, those of `options` in place of ours of the same name."""
    ours = [
        ("Host", origin_of(url).authority),
        ("User-Agent", options.user_agent),
        ("Content-Type", "application/json"),
        ("Accept", "application/json"),
        # A compressed body could be a bomb; rows are small.
        ("Accept-Encoding", "gzip" if options.gzip else "identity"),
    ]
    if options.token:
        ours.append(("Authorization", f"Bearer {options.token}"))
    theirs = {name.lower() for name, _ in options.headers}
    return [*(each for each in ours if each[0].lower() not in theirs), *options.headers]


def without_body(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the headers of a request that has no body, and so no type of it."""
    return [each for each in headers if each[0].lower() != "content-type"]


def traced_headers(
    headers: tuple[tuple[str, str], ...], traceparent: str, fixed: tuple[tuple[str, str], ...] = ()
) -> tuple[tuple[str, str], ...]:
    """Return the headers of one call with that of its trace, unless they or the `fixed` ones have one of their own."""
    if any(name.lower() == TRACEPARENT for name, _ in (*headers, *fixed)):
        return headers
    return (*headers, (TRACEPARENT, traceparent))


def raw_headers(headers: list[tuple[str, str]] | tuple[tuple[str, str], ...]) -> list[tuple[bytes, bytes]]:
    """Return headers as they go out.

    Raises:
        ValueError: one holds a line break, or says where the request ends.
    """
    for name, _ in headers:
        if not TOKEN.fullmatch(name):
            raise ValueError(f"{name!r} cannot be the name of a header")
        if name.lower() in FRAMING:
            raise ValueError(f"the header {name} is set by batchd itself: leave it out")
    return [(name.encode("ascii"), _one_line(f"the header {name}", value)) for name, value in headers]


def header_lines(headers: list[tuple[str, str]] | tuple[tuple[str, str], ...]) -> bytes:
    """Return headers as lines of HTTP/1.1, see `raw_headers`."""
    return b"".join(b"%b: %b\r\n" % each for each in raw_headers(headers))


def _one_line(what: str, text: str) -> bytes:
    if any(each in text for each in "\r\n\0"):
        raise ValueError(f"{what} must not hold line breaks")
    return text.encode("latin-1")
