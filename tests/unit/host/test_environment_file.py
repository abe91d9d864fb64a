"""Files of variables are read as systemd reads them.

What each text gives is what `load_env_file` of libsystemd-shared gave for it; but for the comment with a backslash at
its end, all are the same since systemd 252.
"""

from __future__ import annotations

import pytest

from batchd.host.environment_file import variables


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A=1\nB=2", {"A": "1", "B": "2"}),
        ("# A=1\n; B=2\n\nC=3\n", {"C": "3"}),
        ("A=1\nA=2\n", {"A": "2"}),
        ("  A = x y  \n", {"A": "x y"}),
        ("A=\n", {"A": ""}),
        ('A="x y  "\n', {"A": "x y  "}),
        ("A='x \"y\" \\n'\n", {"A": 'x "y" \\n'}),
        ('A="a \\"b\\" \\n"\n', {"A": 'a "b" \\n'}),
        ("A=x\\\ny\nB=2\n", {"A": "xy", "B": "2"}),
        ('A="x\ny"\nB=2\n', {"A": "x\ny", "B": "2"}),
        ("A=x#y\n", {"A": "x#y"}),
        ("A=$HOME/`x`\n", {"A": "$HOME/`x`"}),
        ("export A=1\nno line\n=3\nB=2\n", {"B": "2"}),
        ("# it's\nA=1\n", {"A": "1"}),
        ("# x\\\nA=1\n", {"A": "1"}),
        ("A=don't\nB=x\"y\nC=3\n", {"A": "don't", "B": 'x"y', "C": "3"}),
        ("it's no line\nA=1\n", {"A": "1"}),
        ("A='a'b'c'\n", {"A": "ab'c'"}),
        ("A='a' \"b\" c \n", {"A": "abc"}),
        ("A=x\\  \nB=2\n", {"A": "x ", "B": "2"}),
        ("A=1\r\nB=\r\n", {"A": "1", "B": ""}),
        ("A=x \\\n y\nB=\\x\\\\", {"A": "x  y", "B": "x\\"}),
        ("A='x\nB=1", {"A": "x\nB=1"}),
        ('A="x\\', {"A": "x"}),
        ("A=x \\", {"A": "x "}),
        ("", {}),
    ],
)
def test_variables_are_those_that_systemd_would_set(text: str, found: dict[str, str]) -> None:
    assert variables(text) == found
