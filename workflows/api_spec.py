"""What shapes the result of a batch at its API: how a row becomes a request, and an answer an outcome.

Pinned when a file is claimed and carried by the workflow, so that a batch ends by the rules it began with, on every
worker. No secret is in it, not even where one is kept: a worker finds the secrets of the API `name` in its own
configuration, as it finds limits and time-outs. Source of the two languages: RFC 6570 for addresses, JMESPath
(jmespath.org) for everything else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from workflows.errors import SettingsError
from workflows.models import Shape

Method = Literal["GET", "POST", "PUT", "PATCH"]

Then = Literal["done", "not_found", "retry", "fallback", "pause", "wait"]
"""What an answer rule makes of an answer."""


class InvalidSpec(SettingsError):
    """Something in the section of an API cannot be used. `key` is where it stands there, such as `vars.name`."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key


@contextmanager
def at_key(key: str) -> Iterator[None]:
    """Say of what is wrong inside that it stands at `key`."""
    try:
        yield
    except SettingsError as error:
        raise InvalidSpec(key, str(error)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRule:
    """One rule: it holds where all of its conditions do. `status` None and `when` empty are no condition.

    `when` is a JMESPath expression over the answer. `code` is the error of a fallback row or the word of a pause.
    `wait_s` is how long `wait` waits where the API does not say.
    """

    then: Then
    status: int | None = None
    when: str = ""
    code: str = ""
    wait_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkSpec:
    """Many rows in one call.

    `body` is a JMESPath expression over `{rows, keys}`, `results` one over the answer. Answers are matched to rows by
    position where `match_item` is empty; else by what that expression finds in an answer and `match_row` in a row.
    """

    url: str
    size: int
    body: str
    results: str
    match_item: str = ""
    match_row: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSpec:
    """One API, as its section of the configuration describes it.

    `url` is an RFC 6570 template whose variables are columns or `vars`: JMESPath expressions over the row, or secrets,
    whose names are in `secret_vars`. `headers` have their values here, `secret_headers` only their names. An empty
    `body` is the row, for methods that have one. `take` picks from an answer what is kept, empty: all of it.
    `fallback` is what a fallback row gets.
    """

    name: str
    url: str
    method: Method = "POST"
    vars: dict[str, str] = field(default_factory=dict)
    secret_vars: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    secret_headers: list[str] = field(default_factory=list)
    body: str = ""
    encode: Literal["json", "form"] = "json"
    bulk: BulkSpec | None = None
    take: str = ""
    fallback: dict[str, str | int | float | bool | None] = field(default_factory=dict)
    rules: list[AnswerRule] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTerms:
    """What shapes the result of a batch, as it stood when its file was claimed.

    `feed` and `config_sha256` are empty and `api` is None where no configuration file was in use: then the settings of
    the worker say how the API is called. `schema` is the canonical JSON of a Table Schema, empty where there is none.
    """

    shape: Shape
    feed: str = ""
    api: ApiSpec | None = None
    config_sha256: str = ""
    schema: str = ""
