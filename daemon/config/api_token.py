"""The bearer token of the API, from its file or its variable."""

from __future__ import annotations

from pathlib import Path

from daemon.config.setting_values import token
from daemon.config.settings import Settings
from workflows.errors import SettingsError

MAX_FILE_BYTES = 65_536
"""A token is short; a file named by mistake is not read to its end."""


def api_token(settings: Settings) -> str:
    """Return the token that calls of the API carry; empty where none is set. The file goes before the variable.

    Raises:
        SettingsError: the file cannot be read, or holds what is no token; the message never quotes it.
    """
    if settings.api_token_file is None:
        return settings.api_token.get_secret_value()
    path = settings.api_token_file
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror}") from error
    if len(content) > MAX_FILE_BYTES:
        raise _wrong(path, f"is too long for a token; at most {MAX_FILE_BYTES:,} bytes are read")
    return _only_token(path, content.strip().splitlines())


def _only_token(path: Path, lines: list[bytes]) -> str:
    if len(lines) != 1:
        found = f"holds {len(lines)} lines" if lines else "is empty"
        raise _wrong(path, f"{found}; it must hold the token on one line and nothing else")
    try:
        return token(lines[0].decode("ascii"))
    except UnicodeDecodeError:
        raise _wrong(path, "holds characters outside ASCII; the token must be visible ASCII characters") from None
    except ValueError as error:
        raise _wrong(path, f"cannot be used: {error}") from None


def _wrong(path: Path, what: str) -> SettingsError:
    return SettingsError(f"BATCH_API_TOKEN_FILE: {path} {what}")
