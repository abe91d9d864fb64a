"""The text encodings a file may be in: those in which a byte below 0x80 is that ASCII character and nothing else.

Records are cut out of bytes before they are decoded, so a comma, a quote or a line end may never be a part of another
character (as in GBK, Big5, Shift JIS), and no other byte may stand for one (as in the Arabic Mac encoding). UTF-16 is
the exception: it is cut by code units.
"""

from __future__ import annotations

import codecs

_DOS = (437, 720, 737, 775, 850, 852, 855, 857, 858, 860, 861, 862, 863, 865, 866, 869, 1125)
_MAC = ("roman", "latin2", "croatian", "cyrillic", "greek", "iceland", "romanian", "turkish")

READABLE = frozenset(
    [
        *("utf-8", "utf-16-le", "utf-16-be", "ascii"),
        *(f"iso8859-{part}" for part in range(1, 17) if part != 12),  # noqa: PLR2004 - there never was a part 12
        *(f"cp{page}" for page in (*range(1250, 1259), 874, *_DOS)),
        *(f"mac-{script}" for script in _MAC),
        *("koi8-r", "koi8-u", "koi8-t", "kz1048", "ptcp154", "tis-620", "hp-roman8"),
        *("euc_jp", "euc_kr", "gb2312"),
    ]
)
"""By Python's names."""


def readable(setting: str) -> str | None:
    """Return Python's name of the encoding `setting`, None where files in it are not read."""
    name = known(setting)
    if name == "utf-8-sig":
        return "utf-8"
    return name if name in READABLE else None


def known(setting: str) -> str | None:
    """Return Python's name of the encoding `setting`, None where it knows none."""
    try:
        return codecs.lookup(setting).name
    except (LookupError, ValueError):  # a NUL in it is a ValueError
        return None
