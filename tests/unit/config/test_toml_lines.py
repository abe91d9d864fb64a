"""The line of every key, whatever way the file is written."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.config.grammar.toml_lines import KeyPath, key_lines

DOCUMENT = '''# a comment with [a.table] and key = 1
plain = 1
dotted."quoted.key".last = 2
text = """
[no.table]
no_key = 1 \\"""
"""

[table.inner] # a comment
'quoted' = 'a # b'
inline = { one = 1, two = { three = [1, "]", {four = 4}] } }
list = [ # a comment
  { first = 1, text = "}" },

  { second = """two
lines""" },
]
when = 2026-01-01 10:00:00

[[many]]
a = 1
[many.below]
b = 2
[[many]]
a = 3
[[many.nested]]
c = 4
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("plain",), 2),
        (("dotted",), 3),
        (("dotted", "quoted.key", "last"), 3),
        (("text",), 4),
        (("table",), 9),
        (("table", "inner"), 9),
        (("table", "inner", "quoted"), 10),
        (("table", "inner", "inline", "two", "three", 2, "four"), 11),
        (("table", "inner", "list", 0, "text"), 13),
        (("table", "inner", "list", 1), 15),
        (("table", "inner", "when"), 18),
        (("many", 0), 20),
        (("many", 0, "below", "b"), 23),
        (("many", 1, "a"), 25),
        (("many", 1, "nested", 0, "c"), 27),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_each_key_has_its_line(path: KeyPath, line: int, line_end: str) -> None:
    assert key_lines(DOCUMENT.replace("\n", line_end))[path] == line


def _paths(value: Any, path: KeyPath = ()) -> set[KeyPath]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return ({path} if path else set()).union(*(_paths(each, (*path, key)) for key, each in inner))


def test_nothing_of_a_document_is_without_a_line_and_nothing_else_has_one() -> None:
    assert set(key_lines(DOCUMENT)) == _paths(tomllib.loads(DOCUMENT))


_TEXTS = st.text(st.sampled_from("a\"'#[]{}=,.\\ \n"), max_size=8)
_VALUES = st.recursive(
    st.integers() | st.booleans() | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=8,
)


def _written(value: Any) -> str:
    """Write a value as TOML, lists over several lines."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_quoted(key)} = {_written(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[\n" + "".join(f"  {_written(each)}, # ]\n" for each in value) + "]"
    return _quoted(value) if isinstance(value, str) else str(value).lower()


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(_TEXTS, _VALUES, min_size=1, max_size=4))
def test_any_document_that_tomllib_reads_is_followed_to_its_end(document: dict[str, Any]) -> None:
    text = "".join(f"{_quoted(key)} = {_written(value)}\n" for key, value in document.items())
    assert tomllib.loads(text) == document
    lines = key_lines(text)
    assert set(lines) == _paths(document)
    for key in document:
        assert text.splitlines()[lines[key,] - 1].startswith(_quoted(key))
