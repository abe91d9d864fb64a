"""Faults on demand: what `POST /faults` takes, and which call gets which."""

from __future__ import annotations

from random import Random
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

FaultKind = Literal["status", "hang", "drop", "drip", "rubbish"]


class Fault(BaseModel):
    """One fault, for the next `calls` calls or for a `share` of all calls; of one `path`, or of all."""

    model_config = ConfigDict(extra="forbid")

    kind: FaultKind
    share: float | None = Field(None, gt=0, le=1)
    calls: int | None = Field(None, ge=1)
    status: int = Field(500, ge=200, le=599)
    retry_after: str | int | float | None = None
    delay_s: float | None = Field(None, ge=0, le=86_400)
    path: str | None = Field(None, pattern="^/")

    @model_validator(mode="after")
    def _share_or_calls(self) -> Self:
        if self.share is not None and self.calls is not None:
            raise ValueError("give share or calls, not both")
        return self


class Faults:
    """The active faults. A fault with neither share nor calls hits every call until it is cleared."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._active: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Make a fault active, behind those that are."""
        self._active.append(fault)

    def clear(self) -> None:
        """End all faults."""
        self._active.clear()

    def active(self) -> list[Fault]:
        """Return what is active, with the calls that are left."""
        return list(self._active)

    def drawn(self, path: str) -> Fault | None:
        """Return the fault that the next call of `path` gets; the first that hits counts."""
        for fault in self._active:
            if fault.path not in {None, path}:
                continue
            if fault.calls is not None:
                fault.calls -= 1
                if fault.calls == 0:
                    self._active.remove(fault)
                return fault
            if fault.share is None or self._random.random() < fault.share:
                return fault
        return None
