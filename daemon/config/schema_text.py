"""The Table Schema of a feed as it is pinned to its batches: read from its file or its table, in canonical JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from activities.schema.table_schema import parse_schema
from workflows.errors import SettingsError

MAX_FILE_BYTES = 1_048_576
MAX_BYTES = 32_768
"""A batch carries its schema with it; what is left out of the canonical text, such as descriptions, does not count."""


def schema_text(given: Path | dict[str, Any], decimal: str) -> str:
    """Return the canonical text of a schema that is in a file, or a table of the configuration.

    `decimal` is the decimal separator of its feed, in which bounds of numbers may be written.

    Raises:
        InvalidSchema: it is none that can be used; it has every reason.
        SettingsError: the file cannot be read, or the schema is too large.
    """
    written = _content_of(given) if isinstance(given, Path) else given
    canonical = parse_schema(written, decimal=decimal).canonical()
    if len(canonical.encode()) > MAX_BYTES:
        raise SettingsError(
            f"the schema has more than {MAX_BYTES:,} bytes, titles and descriptions not counted; shorten it"
        )
    return canonical


def _content_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise SettingsError(f"{path} is no schema: it is longer than {MAX_FILE_BYTES:,} bytes")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not in UTF-8") from error
