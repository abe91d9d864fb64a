"""Secrets: a configuration says where one is, never what it is."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from daemon.config.grammar.languages import Expression
from daemon.config.grammar.section import Section, tables_as
from daemon.config.setting_values import SecretPath
from workflows.errors import SettingsError

REFERENCE = '{ file = "/path" } or { env = "NAME" }'
"""What the file has in the place of a secret."""

MAX_FILE_BYTES = 65_536
"""A secret is short; a file named by mistake is not read to its end."""


class Secret(Section):
    """Where a secret is. It is read when it is used, and again when the API refuses it, so a new one takes hold."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    file: SecretPath | None = Field(
        None,
        description="File that holds the secret, on one line; `$CREDENTIALS_DIRECTORY/NAME` is a credential "
        "of systemd.",
    )
    env: str | None = Field(None, min_length=1, description="Name of the environment variable that holds the secret.")

    @model_validator(mode="after")
    def _only_one(self) -> Self:
        if (self.file is None) == (self.env is None):
            raise ValueError(f"must be {REFERENCE}")
        return self

    @property
    def origin(self) -> str:
        """Where it comes from, as people are shown it."""
        return f"(from {self.file})" if self.file else f"(from ${self.env})"

    def __repr__(self) -> str:
        return f"Secret{self.origin}"

    __str__ = __repr__

    def read(self, environ: Mapping[str, str] = os.environ) -> str:
        """Return the secret as it is now, without a line break at its end.

        Raises:
            SettingsError: it cannot be read, is empty, or holds a line break or another control character. The message
                never quotes it.
        """
        content = self._from_file(self.file) if self.file else self._from_variable(environ)
        try:
            text = content.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise self._wrong("is no text in UTF-8") from None
        if not text.strip():
            raise self._wrong("is empty; it must hold the secret on one line")
        if "\n" in text or "\r" in text:
            raise self._wrong("holds more than one line; it must hold the secret on one line and nothing else")
        if not text.isprintable():
            raise self._wrong("holds control characters; it must hold the secret and nothing else")
        return text

    def warning(self) -> str:
        """Return what to say where everybody on this host can read the file; empty where all is well."""
        try:
            mode = self.file.stat().st_mode if self.file else 0
        except OSError:
            return ""  # `read` says so
        if mode & stat.S_IROTH:
            return f"{self.file} can be read by every user of this host; chmod 600 it, or 640 for a group"
        return ""

    def _from_file(self, path: Path) -> bytes:
        try:
            with path.open("rb") as file:
                content = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise self._wrong(f"cannot be read: {error.strerror}") from error
        if len(content) > MAX_FILE_BYTES:
            raise self._wrong(f"is too long for a secret; at most {MAX_FILE_BYTES:,} bytes are read")
        return content

    def _from_variable(self, environ: Mapping[str, str]) -> bytes:
        name = str(self.env)
        if name not in environ:
            raise self._wrong("is not set")
        return os.fsencode(environ[name])

    def _wrong(self, what: str) -> SettingsError:
        return SettingsError(f"secret {self.file or f'${self.env}'} {what}")


TextOrSecret = Annotated[
    Annotated[str, Tag("<plain>")] | Annotated[Secret, Tag("<secret>")], Discriminator(tables_as("<secret>"))
]
"""A plain text, or where a secret is."""

ExpressionOrSecret = Annotated[
    Annotated[Expression, Tag("<plain>")] | Annotated[Secret, Tag("<secret>")], Discriminator(tables_as("<secret>"))
]
"""JMESPath, or where a secret is."""
