"""A secret is where it says, read when it is used, and never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.config.secrets import MAX_FILE_BYTES, Secret
from daemon.config.settings import load_settings
from workflows.errors import SettingsError

CANARY = "canary-5up3r"


def in_file(path: Path) -> Secret:
    return Secret.model_validate({"file": str(path)})


def in_variable(name: str) -> Secret:
    return Secret.model_validate({"env": name})


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_secret_is_the_line_of_its_file(tmp_path: Path, end: str) -> None:
    (tmp_path / "key").write_bytes(f"{CANARY} two".encode() + end.encode())
    assert in_file(tmp_path / "key").read() == f"{CANARY} two"


def test_a_secret_that_was_changed_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("old\n")
    secret = in_file(path)
    assert secret.read() == "old"
    path.write_text("new\n")
    assert secret.read() == "new"


def test_a_secret_may_be_a_variable() -> None:
    assert in_variable("KEY").read({"KEY": CANARY}) == CANARY


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (f"{CANARY}\n{CANARY}\n".encode(), "more than one line"),
        (f"{CANARY}\rx".encode(), "more than one line"),
        (f"{CANARY}\x00".encode(), "control characters"),
        (b"\xff" + CANARY.encode(), "no text in UTF-8"),
        (CANARY.encode() * MAX_FILE_BYTES, "too long"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_file_that_holds_no_secret_is_refused_by_name_and_never_quoted(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=why) as refused:
        in_file(path).read()
    assert str(path) in str(refused.value)
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize(("environ", "why"), [({}, "is not set"), ({"KEY": ""}, "is empty")])
def test_a_variable_without_a_secret_is_refused_by_name(environ: dict[str, str], why: str) -> None:
    with pytest.raises(SettingsError, match=rf"\$KEY {why}"):
        in_variable("KEY").read(environ)


def test_a_secret_shows_where_it_is_and_never_what(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(CANARY)
    secret = in_file(tmp_path / "key")
    secret.read()
    assert secret.origin == f"(from {tmp_path}/key)"
    assert in_variable("KEY").origin == "(from $KEY)"
    assert CANARY not in f"{secret!r} {secret} {secret.model_dump()} {secret.model_dump_json()} {vars(secret)}"


@pytest.mark.parametrize(("mode", "warned"), [(0o644, True), (0o604, True), (0o640, False), (0o600, False)])
def test_a_file_that_everybody_can_read_is_warned_about(tmp_path: Path, mode: int, warned: bool) -> None:
    (tmp_path / "key").write_text(CANARY)
    (tmp_path / "key").chmod(mode)
    assert ("every user" in in_file(tmp_path / "key").warning()) is warned


@pytest.mark.parametrize("given", [{}, {"file": "/a", "env": "A"}, {"fil": "/a"}, {"file": ""}, {"env": ""}])
def test_a_secret_is_in_one_place(given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="Secret"):
        Secret.model_validate(given)


def test_a_secret_may_be_a_credential_of_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret_key").write_text(CANARY)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert in_file(Path("$CREDENTIALS_DIRECTORY/secret_key")).read() == CANARY
    assert (
        load_settings({"BATCH_API_TOKEN_FILE": "$CREDENTIALS_DIRECTORY/secret_key"}).api_token_file
        == tmp_path / "secret_key"
    )


def test_without_a_service_of_systemd_there_are_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(SettingsError, match=r"secret \$CREDENTIALS_DIRECTORY/secret_key cannot be read"):
        in_file(Path("$CREDENTIALS_DIRECTORY/secret_key")).read()
