"""What of an API's section travels with a batch, and which secrets its workers read."""

from __future__ import annotations

import os
from collections.abc import Mapping

from daemon.config.secrets import Secret
from daemon.config.sections.api_section import ApiSection, BulkSection, MatchSection, RuleSection
from daemon.config.setting_values import token
from workflows.api_spec import AnswerRule, ApiSpec, BulkSpec
from workflows.errors import SettingsError


def api_spec_of(name: str, section: ApiSection) -> ApiSpec:
    """Return what shapes the results of the API `name`: no secret, and not where one is."""
    return ApiSpec(
        name=name,
        url=section.url,
        method=section.method,
        vars=_plain(section.vars),
        secret_vars=list(_secret(section.vars)),
        headers=_plain(section.headers),
        secret_headers=list(_secret(section.headers)),
        body=section.body,
        encode=section.encode,
        bulk=_bulk_spec(section.bulk) if section.bulk else None,
        take=section.answer.take,
        fallback=dict(section.answer.fallback),
        rules=[_rule(each) for each in section.answer.rules],
    )


def secrets_of(section: ApiSection) -> dict[str, Secret]:
    """Return where every secret of an API is, by its place in the section.

    Places are `vars.NAME`, `headers.NAME`, `auth.bearer`, `auth.basic.password`, `auth.oauth2.client_id`,
    `auth.oauth2.client_secret` and `proxy`.
    """
    found: dict[str, object] = {
        **{f"vars.{name}": value for name, value in section.vars.items()},
        **{f"headers.{name}": value for name, value in section.headers.items()},
        "proxy": section.proxy,
    }
    if section.auth:
        found["auth.bearer"] = section.auth.bearer
        if section.auth.basic:
            found["auth.basic.password"] = section.auth.basic.password
        if section.auth.oauth2:
            found["auth.oauth2.client_id"] = section.auth.oauth2.client_id
            found["auth.oauth2.client_secret"] = section.auth.oauth2.client_secret
    return {place: value for place, value in found.items() if isinstance(value, Secret)}


def read_secrets(section: ApiSection, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return every secret of an API as it is now, by its place. Read them again when the API refuses one.

    Raises:
        SettingsError: one cannot be read, or is sent in a header that cannot hold it; the message never quotes it.
    """
    values = {}
    for place, secret in secrets_of(section).items():
        values[place] = secret.read(environ)
        if place.startswith("headers.") and not values[place].isascii():
            raise SettingsError(f"{place} {secret.origin} cannot be sent: it has characters outside ASCII")
        if place == "auth.bearer":
            try:
                token(values[place])
            except ValueError as error:
                raise SettingsError(f"{place} {secret.origin} cannot be sent: {error}") from None
    return values


def _plain(values: Mapping[str, str | Secret]) -> dict[str, str]:
    return {name: value for name, value in values.items() if isinstance(value, str)}


def _secret(values: Mapping[str, str | Secret]) -> dict[str, Secret]:
    return {name: value for name, value in values.items() if isinstance(value, Secret)}


def _bulk_spec(bulk: BulkSection) -> BulkSpec:
    match = bulk.match if isinstance(bulk.match, MatchSection) else None
    return BulkSpec(
        url=bulk.url,
        size=bulk.size,
        body=bulk.body,
        results=bulk.results,
        match_item=match.item if match else "",
        match_row=match.row if match else "",
    )


def _rule(rule: RuleSection) -> AnswerRule:
    return AnswerRule(then=rule.then, status=rule.status, when=rule.when, code=rule.code, wait_s=rule.for_s)
