"""Text in another format under the name of CSV: JSON, SQL, RTF, parts of HTML pages."""

from __future__ import annotations

import re

from activities.source.detection.doubt import DoubtfulDialect

_FORMATS = (
    (re.compile(r'\s*(?:\{\s*"(?:[^"\\\n]|\\.)*"\s*:|\[\s*(?:\{|\[|"[^"\n]*"\s*,\s*[\[{]))'), "JSON"),
    (re.compile(r"\s*\{\\rtf"), "RTF, the format of a word processor"),
    (re.compile(r"\s*<(?:table|tr|body|div|head|meta|style|!--)[\s>-]", re.IGNORECASE), "a part of an HTML page"),
    (
        re.compile(
            r"(?>(?:\s|--[^\n]*\n|/\*(?:[^*]|\*(?!/))*\*/;?)*)(?:INSERT\s+INTO|CREATE\s+(?:TABLE|DATABASE|TEMP)|DROP\s+TABLE"
            r"|BEGIN\s+TRANSACTION|PRAGMA|START\s+TRANSACTION|COPY\s+\S+\s*\()\b.*?[;(]",
            re.IGNORECASE | re.DOTALL,
        ),
        "SQL",
    ),
)


def check_format(text: str) -> None:
    """Check the beginning of a file.

    Raises:
        DoubtfulDialect: it is in another format.
    """
    for pattern, name in _FORMATS:
        if pattern.match(text.lstrip("\ufeff")):
            what = f"this seems to be {name}, not a CSV file"
            raise DoubtfulDialect("format", what, logged=what, todo="save it as CSV text in UTF-8")
