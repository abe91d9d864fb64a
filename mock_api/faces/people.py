"""People data: `GET /people` for one person, `POST /bulk_match` for up to ten, answered by position.

Shaped as the public documentation of such APIs says: the key is a header, no match is 404 (in bulk: `null`), what was
paid for and is used up is 402. A match costs a credit, a miss does not.
"""

from __future__ import annotations

from typing import Any

from mock_api.calls import Calls
from mock_api.faces.account import Account
from mock_api.faces.face import Answer, Face, Request, is_miss, share_of

MAX_DETAILS = 10
TITLES = (
    ("software engineer", "senior"),
    ("data analyst", "entry"),
    ("head of marketing", "director"),
    ("chief financial officer", "cxo"),
    ("account manager", "manager"),
    ("nurse practitioner", "senior"),
)
COMPANIES = ("Acme Corp", "Globex", "Initech", "Umbrella Foods", "Stark Logistics")


class People:
    """Both faces, over one account."""

    def __init__(self, account: Account, calls: Calls, miss_rate: float) -> None:
        self._account = account
        self._calls = calls
        self._miss_rate = miss_rate

    def faces(self) -> dict[tuple[str, str], Face]:
        """Return the faces by method and path."""
        return {("GET", "/people"): Face(self.one), ("POST", "/bulk_match"): Face(self.many)}

    def one(self, request: Request) -> Answer:
        """Answer `GET /people{?email,name}`."""
        who = {name: request.parameters[name] for name in ("email", "name") if request.parameters.get(name)}
        if not self._account.accepts(request.headers.get("x-api-key", "")):
            return _error(401, "authentication_error", "X-Api-Key is missing or wrong")
        if not who:
            return _error(400, "invalid_request_error", "give email or name")
        if self._account.credits == 0:
            return _error(402, "payment_required", "you have no credits left")
        if is_miss(_asked(who), self._miss_rate):
            return _error(404, "not_found", "no records were found matching your request")
        self._account.spend_credit()
        return Answer(200, {"status": 200, "likelihood": 8, "data": _person(who)})

    def many(self, request: Request) -> Answer:
        """Answer `POST /bulk_match` with `{details: [{email, name}]}`; `keys` beside it count as calls do."""
        asked = request.json() or {}
        details, keys = asked.get("details"), asked.get("keys")
        if self._account.key and not self._account.accepts(request.headers.get("x-api-key", "")):
            return _error(401, "authentication_error", "X-Api-Key is missing or wrong")
        if not isinstance(details, list) or not all(isinstance(each, dict) for each in details):
            return _error(422, "invalid_request_error", "the body must be {details: [{email, name}]}")
        if not 1 <= len(details) <= MAX_DETAILS:
            return _error(422, "invalid_request_error", f"details must hold 1 to {MAX_DETAILS} records")
        if self._account.credits == 0:
            return _error(402, "payment_required", "you have no credits left")
        if isinstance(keys, list):
            self._calls.keys.update(each for each in keys if isinstance(each, str))
        return Answer(200, {"status": "success", "matches": [self._match(each) for each in details]})

    def _match(self, who: dict[str, Any]) -> dict[str, Any] | None:
        """Return what is known of a person; None where it is nothing, or the credits have ended on the way."""
        if is_miss(_asked(who), self._miss_rate) or self._account.credits == 0:
            return None
        self._account.spend_credit()
        person = _person(who)
        organization = {"name": person["job_company_name"]}
        title = {"title": person["job_title"], "seniority": person["job_seniority"]}
        return {"id": person["id"], "email": who.get("email"), **title, "organization": organization}


def _asked(who: dict[str, Any]) -> str:
    return str(who.get("email") or who.get("name") or who)


def _person(who: dict[str, Any]) -> dict[str, Any]:
    share = share_of(_asked(who).lower())
    title, seniority = TITLES[int(share * len(TITLES))]
    company = COMPANIES[int(share * 1_000) % len(COMPANIES)]
    return {
        "id": f"p{int(share * 10**10):010d}",
        "full_name": who.get("name"),
        "work_email": who.get("email"),
        "job_title": title,
        "job_seniority": seniority,
        "job_company_name": company,
        "experience": [{"company": {"name": company}, "title": {"name": title, "levels": [seniority]}}],
    }


def _error(status: int, kind: str, message: str) -> Answer:
    return Answer(status, {"status": status, "error": {"type": kind, "message": message}})
