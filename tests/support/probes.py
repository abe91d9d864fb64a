"""Asking the health address."""

from __future__ import annotations

import urllib.error
import urllib.request


def probed(port: int, path: str) -> int:
    """Return the status that a probe gets; 0 where nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:  # it is an answer too, and warns from Python 3.14 on where it is left open
            return error.code
    except OSError:
        return 0
