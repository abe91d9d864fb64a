"""`string` in its formats, and `any`: the value is the cell as it stands."""

from __future__ import annotations

from collections.abc import Callable

from activities.schema.field import Field
from activities.schema.findings import Unusable
from activities.schema.pattern import matcher
from activities.schema.types.cell_type import LENGTH, CellType, as_it_is

_WIDE = r"\x{80}-\x{10FFFF}"
_ATOM = rf"[A-Za-z0-9!#$%\&'*+/=?^_`{{|}}\~{_WIDE}\-]+"
_LABEL = rf"[A-Za-z0-9{_WIDE}](?:[A-Za-z0-9{_WIDE}\-]{{0,61}}[A-Za-z0-9{_WIDE}])?"
_LONGEST_LOCAL_PART, _LONGEST_ADDRESS = 64, 254

_UNRESERVED = r"A-Za-z0-9\-._\~!$\&'()*+,;="
_PCHAR = rf"(?:[{_UNRESERVED}:@]|%[0-9A-Fa-f]{{2}})"
_HOST = rf"(?:\[[0-9A-Fa-fv:.{_UNRESERVED}]+\]|(?:[{_UNRESERVED}]|%[0-9A-Fa-f]{{2}})*)"
_AUTHORITY = rf"(?:(?:[{_UNRESERVED}:]|%[0-9A-Fa-f]{{2}})*@)?{_HOST}(?::[0-9]*)?"
_PATH = rf"(?://{_AUTHORITY}(?:/{_PCHAR}*)*|/(?:{_PCHAR}+(?:/{_PCHAR}*)*)?|{_PCHAR}+(?:/{_PCHAR}*)*)?"

_FORMATS = {
    # RFC 5321 section 4.1.2, with the letters of RFC 6531; a domain has a point in it.
    "email": rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})+",
    # RFC 3986 appendix A, with a scheme.
    "uri": rf"[A-Za-z][A-Za-z0-9+.\-]*:{_PATH}(?:\?(?:{_PCHAR}|[/?])*)?(?:#(?:{_PCHAR}|[/?])*)?",
    # RFC 4648 section 4.
    "binary": r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?",
    "uuid": r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
}


def string_type(field: Field) -> CellType:
    """Return the type of text.

    Raises:
        Unusable: there is no such format.
    """
    served = LENGTH | {"pattern", "categories"}
    if field.format == "default":
        return CellType(read=as_it_is, identity=as_it_is, served=served, reads_all=True)
    if field.format not in _FORMATS:
        raise Unusable(
            "format", f"there is no format {field.format!a} of text; there is default, {', '.join(_FORMATS)}"
        )
    fits = matcher(_FORMATS[field.format])
    read = _address(fits) if field.format == "email" else _fitting(fits)
    return CellType(read=read, broken="format", identity=as_it_is, served=served)


def any_type() -> CellType:
    """Return the type of what is not looked at."""
    return CellType(read=as_it_is, identity=as_it_is, reads_all=True)


def _fitting(fits: Callable[[str], bool]) -> Callable[[str], str]:
    def read(cell: str) -> str:
        if fits(cell):
            return cell
        raise ValueError("it is not of this format")

    return read


def _address(fits: Callable[[str], bool]) -> Callable[[str], str]:
    def read(cell: str) -> str:
        if fits(cell) and len(cell) <= _LONGEST_ADDRESS and cell.index("@") <= _LONGEST_LOCAL_PART:
            return cell
        raise ValueError("it is no e-mail address")

    return read
