"""The whole application: the enriching call, and the control endpoints that tests and operators use."""

from __future__ import annotations

from random import Random
from typing import Any

from fastapi import FastAPI

from mock_api.calls import Calls
from mock_api.enriching import App, Enriching
from mock_api.faults import Fault, Faults
from mock_api.settings import MockSettings


def build_app(settings: MockSettings) -> App:
    """Return the ASGI application."""
    random = Random(settings.seed)  # noqa: S311 - chance for a mock, not for secrets
    faults, calls = Faults(random), Calls()
    return Enriching(settings, faults, calls, _controls(faults, calls), random)


def _controls(faults: Faults, calls: Calls) -> FastAPI:
    app = FastAPI(title="Mock enrichment API", description="POST /enrich answers a row with `enriched` and `region`.")

    @app.post("/faults", status_code=201)
    async def add_fault(fault: Fault) -> dict[str, Any]:
        faults.add(fault)
        return {"active": faults.active()}

    @app.get("/faults")
    async def show_faults() -> dict[str, Any]:
        return {"active": faults.active()}

    @app.delete("/faults")
    async def clear_faults() -> dict[str, Any]:
        faults.clear()
        return {"active": []}

    @app.get("/calls")
    async def show_calls(keys: bool = False) -> dict[str, Any]:
        return calls.report(all_keys=keys)

    @app.delete("/calls")
    async def forget_calls() -> dict[str, Any]:
        calls.clear()
        return calls.report(all_keys=False)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return app
