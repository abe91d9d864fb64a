"""The configuration as a whole: from a file, or from `BATCH_*` variables, which then mean what they always have."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from daemon.config.api_spec import api_spec_of, read_secrets, secrets_of
from daemon.config.configuration import Configuration, load_configuration
from daemon.config.findings import WrongConfiguration
from daemon.config.grammar.quantities import CallRate
from daemon.config.settings import Settings, load_settings
from daemon.config.values import values_of
from workflows.api_spec import AnswerRule, ApiSpec, BulkSpec
from workflows.errors import SettingsError

CANARY = "canary-5up3r"
FULL = """
[service]
output_root = "out"
rescan_s = 5

[api.people]
method = "PUT"
url = "https://api.example.com/v5{?email,name,key}"
vars = { name = "join(' ', [first_name, last_name])", key = { env = "GEO_KEY" } }
headers = { X-Api-Key = { file = "people.key" }, X-Source = "batchd" }
body = "{id: id}"
encode = "json"
auth = { oauth2 = { token_url = "https://h/t", client_id = "c", client_secret = { env = "OAUTH" }, scope = "a" } }
bulk = { url = "https://h/b", size = 10, body = "{d: rows}", results = "m", match = { item = "e", row = "email" } }
timeout_s = 7
rate = ["10/s", "500/min"]

[api.people.answer]
take = "data.title"
fallback = { title = "", n = 0 }
rules = [
  { status = 402, then = "pause", code = "credits_gone" },
  { when = "s == 'OVER'", then = "wait", for = "1h" },
]

[defaults]
settle_s = 3
page_rows = 10

[feed.contacts]
inbox = "inbox/contacts"
page_rows = 20
"""


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [each for each in os.environ if each.startswith("BATCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("daemon.config.arguments.USUAL_PATHS", (Path("batchd.toml"), tmp_path / "etc.toml"))


def written(folder: Path, text: str = FULL, name: str = "batchd.toml") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "people.key").write_text(f"{CANARY}\n")
    (folder / name).write_text(text)
    return folder / name


def loaded(folder: Path, text: str = FULL, **environ: str) -> Configuration:
    return load_configuration(written(folder, text), environ)


def simple(inbox: str) -> str:
    return f'[api.people]\nurl = "https://h/x"\n[feed.contacts]\ninbox = "{inbox}"\n'


def test_the_file_is_the_one_given_else_that_of_the_variable_else_a_usual_one(tmp_path: Path) -> None:
    given, named = (written(tmp_path, simple(each), f"{each}.toml") for each in ("given", "named"))
    usual = written(tmp_path, simple("etc"), "etc.toml")

    def inbox(path: Path | None, **environ: str) -> str:
        return load_configuration(path, environ).feeds["contacts"].inbox.name

    assert inbox(given, BATCH_CONFIG=str(named)) == "given"
    assert inbox(None, BATCH_CONFIG=str(named)) == "named"
    assert inbox(None) == "etc"
    written(tmp_path, simple("here"))
    assert inbox(None) == "here"
    assert usual.exists()


def test_a_file_that_is_named_and_not_there_is_an_error_and_no_other_is_read(tmp_path: Path) -> None:
    written(tmp_path)
    with pytest.raises(SettingsError, match=r"none\.toml: cannot be read: No such file"):
        load_configuration(None, {"BATCH_CONFIG": "none.toml"})
    with pytest.raises(SettingsError, match="BATCH_CONFIG is empty"):
        load_configuration(None, {"BATCH_CONFIG": " "})


def test_without_a_file_the_variables_are_today_s_settings_and_one_feed_and_api(tmp_path: Path) -> None:
    configuration = load_configuration(None, {})
    assert configuration.service == Settings() == configuration.settings_of("default")
    assert list(configuration.settings_by_feed()) == ["default"]
    assert configuration.config_sha256 == ""
    assert api_spec_of("default", configuration.apis["default"]) == ApiSpec(
        name="default", url="http://127.0.0.1:3001/enrich", fallback={"region": "UNKNOWN"}
    )
    assert secrets_of(configuration.apis["default"]) == {}


def test_variables_describe_the_api_as_a_file_would(tmp_path: Path) -> None:
    environ = {
        "BATCH_API_URL": "http://h/{raw}",
        "BATCH_API_RATE": "2.5",
        "BATCH_API_TOKEN": CANARY,
        "BATCH_API_TIMEOUT_S": "7",
        "BATCH_INBOX": "in",
    }
    configuration = load_configuration(None, environ)
    api = configuration.apis["default"]
    assert configuration.service == load_settings(environ)
    assert configuration.feeds["default"].inbox == Path("in")
    assert api.rate == (CallRate(calls=2.5, per_s=1.0),)
    assert api.url == "http://h/%7Braw%7D"
    assert api.timeout_s == 7
    assert read_secrets(api, environ) == {"auth.bearer": CANARY}


def test_a_token_file_goes_before_the_token(tmp_path: Path) -> None:
    written(tmp_path, name="other.toml")
    environ = {"BATCH_API_TOKEN_FILE": "people.key", "BATCH_API_TOKEN": "x"}
    configuration = load_configuration(None, environ)
    assert read_secrets(configuration.apis["default"], environ) == {"auth.bearer": CANARY}
    assert configuration.origin(("api", "default", "auth", "bearer")) == "BATCH_API_TOKEN_FILE"


def test_a_file_may_name_a_credential_of_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "secret_people").write_text(CANARY)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    named = FULL.replace('file = "people.key"', 'file = "$CREDENTIALS_DIRECTORY/secret_people"')
    api = loaded(tmp_path, named, GEO_KEY="geo", OAUTH="oauth").apis["people"]
    assert secrets_of(api)["headers.X-Api-Key"].read() == CANARY


def test_a_wrong_variable_is_an_error_as_it_always_was() -> None:
    with pytest.raises(SettingsError, match="BATCH_INBOXX is not a setting of batchd; did you mean BATCH_INBOX"):
        load_configuration(None, {"BATCH_INBOXX": "x"})
    with pytest.raises(SettingsError, match=r"BATCH_PAGE_ROWS: .*greater than or equal to 1"):
        load_configuration(None, {"BATCH_PAGE_ROWS": "0"})


def test_a_file_describes_the_whole_api_and_no_secret_travels(tmp_path: Path) -> None:
    api = loaded(tmp_path).apis["people"]
    assert api_spec_of("people", api) == ApiSpec(
        name="people",
        url="https://api.example.com/v5{?email,name,key}",
        method="PUT",
        vars={"name": "join(' ', [first_name, last_name])"},
        secret_vars=["key"],
        headers={"X-Source": "batchd"},
        secret_headers=["X-Api-Key"],
        body="{id: id}",
        encode="json",
        bulk=BulkSpec(url="https://h/b", size=10, body="{d: rows}", results="m", match_item="e", match_row="email"),
        take="data.title",
        fallback={"title": "", "n": 0},
        rules=[
            AnswerRule(then="pause", status=402, code="credits_gone"),
            AnswerRule(then="wait", when="s == 'OVER'", wait_s=3_600.0),
        ],
    )


def test_every_secret_of_an_api_is_found_and_read_by_its_place(tmp_path: Path) -> None:
    api = loaded(tmp_path).apis["people"]
    assert read_secrets(api, {"GEO_KEY": "geo", "OAUTH": "oauth"}) == {
        "vars.key": "geo",
        "headers.X-Api-Key": CANARY,
        "auth.oauth2.client_secret": "oauth",
    }
    (tmp_path / "people.key").write_text("rotated")
    assert secrets_of(api)["headers.X-Api-Key"].read() == "rotated"


@pytest.mark.parametrize(
    ("line", "secret", "why"),
    [
        ("headers = { X-Key = { env = 'KEY' } }", f"{CANARY}\u00e9", r"headers.X-Key \(from \$KEY\) cannot be sent"),
        ("auth = { bearer = { env = 'KEY' } }", f"{CANARY} two", r"auth.bearer \(from \$KEY\) cannot be sent"),
    ],
)
def test_a_secret_that_no_header_can_hold_is_refused_and_never_quoted(
    tmp_path: Path, line: str, secret: str, why: str
) -> None:
    api = loaded(tmp_path, simple("x").replace("[feed", f"{line}\n[feed")).apis["people"]
    with pytest.raises(SettingsError, match=why) as refused:
        read_secrets(api, {"KEY": secret})
    assert CANARY not in str(refused.value)


def test_a_feed_has_the_defaults_its_own_keys_go_before_and_paths_belong_to_the_file(tmp_path: Path) -> None:
    configuration = loaded(tmp_path / "etc", BATCH_STATE_DIR="state")
    feed = configuration.feeds["contacts"]
    assert (feed.settle_s, feed.page_rows, feed.api) == (3.0, 20, "people")
    assert feed.inbox == tmp_path / "etc" / "inbox/contacts"
    assert feed.output_root == tmp_path / "etc" / "out"
    assert configuration.service.state_dir == Path("state")


def test_a_state_folder_that_is_not_named_stands_beside_the_file(tmp_path: Path) -> None:
    assert loaded(tmp_path / "etc").service.state_dir == tmp_path / "etc" / ".batchd"


def test_settings_of_a_feed_hold_its_keys_and_those_of_its_api(tmp_path: Path) -> None:
    configuration = loaded(tmp_path, BATCH_WORKERS="3")
    settings = configuration.settings_of("contacts")
    assert (settings.workers, settings.rescan_s, settings.page_rows, settings.api_timeout_s) == (3, 5.0, 20, 7.0)
    assert settings.api_rate == pytest.approx(500 / 60)
    assert settings.inbox == tmp_path / "inbox/contacts"
    assert settings.shape().page_rows == 20


def test_each_value_has_its_origin(tmp_path: Path) -> None:
    path = written(tmp_path)
    configuration = load_configuration(path, {"BATCH_RESCAN_S": "9"})
    origins = {each.path: each.origin for each in values_of(configuration)}
    assert origins["service", "rescan_s"] == "BATCH_RESCAN_S"
    assert origins["service", "workers"] == "default"
    assert origins["api", "people", "headers", "X-Api-Key"] == f"{path}:10"
    assert origins["api", "people", "answer", "rules", 1] == f"{path}:23"
    assert origins["feed", "contacts", "page_rows"] == f"{path}:32"
    assert origins["feed", "contacts", "settle_s"] == f"{path}:27"
    assert origins["feed", "contacts", "output_root"] == f"{path}:3"
    assert origins["feed", "contacts", "api"] == "default"


def test_a_secret_is_nowhere_in_a_configuration(tmp_path: Path) -> None:
    configuration = loaded(tmp_path)
    read_secrets(configuration.apis["people"], {"GEO_KEY": CANARY, "OAUTH": CANARY})
    dumps = [each.model_dump_json() for each in configuration.apis.values()]
    assert CANARY not in f"{configuration!r} {dumps} {values_of(configuration)}"
    assert "join(" not in repr(configuration.file), "a file is shown by its name alone"
    assert CANARY not in repr(load_configuration(tmp_path / "batchd.toml", {"GEO_KEY": CANARY}))


def test_the_hash_follows_what_the_file_says_and_neither_its_layout_nor_its_secrets(tmp_path: Path) -> None:
    first = loaded(tmp_path).config_sha256
    assert len(first) == 64
    assert loaded(tmp_path, "# a comment\n" + FULL.replace(" = ", "  =  ")).config_sha256 == first
    assert loaded(tmp_path, FULL.replace('env = "GEO_KEY"', 'file = "people.key"')).config_sha256 == first
    assert loaded(tmp_path, FULL.replace("settle_s = 3", "settle_s = 4")).config_sha256 != first
    assert loaded(tmp_path, FULL.replace('{ title = "", n = 0 }', '{ file = "a" }')).config_sha256 != (
        loaded(tmp_path, FULL.replace('{ title = "", n = 0 }', '{ file = "b" }')).config_sha256
    )


def test_many_feeds_are_read_each_with_its_own_settings(tmp_path: Path) -> None:
    configuration = loaded(tmp_path, FULL + '[feed.second]\ninbox = "second"\n')
    assert list(configuration.feeds) == ["contacts", "second"]
    assert [each.inbox.name for each in configuration.settings_by_feed().values()] == ["contacts", "second"]


def test_those_who_call_no_api_need_not_read_its_secrets(tmp_path: Path) -> None:
    path = written(tmp_path)
    (tmp_path / "people.key").unlink()
    with pytest.raises(WrongConfiguration, match=r"batchd.toml:10: .*people.key cannot be read"):
        load_configuration(path, {})
    assert load_configuration(path, {}, files=False).settings_by_feed()
