"""CSV files as they come, and worse: what each holds, its number of records, and of those that are no valid rows."""

from __future__ import annotations

import codecs
from typing import NamedTuple


class Nasty(NamedTuple):
    content: bytes
    records: int
    rejected: int = 0


def _numbered(rows: int, line: str, header: str = "id,name,country\n") -> str:
    return header + "".join(line.format(number) for number in range(1, rows + 1))


NASTY_FILES = {
    "plain.csv": Nasty((_numbered(9, "{0},User {0},US\n") + 'ragged\n"quoted, comma",b,US\n').encode(), 11, 1),
    "bom.csv": Nasty(codecs.BOM_UTF8 + _numbered(7, '"{0}",Zoë,US\n', '"id",name,country\n').encode(), 7),
    "utf-16-le.csv": Nasty(codecs.BOM_UTF16_LE + _numbered(7, '{0},"Zoë\n😀",US\r\n').encode("utf-16-le"), 7),
    "utf-16-be.csv": Nasty(codecs.BOM_UTF16_BE + _numbered(7, "{0},Ωmega,US\r").encode("utf-16-be") + b"\0", 8, 1),
    "cr only.csv": Nasty(_numbered(7, '{0},"a\rb",US\r', "id,name,country\r").encode(), 7),
    "mixed.csv": Nasty(
        _numbered(3, "{0}a,x,US\r\n{0}b,y,DE\n\n{0}c,z,FR\r\r\n\n", "id,name,country\r\n\n").encode(), 9
    ),
    "borders.csv": Nasty(_numbered(8, '{0},"line\nline ""{0}""\n\n",US\n').encode(), 8),
    "unclosed.csv": Nasty((_numbered(4, "{0},a,US\n") + '5,"never closed,US\n6,b,US\n7,c,US').encode(), 7, 1),
    "bad quotes.csv": Nasty(_numbered(4, '{0},"a"b,US\n{0},5" disk,US\n{0}, "x",US\n').encode(), 12, 4),
    "ragged.csv": Nasty(_numbered(4, "{0}\n{0},a,US\n{0},a,US,\n,,\n").encode(), 16, 8),
    "names.csv": Nasty(b"a,a,,_row,enriched,error,region,a__2\n" + b"1,2,3,4,5,6,7,8\n" * 7, 7),
    "cp1252.csv": Nasty(_numbered(7, "{0},José €,US\n").encode("cp1252") + b"8,b,\xe9", 8),
    "semicolons.csv": Nasty(_numbered(7, '{0};"a;b,c";US\n', "id;name;country\n").encode(), 7),
    "tabs.csv": Nasty(_numbered(7, "{0}\ta,b;c|d\tUS\n", "id\tname\tcountry\n").encode(), 7),
    "german.csv": Nasty(_numbered(7, "{0};1.000,50;2,30\n", "Datum;Betrag, EUR;Steuer, EUR\n").encode(), 7),
    "separator line.csv": Nasty(_numbered(7, "{0};a,b;US\r\n", "sep=;\r\nid;name;country\r\n").encode(), 7),
    "marks.csv": Nasty(codecs.BOM_UTF8 * 2 + _numbered(7, "{0},Zoë,US\n", '"id",name,country\n').encode(), 7),
    "late accent.csv": Nasty(_numbered(7, "{0}," + "x" * 10_000 + ",US\n").encode() + b"8,Jos\xe9,US\n", 8),
    "nul.csv": Nasty(_numbered(7, "{0},Anna,US\n").encode().replace(b"4,Anna", b"4,An\0na"), 7, 1),
    "undecodable.csv": Nasty(_numbered(7, "{0},Zoë Ωmega,US\n").encode().replace(b"4,Zo", b"4,Z\xff"), 7, 1),
    "formulas.csv": Nasty(_numbered(3, "=1+{0},@SUM(A1),US\n+{0},-1,DE\n\t{0},'x,US\n").encode(), 9),
    "emoji 👩‍👩‍👧 ü.csv": Nasty(_numbered(7, "{0},👩‍👩‍👧 e\u0301 \u202eabc\u2028\u0085\x1b[2J,US\n").encode(), 7),
    "blank lines.csv": Nasty(
        b"\n\r\n" + _numbered(5, "{0},a,US\n\n\r\n", "id,name,country\n\n\n").encode() + b"\r\r\n\n", 5
    ),
    "header only.csv": Nasty(b"id,name,country\r\n\r\n\r\n", 0),
    "one column.csv": Nasty(b'id\n""\n \n1\n\n"a\nb"\n', 4),
}
