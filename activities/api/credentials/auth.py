"""What calls carry to be let in: secrets in headers, read anew when the API refuses them.

A call asks `headers()`, which costs an attribute and never waits; None says that `fetch()` must be awaited first. When
the API answers 401, `refused(used)` says whether something changed, so that the call is worth making once more. Tokens
that must be asked for are in `activities.api.credentials.oauth`.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Sequence
from typing import Protocol

from workflows.errors import BatchdError, SettingsError, TransientError

Headers = tuple[tuple[str, str], ...]
"""Names and values, in the order in which they go out."""

ReadSecret = Callable[[], str]
"""Reads a secret where it is kept. Blocking. Raises SettingsError or OSError where it cannot be read."""


class CredentialsRefused(BatchdError):
    """The API, or who gives out its tokens, does not accept the credentials; the batch pauses until they are right."""


class CredentialsUnavailable(TransientError):
    """Who gives out the tokens is down: wait as in an outage. `retry_after_s`: when it is asked again."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Credentials(Protocol):
    """What all calls of one API carry, in one worker process."""

    def headers(self) -> Headers | None:
        """Return what a call carries now; None where `fetch` must be awaited first."""

    async def fetch(self) -> None:
        """Make `headers` return something. Many may wait at once; the work is done once.

        Raises:
            CredentialsRefused: they cannot be read, or are not accepted.
            CredentialsUnavailable: who gives them out does not answer.
        """

    async def refused(self, used: Headers) -> bool:
        """Take note that a call with the headers `used` was answered 401; return whether to make it once more.

        Raises:
            CredentialsRefused, CredentialsUnavailable: as `fetch`.
        """

    def renew(self) -> bool:
        """Read the secrets again and return whether one has changed. Blocking.

        Raises:
            CredentialsRefused: one cannot be read.
        """

    def close(self) -> None:
        """End what is under way."""


class NoCredentials:
    """Calls carry nothing."""

    def headers(self) -> Headers:
        """Return nothing."""
        return ()

    async def fetch(self) -> None:
        """Do nothing."""

    async def refused(self, used: Headers) -> bool:  # noqa: ARG002 - the protocol's
        """Return False."""
        return False

    def renew(self) -> bool:
        """Return False."""
        return False

    def close(self) -> None:
        """Do nothing."""


class SecretHeader:
    """One header with a secret in it. `value_of` makes the value of the header from the secret."""

    def __init__(self, name: str, read: ReadSecret, value_of: Callable[[str], str] = str) -> None:
        self._name = name
        self._read = read
        self._value_of = value_of
        self._headers: Headers | None = None

    def headers(self) -> Headers | None:
        """Return the header as it was read last."""
        return self._headers

    async def fetch(self) -> None:
        """Read the secret."""
        await asyncio.to_thread(self.renew)

    async def refused(self, used: Headers) -> bool:
        """Read the secret again, unless that happened since the call was made; return whether it is another one."""
        if self._headers is None or self._headers[0] in used:
            await asyncio.to_thread(self.renew)
        return self._headers is not None and self._headers[0] not in used

    def renew(self) -> bool:
        """Read the secret again and return whether it has changed."""
        value = self._value_of(read_secret(self._read, f"the header {self._name}"))
        if not is_header_value(value):
            raise CredentialsRefused(
                f"the secret of the header {self._name} holds a line break or another character that no header "
                "carries; correct it, then resume"
            )
        before, self._headers = self._headers, ((self._name, value),)
        return self._headers != before

    def close(self) -> None:
        """Do nothing."""

    def __repr__(self) -> str:
        return f"SecretHeader({self._name!r})"


class Combined:
    """The headers of several credentials, one after the other."""

    def __init__(self, parts: Sequence[Credentials]) -> None:
        self._parts = tuple(parts)
        self._found: tuple[Headers, ...] = ()
        self._headers: Headers = ()

    def headers(self) -> Headers | None:
        """Return the headers of all parts; None where one must be fetched first."""
        found = []
        for part in self._parts:
            headers = part.headers()
            if headers is None:
                return None
            found.append(headers)
        if tuple(found) != self._found:
            self._found = tuple(found)
            self._headers = sum(self._found, ())
        return self._headers

    async def fetch(self) -> None:
        """Fetch what is missing."""
        for part in self._parts:
            if part.headers() is None:
                await part.fetch()

    async def refused(self, used: Headers) -> bool:
        """Return whether any part has something else to offer."""
        changed = [await part.refused(used) for part in self._parts]
        return any(changed)

    def renew(self) -> bool:
        """Read all secrets again and return whether one has changed."""
        changed = [part.renew() for part in self._parts]
        return any(changed)

    def close(self) -> None:
        """Close all parts."""
        for part in self._parts:
            part.close()


def bearer(read: ReadSecret) -> SecretHeader:
    """Return `Authorization: Bearer <secret>` (RFC 6750)."""
    return SecretHeader("Authorization", read, lambda secret: f"Bearer {secret}")


def basic(user: str, read: ReadSecret) -> SecretHeader:
    """Return `Authorization: Basic ...` with the secret as the password, in UTF-8 (RFC 7617).

    Raises:
        SettingsError: no such user can be sent.
    """
    if ":" in user or not user.isprintable():
        raise SettingsError(f"the user {user!r} of basic credentials must hold no colon and no control character")
    return SecretHeader("Authorization", read, lambda secret: basic_value(user, secret))


def basic_value(user: str, password: str) -> str:
    """Return the value of a header that carries basic credentials."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def combined(parts: Sequence[Credentials]) -> Credentials:
    """Return credentials that carry what all `parts` do."""
    if len(parts) == 1:
        return parts[0]
    return Combined(parts) if parts else NoCredentials()


def read_secret(read: ReadSecret, what: str) -> str:
    """Return the secret of `what`.

    Raises:
        CredentialsRefused: it cannot be read; the message says why and never what it is.
    """
    try:
        return read()
    except (BatchdError, OSError) as error:
        raise CredentialsRefused(f"the secret of {what} cannot be read: {error}; correct it, then resume") from error


def is_header_value(value: str) -> bool:
    """Return whether a header can carry `value` (RFC 9110 section 5.5)."""
    latin = all(char <= "\xff" for char in value)
    return latin and all(char == "\t" or (char >= " " and char != "\x7f") for char in value)
