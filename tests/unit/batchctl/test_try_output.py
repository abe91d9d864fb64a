"""What `batchctl try` prints against the mock API, in windows and in a pipe: the page in docs/ shows exactly this."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from installation import Installation
from rich.cells import cell_len
from terminal_window import BATCHCTL, in_window

PAGE = Path(__file__).parents[3] / "docs" / "batchctl.md"
ROWS = "email,first_name,last_name\nada@example.com,Ada,Lovelace\nnobody@example.com,No,Body\n"
IN_50_COLUMNS = """\
file     contacts.csv (utf-8, commas): email,
         first_name, last_name
feed     contacts
api      people: GET http://127.0.0.1:3001/people
         {?email,name}
over     Neither a proxy nor HTTP/2 is asked for,
         so calls go over the fast transport.

── row 1, line 2 ─────────────────────────────────
GET http://127.0.0.1:3001/people?
  email=ada%40example.com&name=Ada%20Lovelace
Host: 127.0.0.1:3001
User-Agent: batchd/0.3.0
Accept: application/json
Accept-Encoding: gzip
Idempotency-Key: contacts-b724695ac8a4-1
X-Api-Key: (from $PEOPLE_KEY)

AS CURL
curl -sS 'http://127.0.0.1:3001/people?email=ada%40example.com&name=Ada%20Lovelace' \\
  -A batchd/0.3.0 \\
  -H 'Accept: application/json' \\
  -H 'Idempotency-Key: contacts-b724695ac8a4-1' \\
  -H 'X-Api-Key: '"$PEOPLE_KEY"
"""


@pytest.fixture
def page(installation: Callable[..., Installation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The section of the page; its file and its API are there, and this is where they are."""
    base = installation().mock_api(FAILURE_RATE="0", LATENCY_MIN_MS="0", LATENCY_MAX_MS="0")
    section = PAGE.read_text().partition("\n## try\n")[2].partition("\n## ")[0]
    monkeypatch.chdir(tmp_path)
    for name in [each for each in os.environ if each.startswith("BATCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PEOPLE_KEY", "hunter-2")
    (tmp_path / "contacts.csv").write_text(ROWS)
    (tmp_path / "batchd.toml").write_text(block(section, "toml").replace("http://127.0.0.1:3001", base))
    return section


def block(section: str, kind: str = "") -> str:
    found = re.search(rf"```{kind}\n(.*?)\n```", section, re.DOTALL)
    assert found
    return found[1]


def same_everywhere(text: str) -> list[str]:
    """Return lines without what differs from run to run; a window's empty lines are not seen here."""
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:3001", text)
    text = re.sub(r"try-[0-9a-f]{6}-", "try-000000-", text)
    text = re.sub(r" in [\d,]+ ms", " in 0 ms", text)
    text = re.sub(r"batchd/[\w.]+", "batchd/0", text)
    return [each for each in text.splitlines() if each]


def test_a_window_of_80_columns_shows_what_the_page_does(page: str) -> None:
    code, lines, err = in_window(80, "try", "contacts.csv", "--rows", "2", "--send")
    assert code == 0
    shown = block(page.partition("```toml")[2].partition("```\n")[2])
    assert same_everywhere("\n".join([*lines, err])) == same_everywhere(shown.partition("\n")[2])
    assert max(cell_len(each) for each in lines if not each.startswith("curl ")) <= 80


def test_a_narrow_window_cuts_nothing_that_goes_out(page: str) -> None:
    code, lines, _ = in_window(50, "try", "contacts.csv", "--rows", "1")
    assert code == 0
    assert same_everywhere("\n".join(lines)) == same_everywhere(IN_50_COLUMNS)


def test_a_pipe_gets_everything_whole_and_each_curl_on_one_line(page: str) -> None:
    command = [BATCHCTL, "try", "contacts.csv", "--rows", "2", "--send"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
    assert "\x1b" not in done.stdout
    assert done.stderr == "batchctl: 2 rows: 1 done, 1 not found\n"
    assert "hunter" not in done.stdout
    lines = done.stdout.splitlines()
    curls = [each for each in lines if each.startswith("curl ")]
    assert [each.endswith("""-H 'X-Api-Key: '"$PEOPLE_KEY\"""") for each in curls] == [True, True]
    assert (
        '{"email":"ada@example.com","first_name":"Ada","last_name":"Lovelace","_row":1,"enriched":true,'
        '"seniority":"manager","title":"account manager"}'
    ) in lines
