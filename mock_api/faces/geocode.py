"""`GET /geocode{?address,key}`: an API that answers 200 to everything and says in the body how it went."""

from __future__ import annotations

import orjson

from mock_api.faces.account import Account
from mock_api.faces.face import Answer, Face, Request, is_miss, share_of


class Geocode:
    """Places by address. Its numbers have more digits than a double holds, which JSON allows (RFC 8259 section 6)."""

    def __init__(self, account: Account, miss_rate: float) -> None:
        self._account = account
        self._miss_rate = miss_rate

    def faces(self) -> dict[tuple[str, str], Face]:
        """Return the face by method and path."""
        return {("GET", "/geocode"): Face(self.find)}

    def find(self, request: Request) -> Answer:
        """Answer with `OK`, `ZERO_RESULTS`, `OVER_QUERY_LIMIT`, `REQUEST_DENIED` or `INVALID_REQUEST`."""
        address = request.parameters.get("address", "").strip()
        if not self._account.accepts(request.parameters.get("key", "")):
            return _without_result("REQUEST_DENIED", "the provided API key is invalid")
        if not address:
            return _without_result("INVALID_REQUEST", "the parameter 'address' is missing")
        if not self._account.spend_quota():
            return _without_result("OVER_QUERY_LIMIT", "you have exceeded your daily request quota for this API")
        if is_miss(address, self._miss_rate):
            return _without_result("ZERO_RESULTS")
        return Answer(200, {"results": [_place(address)], "status": "OK"})


def _place(address: str) -> dict[str, object]:
    latitude = share_of(address.lower()) * 170 - 85
    longitude = share_of(address.lower()[::-1]) * 360 - 180
    location = {"lat": _many_digits(latitude), "lng": _many_digits(longitude)}
    geometry = {"location": location, "location_type": "ROOFTOP"}
    return {"formatted_address": address, "geometry": geometry, "types": ["street_address"]}


def _many_digits(number: float) -> orjson.Fragment:
    return orjson.Fragment(f"{number:.12f}00000000001")


def _without_result(status: str, message: str = "") -> Answer:
    return Answer(200, {**({"error_message": message} if message else {}), "results": [], "status": status})
