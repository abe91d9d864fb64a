"""How what crosses Temporal becomes JSON and back: by pydantic, whose readers of our dataclasses are made once.

The SDK's default converter looks the types of a dataclass up anew for each payload, which was a tenth of the work of a
worker with small files. The JSON is the same, so that histories of either are read by both, but for one key of each
request, by which a version that is older than its writer knows that it must leave it alone.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import from_json, to_json
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter, PydanticPayloadConverter
from temporalio.converter import CompositePayloadConverter, DataConverter

from daemon.temporal.failures import ShortFailures
from workflows.requests import (
    EnrichPage,
    FileSource,
    KeepControlState,
    LoadPages,
    PrepareBatch,
    SavePage,
    WriteManifest,
)
from workflows.state import BatchRequest, LoadChunksRequest

FENCED: dict[type, str] = {
    BatchRequest: "shape",
    **dict.fromkeys(
        (LoadChunksRequest, LoadPages, PrepareBatch, EnrichPage, SavePage, WriteManifest, FileSource, KeepControlState),
        "batch",
    ),
}
"""What is asked of workflows and activities, and a field of it that no reader of any version can do without."""

FORM = "_3"
"""Behind the name of that field since 0.3.0, which is counted on where an older version could do harm.

A reader passes over keys that it does not know: it would call another API than the one that is described to it, keep to
no schema, and leave steps behind that nobody can replay. Without this field it can read nothing of a request, so it
fails, and tries again until a version that knows better is back.
"""

FORMS = ("", FORM)

_FENCES = {(each.__module__, each.__qualname__): kept for each, kept in FENCED.items()}


class _Requests(PydanticJSONPlainPayloadConverter):
    """Writes and reads requests; of a value that is none, the converter behind this one takes care."""

    def __init__(self) -> None:
        super().__init__()
        self._readers: dict[type, TypeAdapter[Any]] = {each: TypeAdapter(each) for each in FENCED}

    def to_payload(self, value: Any) -> Payload | None:
        """Return a request in this version's form; None for anything else."""
        kept = _fence(type(value))
        if not kept:
            return super().to_payload(value)
        written = {_written(each.name, kept): getattr(value, each.name) for each in fields(value)}
        return Payload(metadata={"encoding": self.encoding.encode()}, data=to_json(written))

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """Return a request in the form of any version up to this one, or what else is asked for."""
        kept = _fence(type_hint)
        if not kept:
            return super().from_payload(payload, type_hint)
        found = from_json(payload.data)
        for form in FORMS:
            if kept + form in found:
                found[kept] = found.pop(kept + form)
        reader = self._readers.get(type_hint) or TypeAdapter(type_hint)  # type: ignore[arg-type]
        return reader.validate_python(found)


def _fence(kind: object) -> str:
    """Return the field for a kind of request, "" for anything else. By name: the SDK's sandbox has copies of them."""
    return _FENCES.get((getattr(kind, "__module__", ""), getattr(kind, "__qualname__", "")), "")


def _written(name: str, kept: str) -> str:
    return name + FORM if name == kept else name


_ONCE = PydanticPayloadConverter()
_ONCE_OF_REQUESTS = _Requests()


class _PayloadConverter(CompositePayloadConverter):
    """The converters of all workflows: the SDK makes one of these for each run, and the readers would go with it."""

    def __init__(self) -> None:
        json_plain = _ONCE_OF_REQUESTS.encoding.encode()
        super().__init__(*(_ONCE_OF_REQUESTS if key == json_plain else each for key, each in _ONCE.converters.items()))


DATA_CONVERTER = DataConverter(payload_converter_class=_PayloadConverter, failure_converter_class=ShortFailures)
