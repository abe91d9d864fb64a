"""Requests as people read them: as they go out, and as a curl line to paste, without a secret in either.

A plan is compiled a second time with a mark in the place of each secret. So what is shown was put together by the same
code as what is sent, and needs no secret: only where each is kept.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from secrets import token_hex

from activities.api.mapping.request_headers import BODY_METHODS
from activities.api.mapping.request_plan import RequestPlan
from activities.api.options import ApiOptions
from activities.api.transport.base import Request
from activities.api.transport.headers import fixed_headers, without_body
from activities.api.transport.proxies import proxy_for
from activities.api.transport.replies import public_address
from workflows.api_spec import ApiSpec

_CURLS_OWN = frozenset({"host", "content-length", "user-agent", "accept-encoding"})
"""Headers that curl sets itself, or has an option for."""


@dataclass(frozen=True, slots=True)
class SecretPlace:
    """Where a secret is kept: a file, a variable of the environment, or neither.

    `before` goes before it: `Bearer `. With `user` it is the password of basic credentials. `note` is shown in its
    place where that says more.
    """

    file: str = ""
    env: str = ""
    before: str = ""
    user: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class ShownRequest:
    """A request as people read it: the whole address, every header in its order, and the parts of a curl line."""

    method: str
    address: str
    headers: tuple[tuple[str, str], ...]
    body: str
    curl: tuple[str, ...]


def certificate_options(options: ApiOptions) -> list[str]:
    """Return the options by which curl trusts and proves what calls with `options` do."""
    files = {"--cacert": options.ca_file, "--cert": options.cert_file, "--key": options.key_file}
    return [f"{name} {shlex.quote(path)}" for name, path in files.items() if path]


class RequestText:
    """Shows requests to one API. Make them with `plan`, whose secrets are marks: the API must never be called with it.

    `variables` says where the `secret_vars` of the spec are kept, `headers` the same of every header that carries a
    secret, those of the credentials too, `proxy` where the address of the proxy is, if that is a secret.
    """

    def __init__(
        self,
        spec: ApiSpec,
        options: ApiOptions,
        variables: Mapping[str, SecretPlace] | None = None,
        headers: Mapping[str, SecretPlace] | None = None,
        proxy: SecretPlace | None = None,
    ) -> None:
        """Compile `spec`. Raises InvalidSpec as `RequestPlan.compile` does."""
        self._kept: dict[str, SecretPlace] = {}
        self._options = options
        self._proxy = self._mark(proxy) if proxy else ""
        self.plan = RequestPlan.compile(spec, {name: self._mark(place) for name, place in (variables or {}).items()})
        self._secret_headers = [(name, each, self._mark(each)) for name, each in (headers or {}).items()]
        self._pieces = re.compile("(" + "|".join(self._kept) + ")") if self._kept else re.compile("(?!)")

    def shown(self, request: Request, origin: str = "") -> ShownRequest:
        """Return a request of `plan` without its secrets; `origin` is where it goes, left out: where the plan says."""
        origin = origin or self._origin(request)
        return ShownRequest(
            method=request.method.decode(),
            address=self._from(f"{origin}{request.target.decode()}"),
            headers=tuple((name, self._from(value)) for name, value in self._headers(request, origin)),
            body=self._from(request.body.decode()),
            curl=tuple(self._curl(request, origin)),
        )

    def http(self, request: Request) -> str:
        """Return a request of `plan` as it goes out, secrets as `(from /path)`."""
        shown, origin = self.shown(request), self._origin(request)
        lines = [f"{shown.method} {shown.address.removeprefix(origin)} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in shown.headers]
        return "\n".join([*lines, "", shown.body] if shown.body else lines)

    def curl(self, request: Request) -> str:
        """Return a request of `plan` as a curl line for a POSIX shell, secrets as `"$(cat /path)"` or `"$NAME"`."""
        return " ".join(self.shown(request).curl)

    def _curl(self, request: Request, origin: str) -> list[str]:
        method, target = request.method.decode(), request.target.decode()
        options = " -g" if re.search(r"[\[\]{}]", target) else ""
        options += f" -X {method}" if method not in {"GET", "POST"} else ""
        parts = [f"curl -sS{options} {self._quoted(origin + target)}", *self._connection(origin)]
        for name, value in self._headers(request, origin):
            if name.lower() == "user-agent":
                parts.append(f"-A {self._quoted(value)}")
            elif name.lower() not in _CURLS_OWN and not self._is_basic(name):
                parts.append(f"-H {self._quoted(f'{name}: {value}')}")
        parts += [f"-u {self._quoted(f'{place.user}:{mark}')}" for _, place, mark in self._secret_headers if place.user]
        if method in BODY_METHODS:
            parts.append(f"--data-raw {self._quoted(request.body.decode())}")
        return parts

    def _connection(self, origin: str) -> list[str]:
        """Return what curl is told of certificates and the proxy; it finds one in the environment as batchd does."""
        options = self._options
        parts = certificate_options(options)
        if options.proxy:
            parts.append(f"-x {self._quoted(self._proxy or public_address(proxy_for(origin, options)[0]))}")
        elif options.proxy == "" and proxy_for(origin, replace(options, proxy=None))[0]:
            parts.append("--noproxy '*'")
        return parts

    def _mark(self, place: SecretPlace) -> str:
        mark = f"secret{token_hex(8)}"
        self._kept[mark] = place
        return mark

    def _is_basic(self, header: str) -> bool:
        return any(name == header and place.user for name, place, _ in self._secret_headers)

    def _origin(self, request: Request) -> str:
        """Return where a request goes: one without a key is a bulk call."""
        return self.plan.origin if request.key or not self.plan.bulk_origin else self.plan.bulk_origin

    def _headers(self, request: Request, origin: str) -> list[tuple[str, str]]:
        """Return all headers in the order in which a transport sends them."""
        with_body = bool(request.body) or request.method.decode() in BODY_METHODS
        headers = fixed_headers(f"{origin}/", replace(self._options, token="", headers=self.plan.headers))
        headers = headers if with_body else without_body(headers)
        headers += [("Idempotency-Key", request.key)] if request.key else []
        headers += [(name, place.before + mark) for name, place, mark in self._secret_headers]
        return [*headers, ("Content-Length", str(len(request.body)))] if with_body else headers

    def _from(self, text: str) -> str:
        return self._hidden(text, lambda piece: piece, _from)

    def _quoted(self, text: str) -> str:
        return self._hidden(text, lambda piece: shlex.quote(piece) if piece else "", _shell) or "''"

    def _hidden(self, text: str, plain: Callable[[str], str], hidden: Callable[[SecretPlace], str]) -> str:
        pieces = self._pieces.split(text)
        return "".join(hidden(self._kept[each]) if each in self._kept else plain(each) for each in pieces)


def _from(place: SecretPlace) -> str:
    if place.note:
        return place.note
    where = f"from {place.file}" if place.file else f"from ${place.env}" if place.env else ""
    if not where:
        return "***"
    return f"(user {place.user}, password {where})" if place.user else f"({where})"


def _shell(place: SecretPlace) -> str:
    if place.file:
        return f'"$(cat {shlex.quote(place.file)})"'
    return f'"${place.env}"' if place.env else "'***'"
