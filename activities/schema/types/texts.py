"""`string` in its formats, and `any`: the value is the cell as it stands."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from activities.schema.field import Field
from activities.schema.findings import Unusable
from activities.schema.types.cell_type import LENGTH, CellType

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+"
_LABEL = r"[A-Za-z0-9\u0080-\U0010ffff](?:[A-Za-z0-9\u0080-\U0010ffff-]{0,61}[A-Za-z0-9\u0080-\U0010ffff])?"
_LONGEST_ADDRESS = 254

_UNRESERVED = r"A-Za-z0-9\-._~!$&'()*+,;="
_PCHAR = rf"(?:[{_UNRESERVED}:@]|%[0-9A-Fa-f]{{2}})"
_HOST = rf"(?:\[[0-9A-Fa-fv:.{_UNRESERVED}]+\]|(?:[{_UNRESERVED}]|%[0-9A-Fa-f]{{2}})*)"
_AUTHORITY = rf"(?:(?:[{_UNRESERVED}:]|%[0-9A-Fa-f]{{2}})*@)?{_HOST}(?::[0-9]*)?"
_PATH = rf"(?://{_AUTHORITY}(?:/{_PCHAR}*)*|/(?:{_PCHAR}+(?:/{_PCHAR}*)*)?|{_PCHAR}+(?:/{_PCHAR}*)*)?"

_FORMATS = {
    # RFC 5321 section 4.1.2, with the letters of RFC 6531; a domain has a point in it.
    "email": re.compile(rf"(?=.{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})+"),
    # RFC 3986 appendix A, with a scheme.
    "uri": re.compile(rf"[A-Za-z][A-Za-z0-9+.-]*:{_PATH}(?:\?(?:{_PCHAR}|[/?])*)?(?:#(?:{_PCHAR}|[/?])*)?"),
    # RFC 4648 section 4.
    "binary": re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"),
    "uuid": re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"),
}


def string_type(field: Field) -> CellType:
    """Return the type of text.

    Raises:
        Unusable: there is no such format.
    """
    served = LENGTH | {"pattern", "categories"}
    if field.format == "default":
        return CellType(read=_as_it_is, identity=_as_it_is, served=served, reads_all=True)
    if field.format not in _FORMATS:
        raise Unusable(
            "format", f"there is no format {field.format!a} of text; there is default, {', '.join(_FORMATS)}"
        )
    read = _fitting(_FORMATS[field.format].fullmatch, _LONGEST_ADDRESS if field.format == "email" else None)
    return CellType(read=read, broken="format", identity=_as_it_is, served=served)


def any_type() -> CellType:
    """Return the type of what is not looked at."""
    return CellType(read=_as_it_is, identity=_as_it_is, reads_all=True)


def _as_it_is(cell: str) -> str:
    return cell


def _fitting(fullmatch: Callable[[str], Any], most_chars: int | None) -> Callable[[str], str]:
    def read(cell: str) -> str:
        if fullmatch(cell) is None or (most_chars is not None and len(cell) > most_chars):
            raise ValueError("it is not of this format")
        return cell

    return read
