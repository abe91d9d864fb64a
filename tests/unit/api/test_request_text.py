"""Requests as people read them: exact, and without a secret."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from activities.api.mapping.request_text import RequestText, SecretPlace
from workflows.api_spec import ApiSpec, BulkSpec


def spec(**given: Any) -> ApiSpec:
    return ApiSpec(**{"name": "people", "url": "https://api.example.com/people", **given})


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
    text = RequestText(api, {"key": SecretPlace(env="GEO_KEY")}, {"Authorization": token})
    assert text.http(text.plan.request({"email": "e@f.g"}, b"", "key-1")).split("\n") == [
        "GET /find?email=e%40f.g&key=(from $GEO_KEY) HTTP/1.1",
        "Host: api.example.com",
        "X-Source: batchd",
        "Authorization: Bearer (from /run/credentials/people)",
        "Idempotency-Key: key-1",
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
    text = RequestText(api, {"key": SecretPlace(env="GEO_KEY")}, {"X-Api-Key": SecretPlace(file=str(kept))})
    line = text.curl(text.plan.request({"x": "a'b"}, b'{"x":"it\'s\n$(id) \xc3\xa9"}', "key-1"))
    assert "hunter2" not in line
    assert arguments_of(line, GEO_KEY="k3y") == [
        "-sS",
        "-X",
        "PATCH",
        "https://api.example.com/it's/a%27b?key=k3y",
        "-H",
        'X-Quote: it\'s "$HOME" `x`',
        "-H",
        "X-Api-Key: hunter2",
        "-H",
        "Content-Type: application/json",
        "-H",
        "Idempotency-Key: key-1",
        "--data-raw",
        '{"x":"it\'s\n$(id) é"}',
    ]


def test_a_simple_call_is_a_simple_line() -> None:
    text = RequestText(spec(method="GET", url="https://api.example.com/people{?email}"))
    line = text.curl(text.plan.request({"email": "a@b.c"}, b"", "k1"))
    assert line == "curl -sS 'https://api.example.com/people?email=a%40b.c' -H 'Idempotency-Key: k1'"


def test_a_body_follows_after_an_empty_line_and_a_form_says_that_it_is_one() -> None:
    text = RequestText(spec(encode="form"))
    assert text.http(text.plan.request({"a": "b c"}, b"", "k1")).split("\n") == [
        "POST /people HTTP/1.1",
        "Host: api.example.com",
        "Content-Type: application/x-www-form-urlencoded",
        "Idempotency-Key: k1",
        "",
        "a=b+c",
    ]


def test_a_bulk_call_goes_to_its_own_host() -> None:
    text = RequestText(spec(bulk=BulkSpec(url="https://bulk.example.com/m", size=2, body="rows", results="r")))
    assert text.plan.bulk is not None
    line = text.curl(text.plan.bulk([{"a": "b"}], ["k"]))
    assert line.startswith("curl -sS https://bulk.example.com/m -H 'Content-Type: application/json'")


def test_where_a_secret_is_kept_nowhere_only_stars_are_shown() -> None:
    text = RequestText(spec(secret_headers=["X-Key"]), headers={"X-Key": SecretPlace()})
    outgoing = text.plan.request({}, b"{}", "k")
    assert "X-Key: ***" in text.http(outgoing)
    assert "'X-Key: ''***'" in text.curl(outgoing)
