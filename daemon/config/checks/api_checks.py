"""Rules for an API that are about more than one key, or about what is given as a plain value.

They see the section as it was written, so that they are checked whatever else is wrong with it.
"""

from __future__ import annotations

import re
from typing import Any

from daemon.config.checks.mistakes import Mistakes
from daemon.config.grammar.toml_lines import KeyPath
from daemon.config.secrets import REFERENCE

INSTEAD = f"write {REFERENCE}"
OWN_HEADERS = ("connection", "content-length", "host", "idempotency-key", "transfer-encoding")
_SECRET_NAME = re.compile(
    r"(^|[-_])(authorization|cookie|credentials?|pass(word|wd)?|pwd|secret|signature|token"
    r"|(api|access|auth|private|secret|subscription)[-_]?key|apikey|key)$",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(r"(basic|bearer|token|apikey)\s+\S", re.IGNORECASE)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[ -~\t]*")
_QUERY_VALUE = re.compile(r"[?&]([^=&{}]+)=[^&{}]+")


def check_api(section: dict[str, Any], base: KeyPath, mistakes: Mistakes) -> None:
    """Add what does not fit together in the section of an API."""
    _check_request(section, base, mistakes)
    _check_headers(section, base, mistakes)
    _check_addresses(section, base, mistakes)
    _check_auth(section, base, mistakes)
    _check_tls(section, base, mistakes)
    for index, rule in enumerate(_list(_table(section, "answer"), "rules")):
        if isinstance(rule, dict):
            _check_rule(rule, (*base, "answer", "rules", index), mistakes)


def _check_request(section: dict[str, Any], base: KeyPath, mistakes: Mistakes) -> None:
    if section.get("method") == "GET":
        for key in ("body", "encode"):
            if key in section:
                todo = "take it out, or set method to POST, PUT or PATCH"
                mistakes.add((*base, key), "cannot be with method GET, which has no body", todo=todo)


def _check_headers(section: dict[str, Any], base: KeyPath, mistakes: Mistakes) -> None:
    for name, value in _table(section, "headers").items():
        place = (*base, "headers", name)
        if not _HEADER_NAME.fullmatch(name):
            mistakes.add(place, "is no name of a header", todo="use letters, digits and -")
        if name.lower() in OWN_HEADERS:
            mistakes.add(place, "is set by batchd", todo="take it out")
            continue
        if name.lower() == "authorization" and "auth" in section:
            mistakes.add(place, "is there beside auth, which sets it too", todo="keep one of them")
        if isinstance(value, str) and value and _holds_secret(name, value):
            mistakes.add(place, "is given as a plain value and seems to be a secret", todo=INSTEAD)
        elif isinstance(value, str) and not _HEADER_VALUE.fullmatch(value):
            mistakes.add(place, "has characters that no header may hold", todo="use visible ASCII on one line")


def _holds_secret(name: str, value: str) -> bool:
    return bool(_SECRET_NAME.search(name) or _SECRET_VALUE.match(value))


def _check_addresses(section: dict[str, Any], base: KeyPath, mistakes: Mistakes) -> None:
    for place, owner in (((), section), (("bulk",), _table(section, "bulk"))):
        address = owner.get("url")
        for name in _QUERY_VALUE.findall(address) if isinstance(address, str) else ():
            if _SECRET_NAME.search(name):
                todo = f"write {name}={{{name}}} and set vars.{name} to {{ file = ... }} or {{ env = ... }}"
                mistakes.add((*base, *place, "url"), f"seems to hold a secret in its parameter {name}", todo=todo)
    proxy = section.get("proxy")
    if isinstance(proxy, str) and "@" in proxy:
        mistakes.add((*base, "proxy"), "holds a user or a password as a plain value", todo=INSTEAD)
    elif isinstance(proxy, str) and proxy and not re.match(r"https?://[^/\s]+/?$", proxy):
        mistakes.add((*base, "proxy"), "must be an http:// or https:// address with a host, or empty for none")


def _check_auth(section: dict[str, Any], base: KeyPath, mistakes: Mistakes) -> None:
    auth = section.get("auth")
    known = {"bearer", "basic", "oauth2"}
    if isinstance(auth, dict) and auth.keys() <= known and len(auth) != 1:
        found = "has none" if not auth else f"has {len(auth)}"
        mistakes.add((*base, "auth"), f"{found} of bearer, basic, oauth2", todo="keep exactly one")


def _check_tls(section: dict[str, Any], base: KeyPath, mistakes: Mistakes) -> None:
    tls = _table(section, "tls")
    if "key" in tls and "cert" not in tls:
        mistakes.add((*base, "tls", "key"), "is without cert", todo="set cert to the file of our certificate")


def _check_rule(rule: dict[str, Any], place: KeyPath, mistakes: Mistakes) -> None:
    if "for" in rule and rule.get("then") != "wait":
        mistakes.add((*place, "for"), 'is only for then = "wait"', todo='take it out, or set then to "wait"')
    if "code" in rule and rule.get("then") not in {"fallback", "pause"}:
        todo = "take it out, or set then to one of these"
        mistakes.add((*place, "code"), 'is only for then = "fallback" and "pause"', todo=todo)


def _table(section: dict[str, Any], key: str) -> dict[str, Any]:
    found = section.get(key)
    return found if isinstance(found, dict) else {}


def _list(section: dict[str, Any], key: str) -> list[Any]:
    found = section.get(key)
    return found if isinstance(found, list) else []
