"""Requests as people read them: as they go out, and as a curl line to paste, without a secret in either.

A plan is compiled a second time with a mark in the place of each secret. So what is shown was put together by the same
code as what is sent, and no secret is ever looked for in a text.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from secrets import token_hex

from activities.api.mapping.request_headers import BODY_METHODS, Secret, Secrets
from activities.api.mapping.request_plan import Outgoing, RequestPlan
from workflows.api_spec import ApiSpec


class RequestText:
    """Shows requests to one API. Make them with `plan`, whose secrets are marks: it must never be called with."""

    def __init__(self, spec: ApiSpec, secrets: Secrets | None = None) -> None:
        """Compile `spec`. Raises InvalidSpec as `RequestPlan.compile` does."""
        secrets = secrets or Secrets()
        self._kept: dict[str, Secret] = {}
        self.plan = RequestPlan.compile(spec, Secrets(self._marked(secrets.vars), self._marked(secrets.headers)))
        self._pieces = re.compile("(" + "|".join(self._kept) + ")") if self._kept else re.compile("(?!)")

    def http(self, outgoing: Outgoing) -> str:
        """Return a request of `plan` as it goes out, secrets as `(from /path)`."""
        return self._hidden("\n".join(self._lines(outgoing)), lambda text: text, _from)

    def curl(self, outgoing: Outgoing) -> str:
        """Return a request of `plan` as a curl line for a POSIX shell, secrets as `"$(cat /path)"` or `"$NAME"`."""
        method, target = outgoing.method.decode(), outgoing.target.decode()
        options = ["-sS"] + (["-g"] if re.search(r"[\[\]]", target) else [])
        options += ["-X", method] if method not in {"GET", "POST"} else []
        arguments = [self._quoted(self._origin(outgoing) + target)]
        for name, value in self._headers(outgoing):
            arguments += ["-H", self._quoted(f"{name}: {value}")]
        if method in BODY_METHODS:
            arguments += ["--data-raw", self._quoted(outgoing.body.decode())]
        return " ".join(["curl", *options, *arguments])

    def _marked(self, secrets: Mapping[str, Secret]) -> dict[str, Secret]:
        marked = {}
        for name, secret in secrets.items():
            mark = f"secret{token_hex(8)}"
            self._kept[mark] = secret
            marked[name] = replace(secret, value=mark)
        return marked

    def _origin(self, outgoing: Outgoing) -> str:
        """Return where a request goes: one without a key is a bulk call."""
        return self.plan.origin if outgoing.key or not self.plan.bulk_origin else self.plan.bulk_origin

    def _lines(self, outgoing: Outgoing) -> list[str]:
        lines = [f"{outgoing.method.decode()} {outgoing.target.decode()} HTTP/1.1"]
        lines.append(f"Host: {self._origin(outgoing).partition('://')[2]}")
        lines += [f"{name}: {value}" for name, value in self._headers(outgoing)]
        return [*lines, "", outgoing.body.decode()] if outgoing.body else lines

    def _headers(self, outgoing: Outgoing) -> list[tuple[str, str]]:
        headers = list(self.plan.headers)
        if outgoing.method.decode() in BODY_METHODS and "content-type" not in {name.lower() for name, _ in headers}:
            headers.append(("Content-Type", "application/json"))
        return [*headers, ("Idempotency-Key", outgoing.key)] if outgoing.key else headers

    def _quoted(self, text: str) -> str:
        return self._hidden(text, lambda piece: shlex.quote(piece) if piece else "", _shell) or "''"

    def _hidden(self, text: str, plain: Callable[[str], str], hidden: Callable[[Secret], str]) -> str:
        pieces = self._pieces.split(text)
        return "".join(hidden(self._kept[each]) if each in self._kept else plain(each) for each in pieces)


def _from(secret: Secret) -> str:
    if secret.file:
        return f"(from {secret.file})"
    return f"(from ${secret.env})" if secret.env else "***"


def _shell(secret: Secret) -> str:
    if secret.file:
        return f'"$(cat {shlex.quote(secret.file)})"'
    return f'"${secret.env}"' if secret.env else "'***'"
