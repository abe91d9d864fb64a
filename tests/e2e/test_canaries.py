"""Secrets, cells and answers stand where they belong, and nowhere else: at DEBUG, whatever an API answers."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from canaries import (
    ANSWER,
    CELL,
    FILES,
    PLUGIN,
    SECRETS,
    apis_of_canaries,
    holders,
    inbox_of,
    key_lines,
)
from described_api import DescribedApi
from installation import Installation, Process, eventually, free_port
from otlp_collector import otlp_collector
from temporalio.client import Client

Make = Callable[..., Installation]

DROPS = [
    *(("secured", name) for name in FILES if name != "mistake.csv"),
    *(("token", name) for name in ("rows.csv", "forbidden.csv")),
    ("proxied", "rows.csv"),
    ("basic", "mistake.csv"),  # by itself: a call that met a mistake never ends
]
TAKEN = len(DROPS) - 2
"""Two files are refused: they become no batch."""

KEPT = {"bearer", "header", "user", "oauth", "proxy", "client.pem"}
"""The files in which an operator keeps secrets."""

BASIC = [
    base64.b64encode(f"{user}:{SECRETS[name]}".encode()).decode()
    for user, name in (("me", "user"), ("user", "proxy"), ("batchd", "oauth"))
]
"""Secrets as they are sent where there is a user beside them."""

ROWS = re.compile(
    r"inbox-\w+/(\.processing|archive|failed)/[^/]+/[^/]+\.csv"
    r"|out/batch-[^/]+/(chunk-\d+\.json|\.part-\d+)"
)
"""The files in which rows and answers are, see docs/output.md."""


@pytest.mark.system_tool("openssl", package="openssl")
@pytest.mark.parametrize("mode", ["cursor", "in-memory"])
def test_no_secret_no_cell_and_no_answer_is_where_it_does_not_belong(installation: Make, mode: str) -> None:
    site = installation(
        BATCH_LOG_LEVEL="DEBUG",
        BATCH_WORKERS="2",
        BATCH_HEALTH_ADDRESS=f"127.0.0.1:{free_port()}",
        TEMPORAL_API_KEY=SECRETS["temporal"],
        TEMPORAL_TLS="false",
        TEMPORAL_GRPC_META_X_TOKEN=SECRETS["grpc"],
    )
    site.temporal()
    (site.root / "sitecustomize.py").write_text(PLUGIN)
    with apis_of_canaries(site) as apis, otlp_collector() as collector:
        site.set(
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_EXPORTER_OTLP_HEADERS=f"x-token={SECRETS['collector']}",
            BATCH_TRACE_CALLS_EVERY="1",
        )
        if mode == "cursor":
            (site.root / "batchd.toml").write_text(_with(site, "in_memory_max_bytes = 0"))
        service = site.batchd(BATCHD_FAILPOINTS="call.answered:3:error:EIO", PYTHONPATH=str(site.root))
        for feed, name in DROPS:
            (inbox_of(site, feed) / name).write_text(FILES[name])
        _come_to_their_ends(site, service)
        seen = _said(site)
        service.stop()
        seen["log"] = service.log.read_text()
        seen["spans"] = repr(collector.spans)
        assert len(collector.named("call")) > 20, "calls are seen"
        _check_that_all_was_sent(apis)
        assert "rows.csv" in seen["log"], "what stands there is found"
        assert "rows.csv" in seen["history"], "what stands there is found"
        secrets = [*SECRETS.values(), *BASIC, *key_lines(site)]
        words = [*secrets, CELL, ANSWER]
        assert {(where, each) for where, text in seen.items() for each in words if each in text} == set()
        assert set(holders(site.root, secrets)) == KEPT
        with_rows = holders(site.root, [CELL, ANSWER])
        assert [each for each in with_rows if not ROWS.fullmatch(each)] == []
        assert any("chunk" in each for each in with_rows)


@pytest.mark.parametrize(
    "settings",
    [
        {"BATCH_API_URL": "http://me:canary-secret@127.0.0.1:99999/x"},
        {"BATCH_API_TOKEN": "canary-secret\ntwo lines"},
        {"BATCH_API_TOKEN_FILE": "token"},
        {"TEMPORAL_GRPC_META_X": "canary-secret\x01"},
        {"TEMPORAL_TLS_CLIENT_KEY_DATA": "canary-secret", "TEMPORAL_TLS_CLIENT_CERT_DATA": "canary-secret"},
    ],
    ids=["address", "token", "file", "header of Temporal", "key of Temporal"],
)
def test_a_secret_that_cannot_be_used_is_not_quoted(
    installation: Make, temporal_address: str, settings: dict[str, str]
) -> None:
    site = installation(
        BATCH_LOG_LEVEL="DEBUG", TEMPORAL_ADDRESS=temporal_address, BATCH_START_TIMEOUT_S="5", **settings
    )
    (site.root / "token").write_text("canary-secret\ntwo lines\n")
    service = site.batchd(ready=False)
    assert service.wait() == 2
    assert service.refusal()
    said = [service.log.read_text(), *(_text(site.batchctl(each)) for each in ("doctor", "config show"))]
    assert all("canary" not in each for each in said)


def _with(site: Installation, line: str) -> str:
    return (site.root / "batchd.toml").read_text().replace("[defaults]", f"[defaults]\n{line}")


def _come_to_their_ends(site: Installation, service: Process) -> None:
    """Return once each file has ended, or its batch stands still as it should; the mistakes are tried for ever."""

    def unfinished() -> list[str]:
        time.sleep(0.5)  # a look costs as much as some work
        return [
            f"{each['feed']} {each['source']['name']} {each['state']}"
            for each in _batches(site)
            if each["source"]["name"] != "mistake.csv" and each["state"] == "running"
        ]

    eventually(lambda: len(_batches(site)) >= TAKEN, "all are taken")
    eventually(lambda: "what nobody foresaw" in service.log.read_text(), "a mistake is met")
    end = time.monotonic() + 90
    while left := unfinished():
        assert service.running(), service.log.read_text()
        assert time.monotonic() < end, left


def _batches(site: Installation) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(site.batchctl("list", "--all", "--json").stdout)["batches"]
    return listed


def _said(site: Installation) -> dict[str, str]:
    """Return what everybody can be told: pages, commands, the histories, and the reasons in `failed/`."""
    seen = {}
    for path in ("readyz", "livez", "metrics"):
        with urllib.request.urlopen(f"http://{site.env['BATCH_HEALTH_ADDRESS']}/{path}", timeout=10) as page:
            seen[path] = page.read().decode()
    batches = _batches(site)
    commands = ["list --all", "list --json", "feeds", "doctor", "config show --origin"]
    commands += [f"{command} {each['id']}" for each in batches for command in ("status", "status --json")]
    commands += [f"explain {each['id']}" for each in batches if each["state"] == "failed"]
    seen |= {command: _text(site.batchctl(*command.split())) for command in commands}
    reasons = [*site.root.rglob("REASON.*"), *site.root.rglob("manifest.json"), *site.state_dir.rglob("*.json")]
    assert {each.name for each in reasons} > {"REASON.txt", "REASON.json", "manifest.json"}
    seen |= {str(each): each.read_text() for each in reasons}
    return seen | {"history": asyncio.run(_history(site.env["TEMPORAL_ADDRESS"]))}


def _text(done: Any) -> str:
    return str(done.stdout + done.stderr)


async def _history(address: str) -> str:
    """Return all events of all workflows, as text in which words of payloads stand as they are."""
    client = await Client.connect(address)
    events = [
        event.SerializeToString()
        async for each in client.list_workflows()
        async for event in client.get_workflow_handle(each.id, run_id=each.run_id).fetch_history_events()
    ]
    return b"\n".join(events).decode(errors="replace")


def _check_that_all_was_sent(apis: list[DescribedApi]) -> None:
    asked = repr([each.asked for each in apis])
    as_they_are = [SECRETS[each] for each in ("bearer", "header", "variable", "address", "access")]
    assert [each for each in (*as_they_are, *BASIC, CELL) if each not in asked] == []
