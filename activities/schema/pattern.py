r"""The `pattern` constraint: a regular expression of XML Schema, matched in time that grows with the text alone.

Python's `re` takes years over `(a+)+` and thirty letters, and holds up every other thread meanwhile. The engine that
pydantic brings (Rust's `regex`) cannot: it has no look-ahead and no references back, nor has XML Schema. What is
written otherwise there is put into its words here. `^` and `$` are the ends, as the specification's example has them,
though to XML Schema they are characters; `\d` and `\w` are digits and word characters of all scripts.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from pydantic_core import SchemaError, SchemaValidator, core_schema

_NAME_START = r"\p{L}_:"
_NAME = r"\p{L}\p{Nd}\p{M}._:\-\x{B7}"
_BLOCKS = {
    "BasicLatin": r"\x{0}-\x{7F}",
    "Latin-1Supplement": r"\x{80}-\x{FF}",
    "LatinExtended-A": r"\x{100}-\x{17F}",
    "LatinExtended-B": r"\x{180}-\x{24F}",
    "Greek": r"\x{370}-\x{3FF}",
    "Cyrillic": r"\x{400}-\x{4FF}",
    "Hebrew": r"\x{590}-\x{5FF}",
    "Arabic": r"\x{600}-\x{6FF}",
    "Hiragana": r"\x{3040}-\x{309F}",
    "Katakana": r"\x{30A0}-\x{30FF}",
    "CJKUnifiedIdeographs": r"\x{4E00}-\x{9FFF}",
}
_CLASSES = {
    r"\i": f"[{_NAME_START}]",
    r"\I": f"[^{_NAME_START}]",
    r"\c": f"[{_NAME}]",
    r"\C": f"[^{_NAME}]",
}
_TOKEN = re.compile(r"\\[pP]\{(?P<block>Is[^}]*)\}|\\.|-\[|\[\^?|\]|.", re.DOTALL)


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """Return whether a text matches `pattern` as a whole.

    Raises:
        ValueError: it is no regular expression, has what XML Schema has not, or is too large.
    """
    return matcher(_translated(pattern))


def matcher(pattern: str) -> Callable[[str], bool]:
    """Return whether a text matches `pattern` as a whole, which is in the words of the engine; as `compile_pattern`."""
    try:
        whole = core_schema.str_schema(pattern=rf"\A(?:{pattern})\z", regex_engine="rust-regex", strict=True)
        return SchemaValidator(whole).isinstance_python
    except SchemaError as error:
        problem = str(error).strip().splitlines()[-1].removeprefix("error: ").strip()
        raise ValueError(problem) from None


def _translated(pattern: str) -> str:
    """Return `pattern` in the words of the engine; brackets that do not close are left for it to refuse."""
    depth = 0
    parts: list[str] = []
    for found in _TOKEN.finditer(pattern):
        part = found[0]
        if found["block"]:
            part = _block(found["block"][2:], negated=part[1] == "P")
        elif depth and part == "-[":
            depth += 1
            part = "--["  # what is taken out of the class
        elif part in {"[", "[^"}:
            part = part if not depth else part.replace("[", r"\[")
            depth = depth or 1
        elif part == "]" and depth:
            depth -= 1
        elif depth and part in "&~":
            part = "\\" + part
        elif part == "." and not depth:
            part = r"[^\n\r]"
        parts.append(_CLASSES.get(part, part))
    return "".join(parts)


def _block(name: str, *, negated: bool) -> str:
    if name not in _BLOCKS:
        raise ValueError(f"the block Is{name} is not known; there is {', '.join('Is' + each for each in _BLOCKS)}")
    return f"[{'^' if negated else ''}{_BLOCKS[name]}]"
