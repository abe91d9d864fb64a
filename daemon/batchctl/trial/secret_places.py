"""Where the secrets of an API are kept, for requests that are shown and not sent."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from activities.api.mapping.request_text import SecretPlace, certificate_options
from activities.api.options import ApiOptions
from activities.api.transport.replies import public_address
from daemon.config.secrets import Secret
from daemon.config.sections.api_section import ApiSection, AuthSection, Oauth2Section

TOKEN_VARIABLE = "TOKEN"  # noqa: S105 - the name of a shell variable
"""What curl lines call a token that has to be asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretPlaces:
    """By variable and by header; `proxy` is None where its address is no secret."""

    variables: dict[str, SecretPlace] = field(default_factory=dict)
    headers: dict[str, SecretPlace] = field(default_factory=dict)
    proxy: SecretPlace | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenText:
    """How a token is asked for: a sentence, and the line for a shell that keeps it in `$TOKEN`."""

    sentence: str
    curl: str


def secret_places(section: ApiSection) -> SecretPlaces:
    """Return where the secrets of an API are. None is read."""
    headers = {name: _place(each) for name, each in section.headers.items() if isinstance(each, Secret)}
    return SecretPlaces(
        variables={name: _place(each) for name, each in section.vars.items() if isinstance(each, Secret)},
        headers=headers | (_authorization(section.auth) if section.auth else {}),
        proxy=_place(section.proxy) if isinstance(section.proxy, Secret) else None,
    )


def token_text(section: ApiSection, options: ApiOptions) -> TokenText | None:
    """Return how a token of an API with these options is asked for, None where calls need none."""
    oauth2 = section.auth.oauth2 if section.auth else None
    if oauth2 is None:
        return None
    client_id, scope = oauth2.client_id, f", scope {oauth2.scope}" if oauth2.scope else ""
    client = client_id.origin if isinstance(client_id, Secret) else client_id
    user = _in_shell(client_id) if isinstance(client_id, Secret) else shlex.quote(client_id)
    form = ["grant_type=client_credentials", *([f"scope={oauth2.scope}"] if oauth2.scope else [])]
    fields = " ".join(f"--data-urlencode {shlex.quote(each)}" for each in form)
    address = shlex.quote(public_address(oauth2.token_url))
    who = f"-u {user}:{_in_shell(oauth2.client_secret)}"
    asked = " ".join(["curl -sS", address, *certificate_options(options), who, fields])
    return TokenText(
        sentence=f"asked for at {public_address(oauth2.token_url)} by the client {client}{scope}",
        curl=f"{TOKEN_VARIABLE}=$({asked} | jq -r .access_token)",
    )


def _authorization(auth: AuthSection) -> dict[str, SecretPlace]:
    if auth.bearer:
        return {"Authorization": _place(auth.bearer, before="Bearer ")}
    if auth.basic:
        return {"Authorization": _place(auth.basic.password, user=auth.basic.user)}
    return {"Authorization": _token(auth.oauth2)} if auth.oauth2 else {}


def _token(oauth2: Oauth2Section) -> SecretPlace:
    note = f"(a token of {public_address(oauth2.token_url)})"
    return SecretPlace(env=TOKEN_VARIABLE, before="Bearer ", note=note)


def _place(secret: Secret, *, before: str = "", user: str = "") -> SecretPlace:
    return SecretPlace(file=str(secret.file or ""), env=secret.env or "", before=before, user=user)


def _in_shell(secret: Secret) -> str:
    return f'"$(cat {shlex.quote(str(secret.file))})"' if secret.file else f'"${secret.env}"'
