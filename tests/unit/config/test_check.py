"""Every mistake in a file is found at once, on its line, with what to do, and without a secret."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from daemon.config.check import checked
from daemon.config.file import read_file
from daemon.config.findings import Finding, WrongConfiguration

CANARY = "canary-5up3r"
BULK = 'url = "https://h/b", body = "rows", results = "m"'
GOOD = """
[service]
output_root = "out"

[api.people]
url = "https://api.example.com/enrich"

[feed.contacts]
inbox = "inbox"
"""


def found(tmp_path: Path, text: str, **environ: str) -> tuple[Finding, ...]:
    """Return the mistakes of a file with this text."""
    path = tmp_path / "batchd.toml"
    path.write_text(text)
    try:
        checked(read_file(path), environ)
    except WrongConfiguration as wrong:
        return wrong.findings
    return ()


def in_api(line: str, *, method: str = "POST", url: str = "https://api.example.com/{id}") -> str:
    """Return a file whose line 5 is in the section of an API."""
    return f'[feed.contacts]\ninbox = "inbox"\n[api.people]\nmethod = "{method}"\n{line}\n' + (
        f'url = "{url}"\n' if not line.startswith("url") else ""
    )


def in_feed(line: str) -> str:
    """Return a file whose line 5 is in the section of a feed."""
    return f'[api.people]\nurl = "https://api.example.com"\n[feed.contacts]\ninbox = "inbox"\n{line}\n'


def the_one(tmp_path: Path, text: str) -> Finding:
    findings = found(tmp_path, text)
    assert len(findings) == 1, [str(each) for each in findings]
    return findings[0]


def test_a_file_without_mistakes_has_none(tmp_path: Path) -> None:
    assert found(tmp_path, GOOD) == ()


@pytest.mark.parametrize(
    ("line", "key", "what"),
    [
        ('methd = "GET"', "methd", r"is no key of \[api.people\]; did you mean method\?"),
        ('take = "a"', "take", r"write it as answer.take, or in \[api.people.answer\]"),
        ("answer = { attempts = 3 }", "answer.attempts", r"it stands in \[api.people\]"),
        ("nonsense = 3", "nonsense", "there are answer, attempts, auth"),
        ("attempts = true", "attempts", "must be a whole number and is true or false"),
        ('attempts = "3"', "attempts", "must be a whole number and is a text"),
        ("attempts = 0", "attempts", "must be greater than or equal to 1"),
        ("timeout_s = 2026-01-01", "timeout_s", "must be a number and is a date or a time"),
        ("headers = 3", "headers", "must be a table and is a whole number"),
        ("headers = { X-A = 3 }", "headers.X-A", "must be a text and is a whole number"),
        ('answer = { take = "a.{" }', "answer.take", "is no JMESPath: the expression ends too early, at character 4"),
        ('body = "a b"', "body", "is no JMESPath: .*unexpected .b., at character 3"),
        ('vars = { x = "a ==" }', "vars.x", "is no JMESPath"),
        ('url = "https://{host}/x"', "url", "never come from a row|no host"),
        ('url = "{scheme}://host/x"', "url", "never come from a row|no host"),
        ('url = "https://host:{port}/x"', "url", "never come from a row|no host"),
        ('url = "https://host.{tld}/x"', "url", "never come from a row|no host"),
        ('url = "https://host/{x"', "url", "{ has no }, at character 14"),
        ('url = "https://host/{x*}"', "url", "level 4. is not supported"),
        ('url = "ftp://host/{x}"', "url", "must begin with http:// or https://"),
        ('url = ""', "url", "is empty"),
        ('rate = "1000/minute"', "rate", "must be a rate such as"),
        ('rate = ["10/s", "20/s"]', "rate", "two rates for the same time"),
        ('max_wait = "long"', "max_wait", "must be a duration with its unit"),
        ('outage = "wiat"', "outage", r"must be one of wait, fallback; did you mean wait\?"),
        ("answer = { rules = [{ status = 404 }] }", "answer.rules[0].then", "is missing"),
        ('answer = { rules = [{ then = "notfound" }] }', "answer.rules[0].then", r"did you mean not_found\?"),
        (
            'answer = { rules = [{ status = 404, then = "retry", for = "1h" }] }',
            "answer.rules[0].for",
            "only for then = .wait.",
        ),
        ('answer = { rules = [{ then = "wait", for = 3 }] }', "answer.rules[0].for", "must be a duration"),
        (
            'answer = { rules = [{ status = 204, then = "done", code = "x" }] }',
            "answer.rules[0].code",
            "only for then = .fallback.",
        ),
        ('answer = { rules = [{ then = "done", status = 7 }] }', "answer.rules[0].status", "greater than or equal"),
        ('answer = { rules = [{ then = "done", when = "[" }] }', "answer.rules[0].when", "no JMESPath"),
        ('bulk = { url = "https://h/b", body = "rows" }', "bulk.results", "is missing"),
        ('bulk = { url = "https://h/{id}", body = "rows", results = "m" }', "bulk.url", "{id} would be of one row"),
        ('headers = { X-A = "1", x-a = "2" }', "headers.x-a", "it is given twice"),
        ('answer = { take = "length(a)" }', "answer.take", "what it finds has no name: write {name: length"),
        ('vars = { id = "nosuch(a)" }', "vars.id", "there is no function nosuch"),
        (
            f'bulk = {{ {BULK}, match = "key" }}',
            "bulk.match",
            "must be one of position",
        ),
        (
            f'bulk = {{ {BULK}, match = {{ item = "a" }} }}',
            "bulk.match.row",
            "is missing",
        ),
        ("auth = {}", "auth", "has none of bearer, basic, oauth2"),
        ('auth = { bearer = { env = "A" }, basic = { user = "u", password = { env = "B" } } }', "auth", "has 2 of"),
        ('tls = { key = "batchd.toml" }', "tls.key", "is without cert"),
        ('tls = { ca = "none.pem" }', "tls.ca", "cannot be read: No such file"),
        ('headers = { X-Api-Key = { file = "none" } }', "headers.X-Api-Key.file", "cannot be read: No such file"),
        ("headers = { X-Api-Key = { fil = 'x' } }", "headers.X-Api-Key.fil", r"did you mean file\?"),
        ("headers = { X-Api-Key = {} }", "headers.X-Api-Key", "must be { file ="),
        ('headers = { "X Y" = "a" }', 'headers."X Y"', "is no name of a header"),
        ('headers = { Host = "a" }', "headers.Host", "is set by batchd"),
        ('headers = { X-A = "a\\nb" }', "headers.X-A", "characters that no header may hold"),
        ('proxy = "socks5://h"', "proxy", "must be an http:// or https:// address"),
    ],
)
def test_a_mistake_in_an_api_is_found_on_its_line(tmp_path: Path, line: str, key: str, what: str) -> None:
    finding = the_one(tmp_path, in_api(line))
    assert (finding.line, finding.key) == (5, f"api.people.{key}")
    assert re.search(what, finding.sentence()), finding


@pytest.mark.parametrize("key", ['body = "@"', 'encode = "form"'])
def test_a_get_has_no_body(tmp_path: Path, key: str) -> None:
    finding = the_one(tmp_path, in_api(key, method="GET"))
    assert finding.line == 5
    assert "method GET, which has no body; take it out, or set method" in str(finding)


@pytest.mark.parametrize(
    "line",
    [
        f'headers = {{ Authorization = "Bearer {CANARY}" }}',
        f'headers = {{ X-Api-Key = "{CANARY}" }}',
        f'headers = {{ Ocp-Apim-Subscription-Key = "{CANARY}" }}',
        f'headers = {{ X-Auth-Token = "{CANARY}" }}',
        f'headers = {{ Cookie = "{CANARY}" }}',
        f'headers = {{ X-Other = "Bearer {CANARY}" }}',
        f'auth = {{ bearer = "{CANARY}" }}',
        f'auth = {{ basic = {{ user = "u", password = "{CANARY}" }} }}',
        f'auth = {{ oauth2 = {{ token_url = "https://h/t", client_id = "c", client_secret = "{CANARY}" }} }}',
        f'proxy = "http://user:{CANARY}@proxy:8080"',
        f'url = "https://user:{CANARY}@host/x"',
        f'url = "https://host/x?q={{q}}&api_key={CANARY}"',
        f'url = "https://host/{{x?token={CANARY}"',
    ],
)
def test_a_secret_that_is_written_into_the_file_is_refused_and_never_shown(tmp_path: Path, line: str) -> None:
    findings = found(tmp_path, in_api(line))
    assert findings
    assert {each.line for each in findings} == {5}
    assert CANARY not in f"{findings} {WrongConfiguration(findings)}"


@pytest.mark.parametrize("line", ['headers = { X-Trace = "x" }', 'headers = { X-Source = "batchd" }'])
def test_a_plain_header_may_be_written_into_the_file(tmp_path: Path, line: str) -> None:
    assert found(tmp_path, in_api(line)) == ()


@pytest.mark.parametrize(
    "line",
    [
        'vars = { file = "name", env = "country" }',
        'headers = { file = "x" }',
        'answer = { fallback = { file = "none.txt" } }',
    ],
)
def test_a_table_that_only_seems_to_name_a_secret_is_none(tmp_path: Path, line: str) -> None:
    assert found(tmp_path, in_api(line)) == ()


@pytest.mark.parametrize(
    ("line", "key", "what"),
    [
        ("settle = 3", "settle", r"did you mean settle_s\?"),
        ('settle_s = "3"', "settle_s", "must be a number and is a text"),
        ('api = "peopel"', "api", r"there is no \[api.peopel\]; did you mean people\?"),
        ('api = "geo"', "api", r"there is no \[api.geo\]; there is people"),
        ('identity = "size"', "identity", "must be one of name\\+content, content, name"),
        ('required_columns = "id"', "required_columns", "must be a list and is a text"),
        ('encoding = "klingon"', "encoding", "klingon is not an encoding"),
        ('ready_marker = "done"', "ready_marker", "must contain {name}"),
        ('max_fallback = "few"', "max_fallback", "must be a count such as 500 or a share"),
        ('header = "yes"', "header", "must be true or false and is a text"),
        ('schema = "none.json"', "schema", "cannot be read: No such file"),
        ('null = "NA"', "null", "says how a schema reads cells, and there is none; set schema"),
        ('decimal = ","', "decimal", "says how a schema reads cells, and there is none; set schema"),
        ('output_root = ""', "output_root", "must be a path and is empty"),
        ("output_root = 3", "output_root", "must be a text and is a whole number"),
    ],
)
def test_a_mistake_in_a_feed_is_found_on_its_line(tmp_path: Path, line: str, key: str, what: str) -> None:
    finding = the_one(tmp_path, in_feed(line))
    assert (finding.line, finding.key) == (5, f"feed.contacts.{key}")
    assert re.search(what, finding.sentence()), finding


@pytest.mark.parametrize(
    ("line", "key", "what"),
    [
        ('output_rot = "x"', "output_rot", r"did you mean output_root\?"),
        ('api_url = "x"', "api_url", r"set url in \[api.people\]"),
        ('inbox = "x"', "inbox", r"set inbox in \[feed.contacts\]"),
        ("workers = 0", "workers", "must be 1 to 256, or auto"),
        ('metrics_address = "everywhere"', "metrics_address", "must be IP:PORT"),
    ],
)
def test_a_mistake_in_the_service_is_found_on_its_line(tmp_path: Path, line: str, key: str, what: str) -> None:
    finding = the_one(tmp_path, GOOD.replace('output_root = "out"', line))
    assert (finding.line, finding.key) == (3, f"service.{key}")
    assert re.search(what, finding.sentence()), finding


@pytest.mark.parametrize(
    ("text", "key", "what"),
    [
        (GOOD.replace("[service]", "[servce]"), "servce", "did you mean service"),
        (GOOD.replace("[api.people]", "[api.People]"), "api.People", "is no name of a section"),
        (GOOD.replace("[api.people]", "[api.a--b]"), "api.a--b", "is no name of a section"),
        (GOOD.replace("[feed.contacts]", f"[feed.{'x' * 41}]"), f"feed.{'x' * 41}", "at most 40 characters"),
        (GOOD.replace('inbox = "inbox"', ""), "feed.contacts.inbox", "is missing"),
        (GOOD.replace('url = "https://api.example.com/enrich"', ""), "api.people.url", "is missing"),
        ("\n[api.people]\nurl = 'https://h'\n", "feed", r"is missing; add a section \[feed.NAME\]"),
        ("\n[feed.a]\ninbox = 'x'\n", "api", r"is missing; add a section \[api.NAME\]"),
        (GOOD + "[api]\ngeo = 3", "api.geo", "must be a table and is a whole number"),
        ("service = 3\n" + GOOD.replace("[service]", "[defaults]"), "service", "must be a table"),
        (GOOD + "[defaults]\nsettle_s = 'x'", "defaults.settle_s", "must be a number and is a text"),
        (GOOD + "[defaults]\nsetle_s = 2", "defaults.setle_s", "did you mean settle_s"),
    ],
)
def test_a_mistake_in_the_sections_themselves_is_found(tmp_path: Path, text: str, key: str, what: str) -> None:
    finding = the_one(tmp_path, text)
    assert finding.key == key
    assert re.search(what, finding.sentence()), finding


def test_where_there_are_two_apis_a_feed_must_say_which(tmp_path: Path) -> None:
    finding = the_one(tmp_path, GOOD + '[api.geo]\nurl = "https://h"\n')
    assert finding.key == "feed.contacts.api"
    assert "is missing, and there is more than one API; set it to one of people, geo" in str(finding)


@pytest.mark.parametrize(
    ("second", "clash"),
    [
        ('inbox = "inbox"', True),
        ('inbox = "./x/../inbox/"', True),
        ('inbox = "inbox"\npattern = "A*.CSV"', True),
        ('inbox = "inbox"\npattern = "*.txt"', False),
        ('inbox = "inbox/other"', False),
    ],
)
def test_two_feeds_never_take_the_same_file(tmp_path: Path, second: str, clash: bool) -> None:
    findings = found(tmp_path, f"{GOOD}[feed.second]\n{second}\n")
    assert bool(findings) is clash
    if clash:
        assert findings[0].key == "feed.second.inbox"
        assert findings[0].line == 11
        assert "[feed.second] would take the same files as [feed.contacts]" in str(findings[0])


def test_an_inbox_behind_a_link_is_the_same_inbox(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "link").symlink_to("inbox")
    assert "would take the same files" in str(the_one(tmp_path, GOOD + '[feed.second]\ninbox = "link"\n'))


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("BATCH_INBOX", r"does not count beside .*batchd.toml; unset it, and set inbox in \[feed.contacts\]"),
        ("BATCH_API_URL", r"set url in \[api.people\]"),
        ("batch_api_rate", r"set rate in \[api.people\]"),
        ("BATCH_API_BULK_SIZE", r"set bulk.size in \[api.people\]"),
        ("BATCH_API_TOKEN", r"set auth = { bearer = { env = .NAME. } } in \[api.people\]"),
        ("BATCH_API_TOKEN_FILE", r"set auth = { bearer = { file = ./path. } } in \[api.people\]"),
        ("BATCH_WORKRS", r"did you mean BATCH_WORKERS\?"),
        ("BATCH_WORKERS", "must be 1 to 256, or auto"),
    ],
)
def test_a_variable_that_does_not_count_beside_a_file_is_an_error(tmp_path: Path, name: str, what: str) -> None:
    findings = found(tmp_path, GOOD, **{name: CANARY})
    assert [(each.file, each.key) for each in findings] == [("environment", name)]
    assert re.search(what, str(findings[0])), findings[0]
    assert CANARY not in str(findings[0])


def test_a_variable_that_the_file_names_as_a_secret_may_be_set(tmp_path: Path) -> None:
    text = in_api('auth = { bearer = { env = "BATCH_API_TOKEN" } }')
    assert found(tmp_path, text, BATCH_API_TOKEN=CANARY, BATCH_CONFIG="x", BATCH_WORKERS="2") == ()


TWELVE = f"""
[service]
output_rot = "x"
workers = 0

[api.people]
method = "GTE"
url = "https://{{host}}/x"
vars = {{ name = "join(' ', [a" }}
headers = {{ X-Api-Key = "{CANARY}" }}
attempts = "3"
[api.people.answer]
rules = [
  {{ status = 404, then = "not_fond" }},
  {{ status = 429, then = "retry", for = "1h" }},
]

[feed.contacts]
inbox = "inbox"
api = "peple"

[feed.more]
inbox = "inbox"
settle = 2
"""


def test_a_file_with_twelve_mistakes_shows_twelve_in_the_order_of_their_lines(tmp_path: Path) -> None:
    findings = found(tmp_path, TWELVE)
    assert [each.line for each in findings] == [3, 4, 7, 8, 9, 10, 11, 14, 15, 20, 23, 24]
    message = str(WrongConfiguration(findings))
    assert str(findings[0]) in message
    assert "and 11 more; 'batchctl config check' shows all" in message
    assert CANARY not in f"{findings} {message}"


@pytest.mark.parametrize(
    ("content", "place", "what"),
    [
        (b"a = 1\nb = = 2\n", ":2", "is no TOML: Invalid value; see https://toml.io"),
        (b"a = 1\nb = [1,\n", ":2", "is no TOML"),
        (b"a = 1\na = 2\n", ":2", "is no TOML: Cannot overwrite a value"),
        (b"a = 1\nb = '\xff'\n", ":2", "is not in UTF-8"),
        (b"a = " + b"[" * 100_000, "", "is nested too deep"),
        (b" " * 5_000_000, "", "is no configuration file: it is longer than"),
        (None, "", "cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_read_says_why_and_where(
    tmp_path: Path, content: bytes | None, place: str, what: str
) -> None:
    path = tmp_path / "batchd.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WrongConfiguration, match=what) as wrong:
        read_file(path)
    assert str(wrong.value).startswith(f"{path}{place}: ")
