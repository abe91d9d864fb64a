"""`batchctl try`: what goes out and what comes of it, exactly, and without a secret."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from batchctl_runner import Answer, BatchctlRunner
from described_api import Asked, described_api
from terminal_window import BATCHCTL

CANARY = "hunter&77="
ROWS = "email,first_name,last_name\nada@example.com,Ada,Lovelace\ngrace@example.com,Grace,Hopper\n"
ANSWER = '[api.people.answer]\ntake = "data.{title: title}"\nfallback = { title = "" }\n'
FEED = '[feed.contacts]\ninbox = "inbox"\n'
Try = Callable[..., Answer]


@pytest.fixture
def folder(runner: BatchctlRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run batchctl in, where no variable says anything."""
    for name in [each for each in os.environ if each.startswith("BATCH_")]:
        monkeypatch.delenv(name)
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def trial(runner: BatchctlRunner, folder: Path) -> Try:
    """Try rows with `[api.people]` and the answers as given."""

    def run(api: str, *arguments: str, answer: str = ANSWER, rows: str = ROWS) -> Answer:
        (folder / "contacts.csv").write_text(rows)
        (folder / "batchd.toml").write_text(f"[api.people]\n{api}\n{answer}\n{FEED}")
        before = everything_in(folder)
        done = runner.run("try", "contacts.csv", *arguments)
        assert everything_in(folder) == before, "it writes nothing"
        return done

    return run


def everything_in(folder: Path) -> dict[str, bytes]:
    return {str(each): each.read_bytes() if each.is_file() else b"" for each in folder.rglob("*")}


def found(_: Asked) -> tuple[int, bytes]:
    return 200, b'{"data":{"title":"countess","weight":12345678901234567890.50}}'


def test_a_request_is_shown_as_the_api_then_sees_it(trial: Try) -> None:
    with described_api(found) as api:
        text = f'url = "{api.url}/find{{?email}}"\nheaders = {{ X-Source = "batchd" }}\nbody = "{{who: first_name}}"'
        answer = trial(text, "--send", "--rows", "1", "--json")
    assert answer.code == 0
    [step], [asked] = answer.json()["steps"], api.asked
    request = step["request"]
    assert (request["method"], request["address"]) == (asked.method, f"{api.url}{asked.target}")
    assert {name.lower(): value for name, value in request["headers"]} == asked.headers
    assert request["body"].encode() == asked.body == b'{"who":"Ada"}'


def test_the_curl_line_asks_the_api_the_same(trial: Try, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEOPLE_KEY", "k3y")
    with described_api(found) as api:
        text = f'url = "{api.url}/find{{?email}}"\nheaders = {{ X-Key = {{ env = "PEOPLE_KEY" }} }}'
        line = trial(text, "--rows", "1", "--json").json()["steps"][0]["request"]["curl"]
    script = "curl() { for each; do printf '%s\\0' \"$each\"; done; }\n" + line
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    arguments = done.stdout.split("\0")
    assert f"{api.url}/find?email=ada%40example.com" in arguments
    assert "X-Key: k3y" in arguments
    assert json.loads(arguments[arguments.index("--data-raw") + 1])["email"] == "ada@example.com"


def test_without_send_nothing_is_called_and_no_secret_is_needed(trial: Try) -> None:
    with described_api(found) as api:
        answer = trial(f'url = "{api.url}"\nauth = {{ bearer = {{ file = "/nowhere/token" }} }}')
    assert answer.code == 0
    assert not api.asked
    assert "Authorization: Bearer (from /nowhere/token)" in answer.out
    assert '''"$(cat /nowhere/token)"''' in answer.out
    assert "nothing was sent: add --send" in answer.err


def test_with_send_a_secret_that_is_not_there_is_wrong_settings(trial: Try) -> None:
    answer = trial('url = "http://127.0.0.1:1/"\nauth = { bearer = { env = "NOT_SET_ANYWHERE" } }', "--send")
    assert answer.code == 2
    assert "NOT_SET_ANYWHERE is not set" in answer.err


def test_a_row_stands_as_in_the_chunk_digit_for_digit(trial: Try) -> None:
    with described_api(found) as api:
        answer = trial(f'url = "{api.url}"', "--send", answer='[api.people.answer]\ntake = "data"')
    assert answer.code == 0
    assert (
        '{"email":"ada@example.com","first_name":"Ada","last_name":"Lovelace","_row":1,"enriched":true,'
        '"title":"countess","weight":12345678901234567890.50}'
    ) in answer.out.splitlines()
    assert '    "weight": 12345678901234567890.50' in answer.out.splitlines()


def test_the_rule_that_held_is_named_with_its_line(trial: Try) -> None:
    rules = (
        'rules = [\n{ status = 402, then = "pause", code = "credits_gone" },\n{ status = 404, then = "not_found" },]'
    )
    with described_api(lambda _: (404, b"{}")) as api:
        answer = trial(f'url = "{api.url}"', "--send", answer=ANSWER + rules)
    assert answer.code == 0
    assert 'by rule 2 (batchd.toml:8): { status = 404, then = "not_found" }' in answer.out
    assert '"enriched":false,"error":"not_found"}' in answer.out
    assert "2 rows: 2 not found" in answer.err


def test_after_a_pause_no_further_row_is_sent(trial: Try) -> None:
    rules = 'rules = [{ status = 402, then = "pause", code = "credits_gone" }]'
    with described_api(lambda _: (402, b"{}")) as api:
        answer = trial(f'url = "{api.url}"', "--send", answer=ANSWER + rules)
    assert answer.code == 1
    assert len(api.asked) == 1
    assert "the batch pauses: credits_gone" in answer.out
    assert "not sent: the batch would have stopped before this row" in answer.out
    assert "IN THE CHUNK" not in answer.out


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (422, b"{}", "a fallback row (http_422)"),
        (404, b"{}", "a fallback row (http_404); where every row gets this answer the batch pauses"),
        (401, b"{}", "a fallback row (http_401); where every row is refused the batch pauses"),
        (
            503,
            b"{}",
            "called again, 3 calls in all, then a fallback row (http_503); while the API is down the batch waits",
        ),
        (200, b"<p>", "called again, 3 calls in all, then a fallback row (bad_response)"),
    ],
)
def test_what_falls_back_says_so_and_ends_with_1(trial: Try, status: int, body: bytes, sentence: str) -> None:
    with described_api(lambda _: (status, body)) as api:
        answer = trial(f'url = "{api.url}"', "--send", "--rows", "1")
    assert answer.code == 1
    assert sentence in answer.out
    assert "by the table of docs/api.md: there are no rules" in answer.out
    assert '"enriched":false,"title":"","error":"' in answer.out


def test_an_answer_in_which_take_finds_nothing_is_said_to_be_one(trial: Try) -> None:
    with described_api(lambda _: (200, b'{"date":{}}')) as api:
        answer = trial(f'url = "{api.url}"', "--send", "--rows", "1")
    assert "enriched, but 'take' finds nothing in this answer" in answer.out


def test_an_api_that_is_away_is_shown_as_none(trial: Try) -> None:
    answer = trial('url = "http://127.0.0.1:1/"', "--send", "--rows", "1")
    assert answer.code == 1
    assert "ANSWER   none (connect): connection to 127.0.0.1 failed" in answer.out


def test_a_missing_column_refuses_the_file_and_names_the_one_that_is_meant(trial: Try) -> None:
    answer = trial('url = "http://127.0.0.1:1/{?e_mail,phone}"')
    assert answer.code == 1
    assert "contacts.csv: the header lacks the column(s) e_mail, phone that requests to the API people" in answer.err
    assert "did you mean email?" in answer.err


def test_a_refused_file_is_refused_in_the_words_of_explain(trial: Try) -> None:
    answer = trial('url = "http://127.0.0.1:1/"', rows="PK\x03\x04 and so on")
    assert answer.code == 1
    assert "not a CSV file; save it as CSV text in UTF-8 and drop it again" in answer.err


def test_a_name_that_the_daemon_would_leave_is_tried_and_said_so(runner: BatchctlRunner, folder: Path) -> None:
    (folder / "batchd.toml").write_text(f'[api.people]\nurl = "http://127.0.0.1:1/"\n{FEED}')
    (folder / "rows.txt").write_text(ROWS)
    answer = runner.run("try", "rows.txt")
    assert answer.code == 0
    assert "batchd would not take rows.txt: it does not match *.csv; rename it" in answer.err
    assert "row 2, line 3" in answer.out


def test_a_rejected_record_is_shown_for_what_it_is(trial: Try) -> None:
    answer = trial('url = "http://127.0.0.1:1/"', rows="email,name\ntorn\n")
    assert answer.code == 0
    assert "REJECTED ragged: 1 field, the header has 2" in answer.out
    assert '{"_row":1,"line":2,"reason":"ragged","detail":"1 field, the header has 2"}' in answer.out
    assert "0 rows, 1 rejected" in answer.err


def test_an_expression_that_fails_on_a_row_makes_it_a_fallback_row_without_a_call(trial: Try) -> None:
    answer = trial('url = "http://127.0.0.1:1/"\nbody = "{n: abs(email)}"', "--rows", "1")
    assert answer.code == 1
    assert "a fallback row (bad_request) without a call: body: " in answer.out
    assert '"error":"bad_request"}' in answer.out


def bulk(url: str, size: int = 10) -> str:
    return (
        f'url = "{url}/one"\nbulk = {{ url = "{url}/many", size = {size}, body = "{{details: rows[*].email}}", '
        'results = "matches" }'
    )


def test_a_bulk_call_is_shown_once_with_what_it_says_of_each_row(trial: Try) -> None:
    with described_api(lambda _: (200, b'{"matches":[{"data":{"title":"countess"}},null]}')) as api:
        answer = trial(bulk(api.url), "--send")
    assert answer.code == 0
    [asked] = api.asked
    assert (asked.target, json.loads(asked.body)) == ("/many", {"details": ["ada@example.com", "grace@example.com"]})
    assert "── rows 1 to 2, one call ──" in answer.out
    assert answer.out.count("AS CURL") == 1
    assert '"_row":1,"enriched":true,"title":"countess"}' in answer.out
    assert '"_row":2,"enriched":false,"error":"not_found"}' in answer.out


def test_rows_that_a_bulk_call_does_not_answer_are_called_one_by_one(trial: Try) -> None:
    def answer(asked: Asked) -> tuple[int, bytes]:
        return (500, b"{}") if asked.target == "/many" else found(asked)

    with described_api(answer) as api:
        done = trial(bulk(api.url), "--send")
    assert done.code == 0
    assert [each.target for each in api.asked] == ["/many", "/one", "/one"]
    assert "its rows are called one by one" in done.out


def oauth(url: str) -> str:
    return (
        f'url = "{url}/one"\nauth = {{ oauth2 = {{ token_url = "{url}/token", client_id = "me", '
        'client_secret = { env = "PEOPLE_KEY" }, scope = "read" } }'
    )


def test_a_token_is_asked_for_only_where_rows_are_sent(trial: Try, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(asked: Asked) -> tuple[int, bytes]:
        if asked.target == "/token":
            return 200, b'{"access_token":"t0k3n-of-the-day","token_type":"bearer"}'
        return 200, json.dumps({"data": {"title": asked.headers["authorization"]}}).encode()

    monkeypatch.setenv("PEOPLE_KEY", CANARY)
    with described_api(answer) as api:
        unsent = trial(oauth(api.url))
        assert not api.asked
        sent = trial(oauth(api.url), "--send", "--rows", "1")
    assert f"asked for at {api.url}/token by the client me, scope read" in unsent.out
    assert f'TOKEN=$(curl -sS {api.url}/token -u me:"$PEOPLE_KEY"' in unsent.out
    assert f"Authorization: Bearer (a token of {api.url}/token)" in unsent.out
    assert sent.code == 0
    assert [each.target for each in api.asked] == ["/token", "/one"]
    assert "t0k3n" not in sent.out
    assert '"title":"***"}' in sent.out


def test_a_client_that_gets_no_token_is_told_once_and_its_rows_are_not_sent(
    trial: Try, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEOPLE_KEY", CANARY)
    refusal = json.dumps({"error": "invalid_client", "error_description": f"{CANARY} is wrong"}).encode()
    with described_api(lambda _: (401, refusal)) as api:
        done = trial(oauth(api.url), "--send")
    assert done.code == 1
    assert {each.target for each in api.asked} == {"/token"}
    assert done.out.count("invalid_client: *** is wrong") == 1
    assert "OUTCOME  the batch pauses\n" in done.out
    assert done.err == "batchctl: 2 rows: 1 pause, 1 not sent\n"


def test_the_bulk_calls_of_the_environment_are_shown_too(runner: BatchctlRunner, folder: Path) -> None:
    def answer(asked: Asked) -> tuple[int, bytes]:
        [row] = json.loads(asked.body)["rows"]
        return 200, json.dumps({"results": [{"key": row["key"], "status": 200, "row": {"region": "NA"}}]}).encode()

    (folder / "users.csv").write_text("country\nUS\n")
    with described_api(answer) as api:
        runner.set(BATCH_API_URL=f"{api.url}/enrich", BATCH_API_BULK_URL=f"{api.url}/bulk")
        done = runner.run("try", "users.csv", "--send")
    assert done.code == 0
    assert [each.target for each in api.asked] == ["/bulk"]
    assert f"POST {api.url}/bulk" in done.out
    assert '{"country":"US","_row":1,"enriched":true,"region":"NA"}' in done.out


def test_the_environment_alone_describes_an_api_too(runner: BatchctlRunner, folder: Path) -> None:
    (folder / "users.csv").write_text("country\nUS\n")
    (folder / "token").write_text("hunter2-token\n")
    with described_api(lambda asked: (200, json.dumps({"region": asked.headers["authorization"]}).encode())) as api:
        runner.set(BATCH_API_URL=f"{api.url}/enrich", BATCH_API_TOKEN_FILE=folder / "token")
        answer = runner.run("try", "users.csv", "--send")
    assert answer.code == 0
    [asked] = api.asked
    assert (asked.method, asked.target, asked.body) == ("POST", "/enrich", b'{"country":"US"}')
    assert f"Authorization: Bearer (from {folder}/token)" in answer.out
    assert '{"country":"US","_row":1,"enriched":true,"region":"Bearer ***"}' in answer.out
    assert "hunter2" not in answer.out + answer.err


def test_keys_are_those_of_the_batch_until_they_are_sent(trial: Try, runner: BatchctlRunner) -> None:
    with described_api(found) as api:
        unsent = trial(f'url = "{api.url}"', "--json").json()["steps"]
        trial(f'url = "{api.url}"', "--send")
    keys = [dict(each["request"]["headers"])["Idempotency-Key"] for each in unsent]
    assert keys == [f"contacts-{keys[0].split('-')[1]}-{number}" for number in (1, 2)]
    for asked, key in zip(api.asked, keys, strict=True):
        assert asked.headers["idempotency-key"].startswith("try-")
        assert asked.headers["idempotency-key"].endswith(f"-{key}")


def test_of_several_feeds_one_must_be_named_or_hold_the_file(runner: BatchctlRunner, folder: Path) -> None:
    feeds = '[feed.a]\ninbox = "a"\n[feed.b]\ninbox = "b"\n'
    (folder / "batchd.toml").write_text(f'[api.people]\nurl = "http://127.0.0.1:1/"\n{feeds}')
    (folder / "b").mkdir()
    (folder / "x.csv").write_text(ROWS)
    (folder / "b" / "x.csv").write_text(ROWS)
    unnamed = runner.run("try", "x.csv")
    assert unnamed.code == 2
    assert "there are 2 feeds (a, b); add --feed" in unnamed.err
    assert runner.run("try", "x.csv", "--feed", "c").code == 2
    assert runner.run("try", "x.csv", "--feed", "a", "--json").json()["feed"] == "a"
    assert runner.run("try", "b/x.csv", "--json").json()["feed"] == "b"


def test_over_what_calls_go_is_said_and_why(trial: Try) -> None:
    answer = trial('url = "https://api.example.com/"\nproxy = "http://127.0.0.1:3128"')
    assert "over     Calls go through the proxy http://127.0.0.1:3128 (the option proxy)" in answer.out


EVERYWHERE = 'url = "{url}/{{?key}}"\nvars = {{ key = {secret} }}\nheaders = {{ X-Key = {secret} }}\nauth = {auth}'


@pytest.mark.parametrize("arguments", [[], ["--send"], ["--json"], ["--send", "--json"]])
@pytest.mark.parametrize("status", [200, 401, 422, 500])
def test_a_canary_is_printed_in_no_mode_however_the_api_quotes_it(
    trial: Try, folder: Path, arguments: list[str], status: int
) -> None:
    secret = CANARY
    (folder / "key").write_text(secret)
    quoted = [secret, quote(secret, safe=""), base64.b64encode(f"me:{secret}".encode()).decode(), "hunter\\u002677="]
    body = json.dumps({"data": {"title": quoted}}) + "\n"

    def answer(asked: Asked) -> tuple[int, bytes]:
        echo = json.dumps({"all": [asked.target, *asked.headers.values()]})
        return status, body.replace('"data"', f'"echo": {echo}, "data"').replace("\\\\u0026", "\\u0026").encode()

    place = f'{{ file = "{folder}/key" }}'
    with described_api(answer) as api:
        text = EVERYWHERE.format(url=api.url, secret=place, auth=f'{{ basic = {{ user = "me", password = {place} }} }}')
        done = trial(text, *arguments)
        if "--send" in arguments:
            assert api.asked[0].headers["x-key"] == secret
    for each in (*quoted, "hunter"):
        assert each not in done.out + done.err


def test_a_secret_in_a_page_that_is_no_json_is_hidden_too(trial: Try, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEOPLE_KEY", "canary<77>")
    with described_api(lambda _: (403, b"<p>canary&lt;77&gt; is no key</p>")) as api:
        done = trial(f'url = "{api.url}"\nheaders = {{ X-Key = {{ env = "PEOPLE_KEY" }} }}', "--send", "--rows", "1")
    assert "<p>*** is no key</p>" in done.out


def test_an_answer_cannot_steer_the_terminal_and_is_shortened(trial: Try) -> None:
    many: dict[str, Any] = {"data": {"title": "\x9b2J"}, "list": list(range(500))}
    with described_api(lambda _: (200, json.dumps(many, ensure_ascii=False).encode())) as api:
        done = trial(f'url = "{api.url}"', "--send", "--rows", "1")
    assert "\x9b" not in done.out
    assert "more lines" in done.out
    assert '"title":"\\u009b2J"}' in done.out


def test_a_described_api_is_tried_without_temporals_sdk(trial: Try, folder: Path) -> None:
    trial('url = "http://127.0.0.1:1/"')
    script = (
        "import sys; from daemon.batchctl.main import run; run(sys.argv[1:]); sys.exit('temporalio' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script, "try", "contacts.csv"], check=True, capture_output=True, cwd=folder)


@pytest.mark.parametrize("locale", ["C", "en_US.ISO-8859-1"])
def test_a_locale_without_the_characters_of_the_output_stops_nothing(trial: Try, folder: Path, locale: str) -> None:
    trial('url = "http://127.0.0.1:1/"')
    environ = {**os.environ, "LC_ALL": locale, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run([BATCHCTL, "try", "contacts.csv"], capture_output=True, env=environ, cwd=folder, check=True)
    assert b"row 2, line 3" in done.stdout


@pytest.mark.parametrize("rows", ["0", "-1", "101", "x"])
def test_rows_is_a_number_that_makes_sense(trial: Try, rows: str) -> None:
    assert trial('url = "http://127.0.0.1:1/"', "--rows", rows).code == 2


def test_a_file_that_is_not_there_is_named(runner: BatchctlRunner, folder: Path) -> None:
    answer = runner.run("try", "nothing.csv")
    assert answer.code == 1
    assert "nothing.csv: No such file or directory" in answer.err


def test_what_is_too_short_to_be_a_secret_does_not_riddle_the_answer(
    trial: Try, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEOPLE_KEY", "t")
    with described_api(found) as api:
        done = trial(f'url = "{api.url}"\nheaders = {{ X-Key = {{ env = "PEOPLE_KEY" }} }}', "--send", "--rows", "1")
    assert '"title":"countess"' in done.out


def test_a_wait_is_said_with_its_length_and_ends_the_trial(trial: Try) -> None:
    rules = 'rules = [{ when = "status == \'OVER_QUERY_LIMIT\'", then = "wait", for = "1h" }]\n'
    with described_api(lambda _: (200, b'{"status":"OVER_QUERY_LIMIT"}')) as api:
        answer = trial(f'url = "{api.url}"', "--send", answer=ANSWER + rules)
    assert answer.code == 1
    assert len(api.asked) == 1
    assert "the batch waits 3600 s, then asks again: rule_1: " in answer.out
    assert "by rule 1 (batchd.toml:6): { when = \"status == 'OVER_QUERY_LIMIT'\"" in answer.out


def test_a_secret_that_changes_on_the_way_is_read_again_and_neither_is_printed(trial: Try, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("hunter-old")

    def answer(asked: Asked) -> tuple[int, bytes]:
        key.write_text("hunter-new")
        good = asked.headers["x-key"] == "hunter-new"
        return (200 if good else 401), b'{"data":{"title":"not hunter-old but hunter-new"}}'

    with described_api(answer) as api:
        done = trial(f'url = "{api.url}"\nheaders = {{ X-Key = {{ file = "{key}" }} }}', "--send", "--rows", "1")
    assert done.code == 0
    assert "asked twice: a secret or a token was read again" in done.out
    assert '"title":"not *** but ***"}' in done.out
