"""The two transports, for tests of rules that both keep."""

from __future__ import annotations

import pytest

from activities.api.options import ApiOptions
from activities.api.transport import calls
from activities.api.transport.base import Transport
from activities.api.transport.choice import transport_for
from activities.api.transport.general import GeneralTransport


@pytest.fixture(params=["fast", "general"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Say which transport serves; the general one stands in for the fast one where the choice would fall on that."""
    general = request.param == "general"

    def chosen(options: ApiOptions, url: str) -> tuple[Transport, str]:
        return (GeneralTransport(url, options), "") if general else transport_for(options, url)

    monkeypatch.setattr(calls, "transport_for", chosen)
    monkeypatch.setattr(calls, "SECOND_CHANCE_S", 0.05)
    return str(request.param)
