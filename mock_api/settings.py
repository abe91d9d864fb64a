"""The mock's own settings, `MOCK_API_*`; the defaults are those of the service it stands in for."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class BadSettings(Exception):
    """A setting is wrong; the message names it."""


class MockSettings(BaseSettings):
    """How the mock behaves. Latencies in milliseconds."""

    model_config = SettingsConfigDict(env_prefix="MOCK_API_", frozen=True, env_ignore_empty=True)

    host: str = "127.0.0.1"
    port: int = Field(3001, ge=0, le=65_535, description="0: any that is free; the first line says which.")
    failure_rate: float = Field(0.1, ge=0, le=1)
    latency_min_ms: float = Field(200, ge=0, le=3_600_000)
    latency_max_ms: float = Field(500, ge=0, le=3_600_000)
    seed: int | None = None
    knee: int = Field(0, ge=0, description="Calls at once beyond which it slows down or rejects; 0: none.")
    knee_kind: Literal["slow", "reject"] = "slow"
    key: str = Field("", description="The key that faces with one accept; empty: any.")
    credits: int | None = Field(None, ge=0, description="Matches of people that are paid for; empty: no end.")
    quota: int | None = Field(None, ge=0, description="Calls of the geocoder that are answered; empty: no end.")
    miss_rate: float = Field(0.1, ge=0, le=1, description="The share of people and addresses that are not known.")
    client_id: str = "batchd"
    client_secret: str = "mock-secret"  # noqa: S105 - the mock's own, and documented
    token_expires_in_s: int = Field(3_600, ge=1, le=31_536_000)

    @model_validator(mode="after")
    def _latencies_in_order(self) -> Self:
        if self.latency_max_ms < self.latency_min_ms:
            raise ValueError("MOCK_API_LATENCY_MAX_MS is below MOCK_API_LATENCY_MIN_MS")
        return self


def load_mock_settings() -> MockSettings:
    """Read the settings from the environment.

    Raises:
        BadSettings: a value is wrong; the message names it.
    """
    try:
        return MockSettings()  # type: ignore[call-arg]  # the environment fills it
    except ValidationError as error:
        errors = [(".".join(str(part) for part in each["loc"]), each["msg"]) for each in error.errors()]
        texts = [f"MOCK_API_{name.upper()}: {message}" if name else message for name, message in errors]
        raise BadSettings("; ".join(texts)) from error
