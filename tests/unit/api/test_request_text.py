"""Requests as people read them: exact, and without a secret."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from activities.api.mapping.request_text import RequestText, SecretPlace
from activities.api.options import ApiOptions
from workflows.api_spec import ApiSpec, BulkSpec


def spec(**given: Any) -> ApiSpec:
    return ApiSpec(**{"name": "people", "url": "https://api.example.com/people", **given})


def text_of(api: ApiSpec, *places: dict[str, SecretPlace], **options: Any) -> RequestText:
    return RequestText(api, ApiOptions(**{"url": api.url, "user_agent": "batchd/1", **options}), *places)


def arguments_of(line: str, **environment: str) -> list[str]:
    """Return what a POSIX shell would call curl with."""
    script = "curl() { for each; do printf '%s\\0' \"$each\"; done; }\n" + line
    done = subprocess.run(
        ["/bin/sh", "-c", script], capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )
    return done.stdout.split("\0")[:-1]


def test_a_request_reads_as_it_goes_out_with_its_secrets_hidden() -> None:
    api = spec(
        method="GET",
        url="https://api.example.com/find{?email,key}",
        headers={"X-Source": "batchd"},
        secret_headers=["Authorization"],
        secret_vars=["key"],
    )
    token = SecretPlace(file="/run/credentials/people", before="Bearer ")
    text = text_of(api, {"key": SecretPlace(env="GEO_KEY")}, {"Authorization": token})
    assert text.http(text.plan.request({"email": "e@f.g"}, b"", "key-1")).split("\n") == [
        "GET /find?email=e%40f.g&key=(from $GEO_KEY) HTTP/1.1",
        "Host: api.example.com",
        "User-Agent: batchd/1",
        "Accept: application/json",
        "Accept-Encoding: identity",
        "X-Source: batchd",
        "Idempotency-Key: key-1",
        "Authorization: Bearer (from /run/credentials/people)",
    ]


def test_a_curl_line_can_be_pasted_into_a_shell_that_finds_the_secrets_itself(tmp_path: Path) -> None:
    kept = tmp_path / "it's a secret"
    kept.write_text("hunter2\n")
    api = spec(
        method="PATCH",
        url="https://api.example.com/it's/{x}{?key}",
        headers={"X-Quote": 'it\'s "$HOME" `x`'},
        secret_headers=["X-Api-Key"],
        secret_vars=["key"],
    )
    text = text_of(api, {"key": SecretPlace(env="GEO_KEY")}, {"X-Api-Key": SecretPlace(file=str(kept))})
    line = text.curl(text.plan.request({"x": "a'b"}, b'{"x":"it\'s\n$(id) \xc3\xa9"}', "key-1"))
    assert "hunter2" not in line
    assert arguments_of(line, GEO_KEY="k3y") == [
        "-sS",
        "-X",
        "PATCH",
        "https://api.example.com/it's/a%27b?key=k3y",
        "-A",
        "batchd/1",
        "-H",
        "Content-Type: application/json",
        "-H",
        "Accept: application/json",
        "-H",
        'X-Quote: it\'s "$HOME" `x`',
        "-H",
        "Idempotency-Key: key-1",
        "-H",
        "X-Api-Key: hunter2",
        "--data-raw",
        '{"x":"it\'s\n$(id) é"}',
    ]


def test_a_simple_call_is_a_simple_line() -> None:
    text = text_of(spec(method="GET", url="https://api.example.com/people{?email}"))
    line = text.curl(text.plan.request({"email": "a@b.c"}, b"", "k1"))
    assert line == (
        "curl -sS 'https://api.example.com/people?email=a%40b.c' -A batchd/1 -H 'Accept: application/json' "
        "-H 'Idempotency-Key: k1'"
    )


def test_a_body_follows_after_an_empty_line_and_a_form_says_that_it_is_one() -> None:
    text = text_of(spec(encode="form"))
    assert text.http(text.plan.request({"a": "b c"}, b"", "k1")).split("\n") == [
        "POST /people HTTP/1.1",
        "Host: api.example.com",
        "User-Agent: batchd/1",
        "Accept: application/json",
        "Accept-Encoding: identity",
        "Content-Type: application/x-www-form-urlencoded",
        "Idempotency-Key: k1",
        "Content-Length: 5",
        "",
        "a=b+c",
    ]


def test_a_bulk_call_goes_to_its_own_host() -> None:
    text = text_of(spec(bulk=BulkSpec(url="https://bulk.example.com/m", size=2, body="rows", results="r")))
    assert text.plan.bulk is not None
    line = text.curl(text.plan.bulk([{"a": "b"}], ["k"]))
    assert line.startswith("curl -sS https://bulk.example.com/m -A batchd/1 -H 'Content-Type: application/json'")


def test_where_a_secret_is_kept_nowhere_only_stars_are_shown() -> None:
    text = text_of(spec(secret_headers=["X-Key"]), {}, {"X-Key": SecretPlace()})
    outgoing = text.plan.request({}, b"{}", "k")
    assert "X-Key: ***" in text.http(outgoing)
    assert "'X-Key: ''***'" in text.curl(outgoing)


def test_basic_credentials_are_a_user_and_where_the_password_is() -> None:
    place = SecretPlace(env="PW", user="anna")
    text = text_of(spec(), {}, {"Authorization": place})
    request = text.plan.request({}, b"{}", "k")
    assert "Authorization: (user anna, password from $PW)" in text.http(request)
    arguments = arguments_of(text.curl(request), PW="hunter2")
    assert arguments[arguments.index("-u") + 1] == "anna:hunter2"
    assert not [each for each in arguments if each.startswith("Authorization")]


def test_curl_trusts_and_goes_through_what_batchd_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    files = {"ca_file": "/etc/ca.pem", "cert_file": "/etc/our cert.pem", "key_file": "/etc/our.key"}

    def arguments(proxy: str | None) -> list[str]:
        text = text_of(spec(), proxy=proxy, **files)
        return arguments_of(text.curl(text.plan.request({}, b"{}", "k")))

    found = arguments("http://other:3128")
    assert found[2:8] == ["--cacert", "/etc/ca.pem", "--cert", "/etc/our cert.pem", "--key", "/etc/our.key"]
    assert found[8:10] == ["-x", "http://other:3128"]
    assert arguments("")[8:10] == ["--noproxy", "*"]
    assert not {"-x", "--noproxy"} & set(arguments(None))
