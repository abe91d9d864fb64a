"""How a file is written: what of a dialect the checker reads, and the units that its records are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

CR, LF = 13, 10
NO_UNIT = -1
"""Stands for a quote where there is none."""

MAX_RECORD_BYTES = 1_048_576
MAX_FIELD_BYTES = 262_144


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How a file is written, as its manifest says, and the caps on its records. `quote` is empty for none."""

    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    bare_quotes: str = "accept"
    short_rows: str = "reject"
    max_record_bytes: int = MAX_RECORD_BYTES
    max_field_bytes: int = MAX_FIELD_BYTES

    @property
    def unit_bytes(self) -> int:
        """Bytes a unit."""
        return 2 if self.encoding.startswith("utf-16") else 1

    def opens_quotes(self, text: str, at: int) -> bool:
        """True if a quoted field begins at `at`."""
        return bool(self.quote) and text.startswith(self.quote, at)

    def units(self, content: bytes) -> Sequence[int]:
        """Return the units of `content`."""
        if self.unit_bytes == 1:
            return content
        whole = content + b"\xff" * (len(content) % 2)
        high, low = (0, 1) if self.encoding.endswith("be") else (1, 0)
        return [256 * whole[at + high] + whole[at + low] for at in range(0, len(whole), 2)]
