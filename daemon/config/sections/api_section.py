"""`[api.NAME]`: how a row becomes a request, and what an answer means."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import ConfigDict, Discriminator, Field, Tag

from daemon.config.grammar.languages import Expression, UrlTemplate
from daemon.config.grammar.quantities import CallRates, Duration
from daemon.config.grammar.section import Section, shared, tables_as
from daemon.config.secrets import ExpressionOrSecret, Secret, TextOrSecret
from daemon.config.setting_values import NamedPath
from workflows.api_spec import Method, Then

Plain: TypeAlias = str | int | float | bool


class RuleSection(Section):
    """One rule for answers: it holds where all of its conditions do, and the first that holds decides."""

    status: int | None = Field(None, ge=100, le=599, description="HTTP status that the answer must have.")
    when: Expression = Field("", description="JMESPath over the answer that must give true.")
    then: Then = Field(
        description="What the answer means: `done`, `not_found`, `retry`, `fallback`, `pause` (ask the operator) or "
        "`wait` (ask again later)."
    )
    code: str = Field(
        "",
        pattern=r"^([a-z0-9]+(_[a-z0-9]+)*)?$",
        max_length=40,
        description="With `fallback`, the row's `error`; with `pause`, the word that status shows.",
    )
    for_s: Duration | None = Field(
        None, alias="for", description="With `wait`: how long, where the API does not say; such as `1h`."
    )


class AnswerSection(Section):
    """What is made of an answer: rules first, then the table of docs/api.md."""

    take: Expression = Field("", description="JMESPath over the answer: what is kept of it; empty: the whole object.")
    fallback: dict[str, Plain] = Field({}, description="Fields that a fallback row gets.")
    rules: tuple[RuleSection, ...] = Field((), description="Rules for answers; the first that holds decides.")


class BasicSection(Section):
    """A user and a password (RFC 7617)."""

    user: str = Field(min_length=1, pattern="^[^:]*$", description="Name of the user.")
    password: Secret = Field(description="The password.")


class Oauth2Section(Section):
    """Client credentials that a token is asked for with (RFC 6749, section 4.4)."""

    token_url: UrlTemplate = Field(min_length=1, description="Address of the token endpoint.")
    client_id: TextOrSecret = Field(description="Id of this client.")
    client_secret: Secret = Field(description="Secret of this client.")
    scope: str = Field("", description="Scopes that are asked for, separated by spaces.")


class AuthSection(Section):
    """How calls are authorized: exactly one of the keys."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    bearer: Secret | None = Field(None, description="A token, sent as `Authorization: Bearer`.")
    basic: BasicSection | None = Field(None, description="A user and a password.")
    oauth2: Oauth2Section | None = Field(None, description="OAuth 2 client credentials.")


class TlsSection(Section):
    """Certificates for connections to the API."""

    ca: NamedPath | None = Field(None, description="File of the authorities that the API's certificate may come from.")
    cert: NamedPath | None = Field(None, description="File of our certificate, for APIs that ask for one.")
    key: NamedPath | None = Field(None, description="File of the key of our certificate.")


class MatchSection(Section):
    """How an answer finds its row: both expressions give the same value."""

    item: Expression = Field(min_length=1, description="JMESPath over one of the results.")
    row: Expression = Field(min_length=1, description="JMESPath over a row.")


class BulkSection(Section):
    """Many rows in one call."""

    url: UrlTemplate = Field(min_length=1, description="Address of the bulk endpoint.")
    size: int = shared("api_bulk_size")
    body: Expression = Field(min_length=1, description="JMESPath over `{rows, keys}` that gives the body.")
    results: Expression = Field(min_length=1, description="JMESPath over the answer that gives the list of results.")
    match: Annotated[
        Annotated[Literal["position"], Tag("<plain>")] | Annotated[MatchSection, Tag("<match>")],
        Discriminator(tables_as("<match>")),
    ] = Field("position", description="How results find their rows: `position`, or `{ item = ..., row = ... }`.")


class ApiSection(Section):
    """One API: its address, what is sent, what comes back, and how hard it may be pressed."""

    url: UrlTemplate = Field(
        min_length=1,
        description="RFC 6570 template of the address; a variable is a column, or one of `vars`. None in scheme, host "
        "or port.",
    )
    method: Method = Field("POST", description="Method of the request.")
    vars: dict[str, ExpressionOrSecret] = Field(
        {}, description="Further variables for the address: JMESPath over the row, or where a secret is."
    )
    headers: dict[str, TextOrSecret] = Field({}, description="Headers of every request: texts, or where a secret is.")
    body: Expression = Field(
        "", description="JMESPath over the row that gives the body; empty: the row. Not with `GET`."
    )
    encode: Literal["json", "form"] = Field("json", description="How the body is written.")
    auth: AuthSection | None = Field(None, description="How calls are authorized.")
    tls: TlsSection | None = Field(None, description="Certificates for connections to the API.")
    proxy: TextOrSecret | None = Field(
        None,
        description="Proxy for all calls; empty: none; left out: what `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY` say.",
    )
    http2: bool = Field(False, description="Call over HTTP/2 where the API speaks it, which `https://` alone can say.")
    bulk: BulkSection | None = Field(None, description="Many rows in one call.")
    timeout_s: float = shared("api_timeout_s")
    attempts: int = shared("api_attempts")
    concurrency: int = shared("api_concurrency")
    rate: CallRates = Field(
        (),
        description="Most calls in a time: `10/s`, `1000/min`, `5000/h`, `50000/day`, or a list; left out: no limit.",
    )
    max_body_bytes: int = shared("api_max_body_bytes")
    outage: Literal["wait", "fallback"] = shared("api_outage")
    max_wait: Duration = Field(
        86_400.0,
        description="Longest `Retry-After` that is honoured, such as `24h`; past 25 s batches wait without a call.",
    )
    answer: AnswerSection = Field(
        default_factory=lambda: AnswerSection.model_validate({}), description="What is made of an answer."
    )
