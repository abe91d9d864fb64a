"""Settings: defaults that work, bounds that hold, names that cannot be mistyped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from daemon.config.api_token import api_token
from daemon.config.settings import Settings, load_settings
from workflows.errors import SettingsError


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in os.environ if each.startswith("BATCH_")]:
        monkeypatch.delenv(name)


def test_the_defaults_are_those_of_the_readme() -> None:
    settings = load_settings({})
    assert settings.inbox == Path("inbox")
    assert settings.output_root == Path("/tmp")
    assert (settings.page_rows, settings.pages_in_flight, settings.in_memory_max_bytes) == (500, 4, 262_144)
    assert settings.api_url == "http://127.0.0.1:3001/enrich"


def test_an_unknown_name_is_an_error_that_suggests_the_right_one() -> None:
    with pytest.raises(SettingsError, match=r"BATCH_INBOXX is not a setting of batchd; did you mean BATCH_INBOX\?"):
        load_settings({"BATCH_INBOXX": "x"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BATCH_PAGE_ROWS", "0"),
        ("BATCH_PAGE_ROWS", "many"),
        ("BATCH_SETTLE_S", "-1"),
        ("BATCH_IDENTITY", "size"),
        ("BATCH_API_URL", "ftp://example.org"),
        ("BATCH_API_URL", ""),
        ("BATCH_API_URL", "http://127.0.0.1:99999/x"),
        ("BATCH_API_URL", "http://127.0.0.1:0/x"),
        ("BATCH_API_URL", "http://127.0.0.1:abc/x"),
        ("BATCH_API_URL", "http://[::1/x"),
        ("BATCH_API_URL", "http://example.org/caf\u00e9"),
        ("BATCH_API_URL", "http://example.org/a b"),
        ("BATCH_API_URL", "http://example.org/a\nb"),
        ("BATCH_API_BULK_URL", "http://127.0.0.1:99999/x"),
        ("BATCH_API_BULK_URL", "http://127.0.0.1:abc/x"),
        ("BATCH_API_BULK_URL", "http://example.org/caf\u00e9"),
        ("BATCH_API_TOKEN", "hunter2\nX-Other: 1"),
        ("BATCH_API_TOKEN", "hunter 2"),
        ("BATCH_API_RATE", "inf"),
        ("BATCH_API_RATE", "nan"),
        ("BATCH_API_TOKEN", "h\u00fcnter2"),
        ("BATCH_MAX_FALLBACK", "101%"),
        ("BATCH_MAX_FALLBACK", "few"),
        ("BATCH_WORKERS", "0"),
        ("BATCH_ENCODING", "klingon"),
        ("BATCH_ENCODING", "gbk"),
        ("BATCH_ENCODING", "raw_unicode_escape"),
        ("BATCH_ENCODING", "utf-16"),
        ("BATCH_READY_MARKER", "done"),
        ("BATCH_METRICS_ADDRESS", "everywhere"),
        ("BATCH_SERVER_UI_IP", "everywhere"),
    ],
)
def test_a_value_out_of_bounds_is_an_error_that_names_the_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        load_settings()


@pytest.mark.parametrize("name", ["BATCH_INBOX", "BATCH_OUTPUT_ROOT", "BATCH_STATE_DIR", "BATCH_API_TOKEN_FILE"])
@pytest.mark.parametrize("value", ["", "  "], ids=["empty", "blank"])
def test_an_empty_path_is_refused_and_never_the_current_folder(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"{name}: must be a path and is empty"):
        load_settings()


def test_an_address_outside_ascii_is_told_to_be_percent_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH_API_URL", "http://example.org/caf\u00e9")
    with pytest.raises(SettingsError, match="percent-encode"):
        load_settings()


@pytest.mark.parametrize("name", ["BATCH_API_URL", "BATCH_API_BULK_URL"])
@pytest.mark.parametrize(
    "value",
    [
        "http://user:s3cr3t@example.org/x",
        "http://s3cr3t@example.org/x",
        "http://@s3cr3t.example.org/x",
        "ftp://user:s3cr3t@example.org/x",
        "http://user:s3cr3t@example.org:abc/x",
        "http://user:s3cr3t@[::1/x",
        "http://user:s3cr3t@example.org/caf\u00e9",
    ],
)
def test_credentials_in_an_address_are_refused_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"{name}: .*BATCH_API_TOKEN or BATCH_API_TOKEN_FILE") as reported:
        load_settings()
    assert "s3cr3t" not in str(reported.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BATCH_API_URL", "ftp://example.org/x?key=s3cr3t"),
        ("BATCH_API_URL", "http://example.org:abc/x?key=s3cr3t"),
        ("BATCH_API_TOKEN", "s3cr3t s3cr3t"),
    ],
)
def test_the_value_of_an_address_or_a_token_stays_out_of_errors(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name) as reported:
        load_settings()
    assert "s3cr3t" not in str(reported.value)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"hunter2\nhunter3\n", "holds 2 lines"),
        (b"hunter2 hunter3", "without spaces"),
        (b"hunter2\x00", "visible ASCII"),
        ("h\u00fcnter2".encode(), "outside ASCII"),
        (b"\xff\xfehunter2", "outside ASCII"),
        (b"h" * 70_000, "too long"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_token_file_that_holds_no_token_is_an_error_that_names_the_file_and_not_its_content(
    tmp_path: Path, content: bytes | None, word: str
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=word) as reported:
        api_token(Settings(api_token_file=path))
    assert str(path) in str(reported.value)
    assert "hunter" not in str(reported.value)


def test_a_token_file_may_end_in_a_line_break_and_goes_before_the_variable(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hunter2\r\n")
    assert api_token(Settings(api_token_file=tmp_path / "token", api_token=SecretStr("other"))) == "hunter2"


def test_a_secret_stays_out_of_messages_and_of_the_settings_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH_API_TOKEN", "hunter2")
    assert "hunter2" not in repr(load_settings())


def test_columns_are_given_by_comma(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH_REQUIRED_COLUMNS", "id, country")
    assert load_settings().required_columns == ("id", "country")


def test_settings_cannot_be_changed_after_they_are_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().page_rows = 3
