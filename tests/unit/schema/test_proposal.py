"""A schema proposed from rows: it is read again, those rows fit it, and what is doubtful stays text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.schema.proposal import Proposer
from activities.schema.row_checker import RowChecker
from activities.schema.table_schema import parse_schema


def proposed(*cells: str) -> tuple[dict[str, Any], str]:
    """Return the field of a column of these cells, without its name, and what is doubtful about it."""
    proposer = Proposer(["a"])
    for cell in cells:
        proposer.look_at([cell])
    proposal = proposer.proposal()
    [field] = proposal.descriptor["fields"]
    assert field.pop("name") == "a"
    return field, "; ".join(proposal.doubts)


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        (["1", "-20", "0"], {"type": "integer"}),
        (["1", "2.5"], {"type": "number", "decimalChar": "."}),
        (["1", "2,5"], {"type": "number", "decimalChar": ","}),
        (["0.125", "1.250"], {"type": "number", "decimalChar": "."}),
        (["1.5", "2,5"], {"type": "string"}),
        (["007", "1"], {"type": "string"}),
        (["+49", "1"], {"type": "string"}),
        (["true", "FALSE"], {"type": "boolean"}),
        (["0", "1"], {"type": "integer"}),
        (["2024-01-26"], {"type": "date"}),
        (["26.01.2024", "01.02.2024"], {"type": "date", "format": "%d.%m.%Y"}),
        (["26/01/2024", "01/02/2024"], {"type": "date", "format": "%d/%m/%Y"}),
        (["01/26/2024", "01/02/2024"], {"type": "date", "format": "%m/%d/%Y"}),
        (["2024-01-26T10:00:00Z", "2024-01-26T10:00:00.5"], {"type": "datetime"}),
        (["2024-01-26 10:00:00"], {"type": "datetime", "format": "%Y-%m-%d %H:%M:%S"}),
        (["10:00:00"], {"type": "time"}),
        (["a@example.org"], {"type": "string", "format": "email"}),
        (["http://example.org/a"], {"type": "string", "format": "uri"}),
        (["note:this"], {"type": "string"}),
        (["95ecc380-afe9-11e4-9b6c-751b66dd541e"], {"type": "string", "format": "uuid"}),
        (['{"a":1}'], {"type": "object"}),
        (["[1,2]", "[]"], {"type": "array"}),
        (["1", "", "-", "NA"], {"type": "integer", "missingValues": ["", "-", "NA"]}),
        (["a", "-"], {"type": "string"}),
    ],
)
def test_a_column_gets_the_narrowest_type_that_loses_nothing(cells: list[str], field: dict[str, Any]) -> None:
    assert proposed(*cells) == (field, "")


@pytest.mark.parametrize(
    ("cells", "doubt"),
    [
        (["01/02/2024", "03/04/2024"], "day or month first"),
        (["1.234", "12.500"], "with a fraction or with thousands"),
        (["1,234"], "with a fraction or with thousands"),
        (["", "-"], "no row has a value"),
        ([], "no row has a value"),
    ],
)
def test_what_can_be_read_in_two_ways_is_text_and_said(cells: list[str], doubt: str) -> None:
    field, said = proposed(*cells)
    assert field == {"type": "string"}
    assert said.startswith("a: ")
    assert doubt in said


CELLS = st.one_of(
    st.sampled_from(
        ["", "-", "NA", "1", "0", "1.5", "1,5", "007", "true", "2024-01-26", "01/02/2024", "10:00:00", "[]"]
    ),
    st.text("0123456789.,-/: aE", max_size=8),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=8))
def test_the_rows_that_were_looked_at_fit_the_schema(rows: list[list[str]]) -> None:
    proposer = Proposer(["a", "b__2"])
    for row in rows:
        proposer.look_at(row)
    proposal = proposer.proposal()
    schema = parse_schema(json.dumps(proposal.descriptor))
    checker = RowChecker.compile(schema, ["a", "b__2"], null=None, decimal=",")
    assert proposal.rows == len(rows)
    assert [checker.fault(row) for row in rows] == [None] * len(rows)
