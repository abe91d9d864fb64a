"""Names: deterministic, readable, and never a path."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.errors import InvalidBatchId
from workflows.ids import batch_id, checked_id, displayed, identity_key, printable, slug, workflow_id

SHA = "0" * 64


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("users.csv", "users"),
        ("Users 2024 (final).CSV", "users-2024-final"),
        ("a.b.csv", "a-b"),
        ("été.csv", "t"),
        ("---.csv", "file"),
        (".csv", "csv"),
        ("x" * 300 + ".csv", "x" * 40),
        ("a" * 39 + "-b.csv", "a" * 39),
        ("../../etc/passwd.csv", "etc-passwd"),
    ],
)
def test_the_slug_is_the_stem_in_lower_case_words_of_at_most_40_characters(name: str, expected: str) -> None:
    assert slug(name) == expected


@given(st.binary(min_size=1, max_size=255), st.sampled_from(["name+content", "content", "name"]))
def test_every_file_name_gives_a_valid_id_and_always_the_same(name: bytes, policy: str) -> None:
    key = identity_key(policy, name=name, sha256=SHA)  # type: ignore[arg-type]
    made = batch_id(name, key)
    assert checked_id(made) == made == batch_id(name, key)


def test_the_policy_says_what_makes_two_files_the_same() -> None:
    def same(policy: str, first: tuple[bytes, str], second: tuple[bytes, str]) -> bool:
        keys = [identity_key(policy, name=name, sha256=sha) for name, sha in (first, second)]  # type: ignore[arg-type]
        return keys[0] == keys[1]

    renamed = ((b"a.csv", "1" * 64), (b"b.csv", "1" * 64))
    rewritten = ((b"a.csv", "1" * 64), (b"a.csv", "2" * 64))
    assert [same(policy, *renamed) for policy in ("name+content", "content", "name")] == [False, True, False]
    assert [same(policy, *rewritten) for policy in ("name+content", "content", "name")] == [False, False, True]


@pytest.mark.parametrize(
    "value", ["", "users", "../users-0123456789ab", "users-0123456789AB", "users--0123456789ab", "users-0123456789ab\n"]
)
def test_what_is_not_an_id_is_refused_before_it_touches_a_path(value: str) -> None:
    with pytest.raises(InvalidBatchId):
        workflow_id(value)


def test_names_that_are_not_utf8_are_shown_escaped_and_cannot_steer_a_terminal() -> None:
    assert displayed(b"caf\xe9.csv") == "caf\\xe9.csv"
    assert printable("a\x1b[31mred\n.csv") == "a\\x1b[31mred\\n.csv"
