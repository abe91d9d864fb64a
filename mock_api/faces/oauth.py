"""`POST /oauth/token` (RFC 6749 section 4.4) and `POST /secured/enrich`, which takes its tokens and no others."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable
from time import monotonic
from urllib.parse import unquote_plus

from mock_api.enriching import enriched
from mock_api.faces.account import Account
from mock_api.faces.face import Answer, Face, Request

NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}
BEARER_WANTED = {"www-authenticate": 'Bearer realm="mock"'}
TOKEN_WRONG = {"www-authenticate": 'Bearer realm="mock", error="invalid_token"'}


class OAuth:
    """The tokens that were given out and have not ended. Each is good until its own end, whatever comes after it."""

    def __init__(self, account: Account, clock: Callable[[], float] = monotonic) -> None:
        self._account = account
        self._clock = clock
        self._ends: dict[str, float] = {}

    def faces(self) -> dict[tuple[str, str], Face]:
        """Return the faces by method and path."""
        return {
            ("POST", "/oauth/token"): Face(self.give_token, by_chance=False),
            ("POST", "/secured/enrich"): Face(self.enrich),
        }

    def revoke_all(self) -> None:
        """Accept none of the tokens that were given out any more."""
        self._ends.clear()

    def give_token(self, request: Request) -> Answer:
        """Answer a request for a token; the client's credentials are in Basic or in the body, never in both."""
        form = request.form()
        basic = request.headers.get("authorization", "")
        if basic and "client_secret" in form:
            return _refused(400, "invalid_request", "the client uses more than one way to authenticate")
        who = _basic(basic) if basic else (form.get("client_id", ""), form.get("client_secret", ""))
        if who != (self._account.client_id, self._account.client_secret):
            return _refused(401, "invalid_client", "client authentication failed")
        if form.get("grant_type") != "client_credentials":
            return _refused(400, "unsupported_grant_type", "only client_credentials is supported")
        return Answer(200, self._new_token(form.get("scope", "")), NO_STORE)

    def enrich(self, request: Request) -> Answer:
        """Answer as `/enrich` does, to who holds a token that has not ended."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return Answer(401, {"error": "a bearer token is needed"}, BEARER_WANTED)
        if self._ends.get(token, 0.0) <= self._clock():
            return Answer(401, {"error": "the token is unknown or has ended"}, TOKEN_WRONG)
        row = request.json()
        return Answer(200, enriched(row)) if row is not None else Answer(422, {"error": "the body must be an object"})

    def _new_token(self, scope: str) -> dict[str, str | int]:
        now, expires_in_s = self._clock(), self._account.token_expires_in_s
        self._ends = {token: end for token, end in self._ends.items() if end > now}
        token = secrets.token_urlsafe(24)
        self._ends[token] = now + expires_in_s
        answer: dict[str, str | int] = {"access_token": token, "token_type": "Bearer", "expires_in": expires_in_s}
        return {**answer, "scope": scope} if scope else answer


def _basic(authorization: str) -> tuple[str, str]:
    """Return client and secret; both are form-encoded in what Basic carries (RFC 6749 section 2.3.1)."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        client, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return (unquote_plus(client), unquote_plus(secret)) if scheme.lower() == "basic" else ("", "")


def _refused(status: int, error: str, description: str) -> Answer:
    headers = {**NO_STORE, **({"www-authenticate": 'Basic realm="mock"'} if status == 401 else {})}  # noqa: PLR2004
    return Answer(status, {"error": error, "error_description": description}, headers)
