"""What calls carry to be let in, where it stands in files that may change."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from activities.api.credentials.auth import Credentials, CredentialsRefused, SecretHeader, basic, bearer, combined
from workflows.errors import SettingsError

CANARY = "canary-5b2f"


def reading(path: Path) -> Callable[[], str]:
    return path.read_text


async def fetched(credentials: Credentials) -> Credentials:
    assert credentials.headers() is None
    await credentials.fetch()
    return credentials


async def test_a_bearer_token_and_any_other_secret_header_are_read_once_and_then_at_hand() -> None:
    reads: list[int] = []

    def read() -> str:
        reads.append(1)
        return "s"

    parts = [bearer(read), SecretHeader("X-Api-Key", read)]
    both = await fetched(combined(parts))
    assert [both.headers() for _ in range(3)] == [(("Authorization", "Bearer s"), ("X-Api-Key", "s"))] * 3
    assert len(reads) == 2


async def test_basic_credentials_are_utf_8_as_rfc_7617_shows() -> None:
    found = (await fetched(basic("test", lambda: "123£"))).headers()
    assert found == (("Authorization", "Basic dGVzdDoxMjPCow=="),)
    assert base64.b64decode("dGVzdDoxMjPCow==").decode() == "test:123£"


def test_a_user_with_a_colon_is_refused_since_it_would_be_another_user() -> None:
    with pytest.raises(SettingsError, match="colon"):
        basic("a:b", str)


async def test_a_secret_is_read_again_when_it_is_refused_and_only_another_one_is_worth_a_call(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("old")
    credentials = await fetched(bearer(reading(secret)))
    used = credentials.headers() or ()
    assert not await credentials.refused(used)
    secret.write_text("new")
    assert await credentials.refused(used)
    assert credentials.headers() == (("Authorization", "Bearer new"),)
    secret.unlink()
    assert await credentials.refused(used), "who was refused with the old one need not read again"


async def test_one_of_two_secrets_that_changes_is_worth_a_call(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("old")
    credentials = await fetched(combined([bearer(lambda: "same"), SecretHeader("X-Key", reading(secret))]))
    used = credentials.headers() or ()
    assert not await credentials.refused(used)
    secret.write_text("new")
    assert await credentials.refused(used)
    assert credentials.headers() == (("Authorization", "Bearer same"), ("X-Key", "new"))


async def test_a_reload_reads_secrets_again(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("old")
    credentials = await fetched(combined([bearer(reading(secret))]))
    assert not credentials.renew()
    secret.write_text("new")
    assert credentials.renew()
    assert credentials.headers() == (("Authorization", "Bearer new"),)


async def test_a_secret_that_cannot_be_read_or_sent_pauses_and_is_never_quoted(tmp_path: Path) -> None:
    with pytest.raises(CredentialsRefused, match=r"header X-Key cannot be read.*No such file"):
        await SecretHeader("X-Key", reading(tmp_path / "missing")).fetch()
    for wrong in ("\r\nX-Other: 1", "\0", "€"):
        with pytest.raises(CredentialsRefused, match="X-Key holds") as found:
            await SecretHeader("X-Key", lambda wrong=wrong: CANARY + wrong).fetch()  # type: ignore[misc]
        assert CANARY not in str(found.value)


async def test_no_credentials_are_always_at_hand_and_no_secret_shows_in_a_repr() -> None:
    nothing = combined([])
    assert nothing.headers() == ()
    assert not await nothing.refused(())
    assert CANARY not in repr(await fetched(bearer(lambda: CANARY)))
