"""How what crosses Temporal becomes JSON and back: by pydantic, whose readers of our dataclasses are made once.

The SDK's default converter looks the types of a dataclass up anew for each payload, which was a tenth of the work of a
worker with small files. The JSON is the same, so that histories of either are read by both.
"""

from __future__ import annotations

from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import CompositePayloadConverter, DataConverter

from daemon.temporal.failures import ShortFailures

_ONCE = PydanticPayloadConverter()


class _PayloadConverter(CompositePayloadConverter):
    """The converters of all workflows: the SDK makes one of these for each run, and the readers would go with it."""

    def __init__(self) -> None:
        super().__init__(*_ONCE.converters.values())


DATA_CONVERTER = DataConverter(payload_converter_class=_PayloadConverter, failure_converter_class=ShortFailures)
