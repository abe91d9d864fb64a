"""An installation in which every secret, cell and answer is a word that is found again wherever it is written."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from described_api import Answered, Asked, DescribedApi, described_api
from installation import Installation
from tls_api import certificate, front

CELL, ANSWER = "canary-cell", "canary-answer"
MISTAKE = "mistake-of-ours"

SECRETS = {
    name: f"canary-secret-{name}"
    for name in (
        *("bearer", "header", "variable", "address", "user", "oauth", "access", "proxy"),
        *("temporal", "grpc", "collector"),
    )
}
"""One for each way in which a secret reaches batchd; `access` is what the token endpoint gives."""

ENDS: dict[str, Callable[[Asked], Answered]] = {
    "fine": lambda _: (200, _json({"title": f"{ANSWER}-title"})),
    "unknown": lambda asked: (404, _echo(asked)),
    "broken": lambda asked: (500, _echo(asked)),
    "refused": lambda asked: (422, _echo(asked)),
    "forbidden": lambda asked: (403, _echo(asked)),
    "unauthorized": lambda asked: (401, _echo(asked), {"WWW-Authenticate": f'Bearer realm="{ANSWER}"'}),
    "no-json": lambda asked: (200, b"<html>" + _echo(asked)),
    "another-shape": lambda _: (200, _json([f"{ANSWER}-list"])),
    "moved": lambda asked: (302, _echo(asked), {"Location": f"/{ANSWER}{asked.target}"}),
    "slower": lambda asked: (429, _echo(asked), {"Retry-After": f"{ANSWER}-later"}),
    "gzip": lambda _: (200, f"{ANSWER}-gzip".encode(), {"Content-Encoding": "gzip"}),
    "no-header": lambda _: (200, b"{}", {f"{ANSWER}-name": f"{ANSWER}\x01value"}),
    "mistake": lambda _: (200, _json({"title": f"{ANSWER}-{MISTAKE}"})),
    "paid": lambda asked: (402, _echo(asked)),
}
"""How a row's call ends, by the first of its cells. What can be is an echo of the request, as bad APIs do it."""

ENDS_OF_ROWS = [each for each in ENDS if each not in {"forbidden", "unauthorized", "mistake", "paid"}]
"""Those that are one row's own."""

PLUGIN = f"""\
import orjson
def loads(content, loads=orjson.loads):
    if isinstance(content, (bytes, bytearray, memoryview)) and b"{MISTAKE}" in bytes(content):
        raise KeyError("what nobody foresaw")
    return loads(content)
orjson.loads = loads
"""
"""Makes reading one kind of answer fail in a way that no code expects; Python runs it as `sitecustomize`."""


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _echo(asked: Asked) -> bytes:
    return _json({"error": f"{ANSWER}-echo", "target": asked.target, **asked.headers, "body": asked.body.decode()})


def answer(asked: Asked) -> Answered:
    """Answer as the row asks for; where it is a token that is asked for, give one."""
    if asked.target.startswith("/token"):
        return 200, _json({"access_token": SECRETS["access"], "token_type": "Bearer", "expires_in": 3600})
    found = re.search(r"end-([a-z-]+)-row", unquote(asked.target) + asked.body.decode())
    return ENDS[found[1] if found else "fine"](asked)


def file_of(*ends: str, times: int = 1) -> str:
    """Return a CSV file whose rows end so, each of its cells with a canary."""
    rows = [f"end-{end}-row,{CELL}-{number}-{end},{CELL}-name" for number in range(times) for end in ends]
    return "\n".join(["end,email,name", *rows, ""])


FILES = {
    "rows.csv": file_of(*ENDS_OF_ROWS, times=2),
    "forbidden.csv": file_of("forbidden", times=12),
    "unauthorized.csv": file_of("unauthorized", times=12),
    "mistake.csv": file_of("fine", "mistake", times=3),
    "quote.csv": f'end,"{CELL}-header\n{CELL},2,3\n',
    "ragged.csv": f"end,email,name\n{CELL}\n{CELL}-x,{CELL}\n",
    "twice.csv": f"same,same\n{CELL},2\n",
    "some.csv": file_of("fine") + f'{CELL}-ragged\n"{CELL}"-bare,2,3\n{CELL}\0,2,3\n',
    "paid.csv": file_of("fine", "paid"),
    "wide.csv": f"end,email,name\nend-fine-row,{CELL}{'x' * 200_000},y\n",
}
"""Files that come to every end there is."""


@contextmanager
def apis_of_canaries(site: Installation) -> Iterator[list[DescribedApi]]:
    """Describe four feeds, each with an API that is reached in another way; yield what answers them."""
    own, client = certificate(site.root, "api"), certificate(site.root, "client")
    tls = front(own)
    tls.load_verify_locations(client)
    tls.verify_mode = ssl.CERT_REQUIRED
    with described_api(answer, tls=tls) as secured, described_api(answer) as plain:
        for name in ("bearer", "header", "user", "oauth"):
            (site.root / name).write_text(SECRETS[name])
        (site.root / "proxy").write_text(plain.url.replace("//", f"//user:{SECRETS['proxy']}@"))
        site.set(HEADER=SECRETS["variable"], ADDRESS=SECRETS["address"])
        oauth2 = f'token_url = "{plain.url}/token", client_id = "batchd", client_secret = {{ file = "oauth" }}'
        site.describe_feeds(
            f"""
[api.secured]
attempts = 2
url = "{secured.url}/x{{?end,email,key}}"
vars = {{ key = {{ env = "ADDRESS" }} }}
headers = {{ X-Api-Key = {{ file = "header" }}, X-Other = {{ env = "HEADER" }} }}
auth = {{ bearer = {{ file = "bearer" }} }}
tls = {{ ca = "{own}", cert = "{client}", key = "{client}" }}
answer = {{ rules = [{{ status = 402, then = "pause", code = "credits_gone" }}] }}
[api.token]
attempts = 2
url = "{plain.url}/y"
auth = {{ oauth2 = {{ {oauth2} }} }}
[api.basic]
attempts = 2
url = "{plain.url}/z"
auth = {{ basic = {{ user = "me", password = {{ file = "user" }} }} }}
[api.proxied]
attempts = 2
url = "{plain.url}/w"
proxy = {{ file = "proxy" }}
""",
            {name: {"inbox": str(inbox_of(site, name)), "api": name, "page_rows": 5} for name in FEEDS},
        )
        yield [secured, plain]


FEEDS = ("secured", "token", "basic", "proxied")


def inbox_of(site: Installation, feed: str) -> Path:
    """Return the inbox of a feed, made where it is not there."""
    inbox = site.root / f"inbox-{feed}"
    inbox.mkdir(exist_ok=True)
    return inbox


def key_lines(site: Installation) -> list[str]:
    """Return the lines of the key of the client certificate."""
    pem = (site.root / "client.pem").read_text()
    return [line for line in pem.partition("-----END PRIVATE KEY")[0].splitlines() if not line.startswith("-")]


def holders(folder: Path, words: list[str]) -> list[str]:
    """Return the paths, below `folder`, of the files that hold one of `words`."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    found = re.compile("|".join(map(re.escape, words)).encode())
    return sorted(str(path.relative_to(folder)) for path in files if found.search(path.read_bytes()))
