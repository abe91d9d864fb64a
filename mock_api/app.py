"""The whole application: the faces, and the control endpoints that tests and operators use."""

from __future__ import annotations

from random import Random
from typing import Any

from fastapi import FastAPI

from mock_api.asgi import App
from mock_api.calls import Calls
from mock_api.conduct import Conduct
from mock_api.enriching import Enriching
from mock_api.faces.account import Account, AccountChange
from mock_api.faces.chat import Chat
from mock_api.faces.face import Faces
from mock_api.faces.geocode import Geocode
from mock_api.faces.oauth import OAuth
from mock_api.faces.people import People
from mock_api.faults import Fault, Faults
from mock_api.settings import MockSettings


def build_app(settings: MockSettings) -> App:
    """Return the ASGI application."""
    random = Random(settings.seed)  # noqa: S311 - chance for a mock, not for secrets
    faults, calls, account = Faults(random), Calls(), Account(settings)
    conduct = Conduct(settings, faults, calls, random)
    oauth = OAuth(account)
    faces = {
        **People(account, calls, settings.miss_rate).faces(),
        **Geocode(account, settings.miss_rate).faces(),
        **Chat(account).faces(),
        **oauth.faces(),
    }
    controls = _controls(faults, calls)
    _add_account_controls(controls, account, oauth)
    return Enriching(conduct, Faces(faces, conduct, controls))


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


def _add_account_controls(app: FastAPI, account: Account, oauth: OAuth) -> None:
    @app.put("/account")
    async def change_account(change: AccountChange) -> dict[str, int | None]:
        account.change(change)
        return account.left()

    @app.get("/account")
    async def show_account() -> dict[str, int | None]:
        return account.left()

    @app.delete("/oauth/tokens", status_code=204)
    async def revoke_tokens() -> None:
        oauth.revoke_all()
