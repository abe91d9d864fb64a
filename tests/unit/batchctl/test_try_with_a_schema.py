"""`batchctl try` with a feed that has a schema: typed requests, and rows that would be rejected."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from batchctl_runner import Answer, BatchctlRunner
from described_api import described_api

SCHEMA = {
    "fields": [
        {"name": "id", "type": "integer", "aliases": ["No."], "constraints": {"unique": True}},
        {"name": "paid", "type": "number"},
    ]
}
ROWS = 'No.,paid\n1,"1,50"\n2,much\n1,2\n4,n/a\n'
Try = Callable[..., Answer]


@pytest.fixture
def trial(runner: BatchctlRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Try:
    for name in [each for each in os.environ if each.startswith("BATCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run(api: str, *arguments: str, rows: str = ROWS) -> Answer:
        (tmp_path / "contacts.csv").write_text(rows)
        (tmp_path / "people.json").write_text(json.dumps(SCHEMA))
        feed = '[feed.contacts]\ninbox = "inbox"\nschema = "people.json"\ndecimal = ","\nnull = "n/a"\n'
        (tmp_path / "batchd.toml").write_text(f"[api.people]\n{api}\n{feed}")
        return runner.run("try", "contacts.csv", "--rows", "4", *arguments)

    return run


def test_expressions_and_bodies_see_typed_values_and_the_names_of_the_fields(trial: Try) -> None:
    answer = trial('url = "http://127.0.0.1:1/{id}"\nbody = "{more: paid, high: paid > `1`, none: !paid}"', "--json")
    requests = [each["request"] for each in answer.json()["steps"] if each["request"]]
    assert [each["body"] for each in requests] == [
        '{"more":1.50,"high":true,"none":false}',
        '{"more":null,"high":null,"none":true}',
    ]
    assert requests[0]["address"].endswith("/1")


def test_a_row_that_the_schema_refuses_is_shown_with_its_column_and_rule_and_is_not_sent(trial: Try) -> None:
    answer = trial('url = "http://127.0.0.1:1/"')
    assert "schema: the column paid breaks the rule type of the schema" in " ".join(answer.out.split())
    assert '"reason":"schema","column":"No.","rule":"unique"' in answer.out
    assert "much" not in answer.out + answer.err
    assert "2 rows, 2 rejected" in answer.out + answer.err


def test_a_row_that_is_sent_stands_in_the_chunk_as_the_source_has_it(trial: Try) -> None:
    with described_api(lambda _: (200, b'{"id":1,"paid":1.5,"region":"EU"}')) as api:
        answer = trial(f'url = "{api.url}/"', "--send", "--json")
    assert [each.body for each in api.asked] == [b'{"id":1,"paid":1.50}', b'{"id":4,"paid":null}']
    elements = [json.loads(each["element"]) for each in answer.json()["steps"]]
    assert elements[0] == {"No.": "1", "paid": "1,50", "_row": 1, "enriched": True, "region": "EU"}
    assert (elements[3]["No."], elements[3]["paid"], elements[3]["api_paid"]) == ("4", "n/a", 1.5)


def test_a_header_that_lacks_columns_of_the_schema_is_named_before_anything_is_sent(trial: Try) -> None:
    answer = trial('url = "http://127.0.0.1:1/"', rows="name\nAda\n")
    assert answer.code != 0
    assert "contacts.csv: the header lacks the column(s)" in answer.err
