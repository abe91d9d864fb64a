"""The API that is tried: what a worker would have of it, and how its requests and its rules are shown."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from activities.api.calls.posted_rows import bulk_body
from activities.api.mapping.request_text import RequestText, SecretPlace, ShownRequest
from activities.api.options import ApiOptions
from activities.api.rows import CallRow
from activities.api.transport.base import Request
from activities.api.transport.choice import transport_for
from activities.api.transport.headers import origin_of, target_of
from daemon.api_access import api_access, api_options
from daemon.batchctl.trial.recorded_calls import RecordedCalls, RecordedDescribed, RecordedPosts
from daemon.batchctl.trial.secret_places import TokenText, secret_places, token_text
from daemon.config.api_spec import api_spec_of, read_secrets
from daemon.config.configuration import Configuration
from daemon.config.settings import Settings
from workflows.api_spec import ApiSpec
from workflows.errors import SettingsError

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleText:
    """One answer rule: its number from 1, its text, and where it stands, such as `batchd.toml:14`."""

    number: int
    text: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedApi:
    """One API. `over` says which transport carries its calls and why; `bulk_size` 0 is one row a call.

    `row_request` and `bulk_request` show a call; both raise RowCannotBeSent. `calls` makes what calls it, `secrets`
    reads what must not be shown. Both raise SettingsError.
    """

    spec: ApiSpec
    options: ApiOptions
    over: str
    token: TokenText | None
    rules: tuple[RuleText, ...]
    bulk_size: int
    needed_columns: tuple[str, ...]
    row_request: Callable[[Row, CallRow], ShownRequest]
    bulk_request: Callable[[Sequence[Row], Sequence[CallRow]], ShownRequest]
    calls: Callable[[], RecordedCalls]
    secrets: Callable[[], Mapping[str, str]]


def tried_api(configuration: Configuration, name: str, environ: Mapping[str, str] = os.environ) -> TriedApi:
    """Return the API `name` of a configuration. Calls nothing, and reads no secret but that of a proxy.

    Raises:
        SettingsError: it cannot be called as it is configured.
    """
    if configuration.file is None:
        return _posted(configuration, name)
    section = configuration.apis[name]
    spec, access = api_spec_of(name, section), api_access(name, section, environ=environ)
    places = secret_places(section)
    text = RequestText(spec, access.options, places.variables, places.headers, places.proxy)

    def bulk_request(rows: Sequence[Row], calls: Sequence[CallRow]) -> ShownRequest:
        assert text.plan.bulk is not None, "an API with a bulk size has bulk calls"  # noqa: S101 - for mypy
        return text.shown(text.plan.bulk(rows, [each.key for each in calls]))

    return TriedApi(
        spec=spec,
        options=access.options,
        over=_over(access.options, text.plan.origin),
        token=token_text(section, access.options),
        rules=_rules(configuration, name),
        bulk_size=spec.bulk.size if spec.bulk else 0,
        needed_columns=text.plan.needed_columns,
        row_request=lambda row, call: text.shown(text.plan.request(row, call.body, call.key)),
        bulk_request=bulk_request,
        calls=lambda: RecordedDescribed(spec, access),
        secrets=lambda: read_secrets(section, environ),
    )


def _posted(configuration: Configuration, name: str) -> TriedApi:
    """Return the API that `BATCH_*` variables describe: each row is posted as it is."""
    settings = configuration.service
    spec = api_spec_of(name, configuration.apis[name])
    options = api_options(settings)
    text = RequestText(spec, options, headers=_token_places(settings))

    def shown(url: str, body: bytes, key: str = "") -> ShownRequest:
        origin = origin_of(url)
        return text.shown(Request(b"POST", target_of(url), body, key), f"{origin.scheme}://{origin.authority}")

    return TriedApi(
        spec=spec,
        options=options,
        over=_over(options, options.url),
        token=None,
        rules=(),
        bulk_size=options.bulk_size if options.bulk_url else 0,
        needed_columns=(),
        row_request=lambda _, call: shown(options.url, call.body, call.key),
        bulk_request=lambda _, calls: shown(options.bulk_url, bulk_body(calls)),
        calls=lambda: RecordedPosts(options),
        secrets=lambda: {"token": options.token} if options.token else {},
    )


def _token_places(settings: Settings) -> dict[str, SecretPlace]:
    if settings.api_token_file:
        return {"Authorization": SecretPlace(file=str(settings.api_token_file), before="Bearer ")}
    if settings.api_token.get_secret_value():
        return {"Authorization": SecretPlace(env="BATCH_API_TOKEN", before="Bearer ")}
    return {}


def _over(options: ApiOptions, url: str) -> str:
    try:
        return transport_for(options, url)[1]
    except ValueError as error:
        raise SettingsError(str(error)) from error


def _rules(configuration: Configuration, name: str) -> tuple[RuleText, ...]:
    assert configuration.file is not None, "rules are of a file"  # noqa: S101 - for mypy
    written = configuration.file.document["api"][name].get("answer", {}).get("rules", [])
    return tuple(
        RuleText(
            number=index + 1,
            text=_inline_table(rule),
            origin=configuration.origin(("api", name, "answer", "rules", index)),
        )
        for index, rule in enumerate(written)
    )


def _inline_table(table: Mapping[str, Any]) -> str:
    return f"{{ {', '.join(f'{key} = {json.dumps(value, ensure_ascii=False)}' for key, value in table.items())} }}"
