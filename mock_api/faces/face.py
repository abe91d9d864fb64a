"""The faces beside `/enrich`: APIs of other shapes, each a plain function from a request to an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import orjson

from mock_api.asgi import App, Receive, Scope, Send, header, json_object, read_body, respond
from mock_api.conduct import TIMEOUT_ANSWER, Conduct, misbehave

TOO_MANY = orjson.dumps({"error": "too many calls"})


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Names of headers are in lower case; of a parameter that comes twice, the last one counts."""

    path: str
    parameters: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def form(self) -> dict[str, str]:
        """Return the fields of a form body; what is no form has none."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    def json(self) -> dict[str, Any] | None:
        """Return the JSON object in the body; None where there is none."""
        return json_object(self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; `headers` are those beside the type and length of the body."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


class Face(NamedTuple):
    """One kind of call. `by_chance`: it fails by chance as often as `MOCK_API_FAILURE_RATE` says."""

    answer: Callable[[Request], Answer]
    by_chance: bool = True


class Faces:
    """Answers the faces, by method and path; everything else goes to `others`."""

    def __init__(self, faces: Mapping[tuple[str, str], Face], conduct: Conduct, others: App) -> None:
        self._faces = faces
        self._conduct = conduct
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        face = self._faces.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if face is None:
            await self._others(scope, receive, send)
            return
        request = await _request(scope, receive)
        calls = self._conduct.calls
        calls.began(header(scope, b"idempotency-key"), request.path)
        status = "aborted"
        try:
            status = await self._respond(face, request, receive, send)
        finally:
            calls.ended(status)

    async def _respond(self, face: Face, request: Request, receive: Receive, send: Send) -> str:
        conduct = self._conduct
        fault = conduct.fault_for(request.path)
        if fault is not None:
            return await misbehave(fault, receive, send)
        if face.by_chance and conduct.fails():
            return await respond(send, 500, TIMEOUT_ANSWER)
        if conduct.is_over_knee():
            return await respond(send, 429, TOO_MANY)
        answer = face.answer(request)
        await conduct.take_time()
        extra = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        return await respond(send, answer.status, orjson.dumps(answer.body), extra)


def share_of(text: str) -> float:
    """Return a number from 0 to 1 that follows from `text`: the same text gets the same answer in every run."""
    return int.from_bytes(sha256(text.encode("utf-8", "replace")).digest()[:6], "big") / 2**48


def is_miss(text: str, miss_rate: float) -> bool:
    """Return whether nothing is known of `text`: always where it holds `nobody` or `nowhere`, else for a share."""
    lower = text.lower()
    return "nobody" in lower or "nowhere" in lower or share_of(lower) < miss_rate


async def _request(scope: Scope, receive: Receive) -> Request:
    parameters = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return Request(scope["path"], parameters, headers, await read_body(receive))
