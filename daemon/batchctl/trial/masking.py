"""Keeps secrets out of what an API answers: some quote the request that they refuse."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = "***"
SHORTEST = 4
"""What is shorter is no secret: hidden wherever it stands in a text, it would only be spelled out by the gaps."""


class Masking:
    """Replaces secrets in texts, however they are written there."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self._found = re.compile("(?!)")
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Let these be masked too; of `Bearer xyz` the second half counts as well."""
        self._secrets |= {part for each in secrets for part in (each, each.partition(" ")[2]) if len(part) >= SHORTEST}
        # The longest first: one may be the beginning of another.
        forms = sorted({form for each in self._secrets for form in _forms(each)}, key=len, reverse=True)
        self._found = re.compile("|".join(map(re.escape, forms)), re.IGNORECASE) if forms else re.compile("(?!)")

    def masked(self, text: str) -> str:
        """Return `text` without a secret."""
        return self._found.sub(MASK, text)


def _forms(secret: str) -> Iterable[str]:
    in_base64 = base64.b64encode(secret.encode()).decode()
    quoted = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), html.escape(secret), in_base64}
    return quoted | {json.dumps(each, ensure_ascii=ascii_only)[1:-1] for each in quoted for ascii_only in (True, False)}
