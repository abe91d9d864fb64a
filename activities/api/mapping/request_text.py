"""Requests as people read them: as they go out, and as a curl line to paste, without a secret in either.

A plan is compiled a second time with a mark in the place of each secret. So what is shown was put together by the same
code as what is sent, and needs no secret: only where each is kept.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from secrets import token_hex

from activities.api.mapping.request_headers import BODY_METHODS
from activities.api.mapping.request_plan import RequestPlan
from activities.api.transport.base import Request
from workflows.api_spec import ApiSpec


@dataclass(frozen=True, slots=True)
class SecretPlace:
    """Where a secret is kept: a file, a variable of the environment, or neither. `before` goes before it: `Bearer `."""

    file: str = ""
    env: str = ""
    before: str = ""


class RequestText:
    """Shows requests to one API. Make them with `plan`, whose secrets are marks: the API must never be called with it.

    `variables` says where the `secret_vars` of the spec are kept, `headers` the same of every header that carries a
    secret, those of the credentials too.
    """

    def __init__(
        self,
        spec: ApiSpec,
        variables: Mapping[str, SecretPlace] | None = None,
        headers: Mapping[str, SecretPlace] | None = None,
    ) -> None:
        """Compile `spec`. Raises InvalidSpec as `RequestPlan.compile` does."""
        self._kept: dict[str, SecretPlace] = {}
        self.plan = RequestPlan.compile(spec, {name: self._mark(place) for name, place in (variables or {}).items()})
        self._secret_headers = [(name, each.before + self._mark(each)) for name, each in (headers or {}).items()]
        self._pieces = re.compile("(" + "|".join(self._kept) + ")") if self._kept else re.compile("(?!)")

    def http(self, request: Request) -> str:
        """Return a request of `plan` as it goes out, secrets as `(from /path)`."""
        return self._hidden("\n".join(self._lines(request)), lambda text: text, _from)

    def curl(self, request: Request) -> str:
        """Return a request of `plan` as a curl line for a POSIX shell, secrets as `"$(cat /path)"` or `"$NAME"`."""
        method, target = request.method.decode(), request.target.decode()
        options = ["-sS"] + (["-g"] if re.search(r"[\[\]]", target) else [])
        options += ["-X", method] if method not in {"GET", "POST"} else []
        arguments = [self._quoted(self._origin(request) + target)]
        for name, value in self._headers(request):
            arguments += ["-H", self._quoted(f"{name}: {value}")]
        if method in BODY_METHODS:
            arguments += ["--data-raw", self._quoted(request.body.decode())]
        return " ".join(["curl", *options, *arguments])

    def _mark(self, place: SecretPlace) -> str:
        mark = f"secret{token_hex(8)}"
        self._kept[mark] = place
        return mark

    def _origin(self, request: Request) -> str:
        """Return where a request goes: one without a key is a bulk call."""
        return self.plan.origin if request.key or not self.plan.bulk_origin else self.plan.bulk_origin

    def _lines(self, request: Request) -> list[str]:
        lines = [f"{request.method.decode()} {request.target.decode()} HTTP/1.1"]
        lines.append(f"Host: {self._origin(request).partition('://')[2]}")
        lines += [f"{name}: {value}" for name, value in self._headers(request)]
        return [*lines, "", request.body.decode()] if request.body else lines

    def _headers(self, request: Request) -> list[tuple[str, str]]:
        headers = [*self.plan.headers, *self._secret_headers]
        if request.method.decode() in BODY_METHODS and "content-type" not in {name.lower() for name, _ in headers}:
            headers.append(("Content-Type", "application/json"))
        return [*headers, ("Idempotency-Key", request.key)] if request.key else headers

    def _quoted(self, text: str) -> str:
        return self._hidden(text, lambda piece: shlex.quote(piece) if piece else "", _shell) or "''"

    def _hidden(self, text: str, plain: Callable[[str], str], hidden: Callable[[SecretPlace], str]) -> str:
        pieces = self._pieces.split(text)
        return "".join(hidden(self._kept[each]) if each in self._kept else plain(each) for each in pieces)


def _from(place: SecretPlace) -> str:
    if place.file:
        return f"(from {place.file})"
    return f"(from ${place.env})" if place.env else "***"


def _shell(place: SecretPlace) -> str:
    if place.file:
        return f'"$(cat {shlex.quote(place.file)})"'
    return f'"${place.env}"' if place.env else "'***'"
