"""`[feed.NAME]`: which files are taken from where, how they are read, and which API their rows go to."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, StrictBool, Tag, field_validator

from activities.source.detection.doubt import Check
from daemon.config.grammar.section import Section, shared, tables_as
from daemon.config.setting_values import NamedPath, checked_delimiter, checked_encoding
from workflows.ids import IdentityPolicy

HeaderNames: TypeAlias = Annotated[
    Annotated[StrictBool, Tag("<plain>")] | Annotated[tuple[str, ...], Tag("<names>")],
    Discriminator(lambda value: "<names>" if isinstance(value, list | tuple) else "<plain>"),
]
TableSchema: TypeAlias = Annotated[
    Annotated[NamedPath, Tag("<plain>")] | Annotated[dict[str, Any], Tag("<table>")],
    Discriminator(tables_as("<table>")),
]


class FeedSection(Section):
    """One feed: a folder that files are dropped into, and what is done with them."""

    inbox: NamedPath = Field(
        description="Folder that is watched for new files; it gets its own `.processing`, `archive`, `failed` and "
        "`duplicates`."
    )
    api: str = Field("", description="Name of the API that the rows go to; may be left out where there is one.")
    pattern: str = shared("pattern")
    output_root: NamedPath | None = Field(
        None, description="Folder of the feed's output folders; left out: that of `[service]`."
    )
    identity: IdentityPolicy = shared("identity")
    settle_s: float = shared("settle_s")
    ready_marker: str = shared("ready_marker")
    max_file_bytes: int = shared("max_file_bytes")
    in_memory_max_bytes: int = shared("in_memory_max_bytes")
    page_rows: int = shared("page_rows")
    pages_in_flight: int = shared("pages_in_flight")
    max_fallback: str = shared("max_fallback")
    max_rejected: str = shared("max_rejected")
    required_columns: tuple[str, ...] = shared(
        "required_columns", description="Columns that a file must have; a file without them is refused."
    )
    encoding: str = shared("encoding")
    delimiter: str = Field(
        "auto",
        description="Field separator of the files: `tab`, or 1 to 8 characters such as `;`, `||` or `§`; `auto` "
        "decides from the header and the first records. A first line `sep=;` in a file decides over it.",
    )
    unchecked: tuple[Check, ...] = shared(
        "unchecked",
        description="Checks that files are not held to: `format`, `encoding`, `delimiter`, `quote`, `header` "
        "(docs/csv.md says what each refuses).",
    )
    quote: Literal["auto", '"', "'", ""] = Field(
        "auto",
        description="Character around fields that hold separators; empty: none. `auto` is a double quote, and a file "
        "that seems to have single ones is refused.",
    )
    escape: Literal["", "\\"] = Field(
        "",
        description="Character that makes text of a quote, separator, line end or itself behind it; empty: none, a "
        "quote inside quotes is doubled.",
    )
    header: HeaderNames = Field(
        True,
        description="Whether the first record has the names of the columns; or the names, where there is no such "
        "record. `false` names them `column_1`, `column_2` and so on.",
    )
    skip_lines: int = Field(0, ge=0, le=1_000_000, description="Lines before the header that are passed over.")
    comment: str = Field(
        "", max_length=8, description="What lines begin with that are no records, such as `#`; empty: none are."
    )
    trim: bool = Field(
        False, description="Leave out spaces and tabs around values without quotes, and around the quotes of others."
    )
    bare_quotes: Literal["accept", "reject"] = Field(
        "accept",
        description="Whether a quote inside a field that has none around it is text, or such a record is rejected.",
    )
    short_rows: Literal["reject", "pad"] = Field(
        "reject",
        description="Whether a record with fewer fields than the header is rejected, or gets empty ones at its end.",
    )
    footer: str = Field(
        "",
        max_length=1_000,
        description="Regular expression of whole lines at the end of the files that are no records, such as `Total.*`; "
        "empty: there are none.",
    )
    null: str | None = Field(
        None, description="What stands in a cell that has no value, beside the `missingValues` of the schema."
    )
    decimal: Literal[".", ","] = Field(
        ".", description="Decimal separator of numbers, as the schema reads them; a `decimalChar` in it goes before."
    )
    table_schema: TableSchema | None = Field(
        None,
        alias="schema",
        description="A Frictionless Table Schema that rows must fit, as a table or the path of a JSON file "
        "(docs/schema.md).",
    )

    @field_validator("ready_marker")
    @classmethod
    def _names_the_file(cls, value: str) -> str:
        if value and "{name}" not in value:
            raise ValueError("must contain {name}, such as {name}.done")
        return value

    @field_validator("delimiter")
    @classmethod
    def _can_separate(cls, value: str) -> str:
        return checked_delimiter(value)

    @field_validator("footer")
    @classmethod
    def _is_a_pattern(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from None
        return value

    @field_validator("encoding")
    @classmethod
    def _can_be_read(cls, value: str) -> str:
        return checked_encoding(value)
