"""Whether a file that is not UTF-8 is cp1252, or has evidence against it."""

from __future__ import annotations

from activities.source.detection.doubt import DoubtfulDialect
from activities.source.utf8_scan import Utf8Scan
from workflows.errors import shortened
from workflows.ids import printable

_WITH_RUNS = ("cp1251", "koi8-r", "cp866", "cp1253", "gbk", "shift_jis", "euc_kr")
_WITH_SIGNS = ("cp850", "mac-roman", "cp1250", "cp1254", "cp852", "shift_jis")
_MOST_CANDIDATES = 3


def check_encoding(scan: Utf8Scan) -> None:
    """Check a file whose encoding was guessed from its bytes.

    Raises:
        DoubtfulDialect: it was guessed to be cp1252, and is most likely something else.
    """
    if scan.encoding() != "cp1252":
        return
    seen = scan.high_bytes
    if scan.has_both:
        evidence = "some of its characters are UTF-8 and others are not"
    elif seen.undefined:
        evidence = f"{seen.undefined:,} of its bytes mean nothing there"
    elif seen.has_runs:
        evidence = "it has long runs of bytes that no Western language has"
    elif seen.has_odd_signs:
        evidence = f"{seen.odd:,} signs stand inside words"
    else:
        return
    what = f"it is not UTF-8, and hardly cp1252: {evidence}"
    readings = candidates(scan)
    todo = f"save it in UTF-8, or set the encoding{_such_as(readings)} (BATCH_ENCODING, or encoding for its feed)"
    raise DoubtfulDialect("encoding", what + _shown(seen.excerpt, readings), logged=what, todo=todo)


def candidates(scan: Utf8Scan) -> dict[str, str]:
    """Return the encodings in which a doubtful word is letters alone, likely ones first, each with that word."""
    word = scan.high_bytes.excerpt
    names = _WITH_RUNS if scan.high_bytes.has_runs else _WITH_SIGNS
    found: dict[str, str] = {}
    for name in ("utf-8", *names) if scan.has_both else names:
        try:
            text = word.decode(name)
        except UnicodeDecodeError:
            continue
        if text and all(each.isalpha() or each == " " for each in text):
            found[name] = text
    return dict(list(found.items())[:_MOST_CANDIDATES])


def _such_as(readings: dict[str, str]) -> str:
    settable = [name for name in readings if name not in {"gbk", "shift_jis"}]
    return f", such as {settable[0]}" if settable else ""


def _shown(word: bytes, readings: dict[str, str]) -> str:
    if not word:
        return ""
    as_cp1252 = shortened(printable(word.decode("cp1252", "replace")), 24)
    others = "".join(f", in {name} {shortened(printable(text), 24)}" for name, text in readings.items())
    return f" (one word in cp1252 is {as_cp1252}{others})"
