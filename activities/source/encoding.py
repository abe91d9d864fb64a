"""Which text encoding a file has, or what it is where it is no text.

A byte order mark decides, over the setting too (as the WHATWG Encoding Standard has it); where a program has put one
before another, all of them are passed over. Then the setting. Then, for `auto`, the bytes of the whole file
(`activities.source.utf8_scan`). The decision is recorded in the manifest; a record that it does not fit is rejected.

Files are read in encodings in which a byte below 0x80 is that ASCII character and nothing else. Records are cut out of
bytes before they are decoded, so a comma, a quote or a line end may never be a part of another character (as in GBK,
Big5, Shift JIS), and no other byte may stand for one (as in the Arabic Mac encoding). UTF-16 is the exception: it is
cut by code units.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from activities.source.field_format import FieldFormat
from activities.source.grammar import RECORD_RULES, Grammar
from workflows.errors import InvalidCsv, shortened
from workflows.ids import printable

SAMPLE_BYTES = 65_536

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
"""The encodings in which files are read, by Python's names."""

_MAGIC = (
    (b"\x1f\x8b", "a gzip archive"),
    (b"PK\x03\x04", "a zip archive, such as an Excel workbook"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Microsoft Office document"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF87a", "a GIF image"),
    (b"GIF89a", "a GIF image"),
    (b"%PDF-", "a PDF document"),
    (b"BZh91AY&SY", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\x7fELF", "a program"),
    (codecs.BOM_UTF32_LE, "UTF-32 text"),
    (codecs.BOM_UTF32_BE, "UTF-32 text"),
)
_MARKUP = ((b"<!doctype html", "an HTML page"), (b"<html", "an HTML page"), (b"<?xml", "an XML document"))
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\r\x1b")
_MIN_CONTROLS = 16
_MAX_CONTROL_SHARE = 0.05
_HIGH_UNIT = "\xff"
_OF_SEVERAL_BYTES = frozenset({"euc_jp", "euc_kr", "gb2312"})


@dataclass(frozen=True, slots=True)
class Encoding:
    """A text encoding by its Python name, and the bytes of the byte order marks that the text stands behind.

    `decided_by` says in words on what evidence it is that of a file; empty where nobody asked.
    """

    name: str
    mark_bytes: int = 0
    decided_by: str = field(default="", compare=False)

    @property
    def unit_bytes(self) -> int:
        """Bytes of a code unit."""
        return 2 if self.name.startswith("utf-16") else 1

    @property
    def big_endian(self) -> bool:
        """Whether the first byte of a code unit is its high one."""
        return self.name == "utf-16-be"

    def grammar(self, fields: FieldFormat, max_record_bytes: int, rules: int = RECORD_RULES) -> Grammar:
        """Return how records in this encoding are told apart.

        Raises:
            InvalidCsv: a mark of `fields` cannot be found in it for sure.
        """
        units = [self._in_units(each) for each in fields.delimiters]
        return Grammar(
            fields=replace(fields, delimiters=tuple(units), comment=self._in_units(fields.comment)),
            max_record_bytes=max_record_bytes,
            unit_bytes=self.unit_bytes,
            big_endian=self.big_endian,
            rules=rules,
        )

    def _in_units(self, mark: str) -> str:
        """Return a mark with a character of Latin-1 for each unit."""
        if mark.isascii():
            return mark
        if self.unit_bytes > 1:
            is_safe = max(mark) < _HIGH_UNIT
        else:
            is_safe = self.name not in _OF_SEVERAL_BYTES and mark == self._read_again(mark)
        if not is_safe:
            raise InvalidCsv(f"{printable(mark)} cannot be told apart in {self.name}; save it in UTF-8")
        return mark if self.unit_bytes > 1 else mark.encode(self.name).decode("latin-1")

    def _read_again(self, mark: str) -> str:
        return mark.encode(self.name, "replace").decode(self.name)


def encoding_of(
    sample: bytes,
    setting: str = "auto",
    guess: Callable[[], Encoding] = lambda: Encoding("utf-8"),
) -> Encoding:
    """Decide the encoding of a file that begins with `sample`, its first `SAMPLE_BYTES` bytes.

    `guess` is asked where neither a mark nor the setting says it.

    Raises:
        InvalidCsv: the sample is no text, or text in an encoding that is not read; the message says what it seems.
    """
    _refuse(_known_kind(sample))
    for mark, name in _MARKS:
        if sample.startswith(mark):
            return Encoding(name, _repeated_bytes(sample, mark), decided_by="byte order mark")
    encoding = guess() if setting == "auto" else Encoding(_readable(setting), decided_by="setting")
    if encoding.unit_bytes == 1:
        _refuse(_binary_kind(sample))
    return encoding


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


def _refuse(kind: str | None) -> None:
    if kind is not None:
        raise InvalidCsv(f"this seems to be {kind}, not a CSV file; save it as CSV text in UTF-8 and drop it again")


def _known_kind(sample: bytes) -> str | None:
    start = sample[:256]
    while start.startswith(codecs.BOM_UTF8):
        start = start.removeprefix(codecs.BOM_UTF8)
    start = start.lstrip().lower()
    return next(
        (kind for magic, kind in _MAGIC if sample.startswith(magic)),
        next((kind for tag, kind in _MARKUP if start.startswith(tag)), None),
    )


def _binary_kind(sample: bytes) -> str | None:
    """Tell text without a mark in a wide encoding by where its NUL bytes are, and binary by its control bytes."""
    quarter = max(1, len(sample) // 4)
    zeros = [sample[at::4].count(0) / quarter for at in range(4)]
    wide = [share > 0.5 and 0 in sample[:4] for share in zeros]  # noqa: PLR2004 - most units are ASCII in real files
    if sum(wide) == 3:  # noqa: PLR2004 - three of four bytes
        return "UTF-32 text without a byte order mark"
    if wide in ([False, True, False, True], [True, False, True, False]):
        return "UTF-16 text without a byte order mark"
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    return "binary" if controls >= _MIN_CONTROLS and controls > len(sample) * _MAX_CONTROL_SHARE else None


def _repeated_bytes(sample: bytes, mark: bytes) -> int:
    end = len(mark)
    while sample.startswith(mark, end):
        end += len(mark)
    return end


def _readable(setting: str) -> str:
    name = readable(setting)
    if name is None:
        shown = shortened(printable(setting), 80)
        raise InvalidCsv(
            f"files in the encoding {shown} are not read; set BATCH_ENCODING (encoding of its feed) to one of "
            "docs/csv.md"
        )
    return name
