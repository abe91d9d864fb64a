"""The APIs of docs/recipes, as their documentation says that they answer: what a wrong request gets too.

Where the documentation leaves an answer out, as most do for wrong requests, it is one of the same kind.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from recipe_openai import DOWN, NO_QUOTA, chat, embeddings
from recipe_server import SECRET, Answered, Asked, RecipeApi

BASIC = "Basic " + base64.b64encode(f"{SECRET}:".encode()).decode()


def _people(asked: Asked, instead: Answered | None) -> Answered:
    if asked.headers.get("x-api-key") != SECRET:
        return Answered(401, _pdl(401, "authentication_error", "Request contained a missing or invalid key"))
    if (asked.method, asked.path) != ("GET", "/v5/person/enrich"):
        return Answered(405, _pdl(405, "invalid_request_error", "Method not allowed"))
    has_name = asked.query.get("first_name") and asked.query.get("last_name") and asked.query.get("company")
    if not asked.query.get("email") and not has_name:
        return Answered(400, _pdl(400, "invalid_request_error", "Request must contain at least one valid data point"))
    if instead:
        return instead
    if asked.query.get("email") != "ada@example.com" or asked.query.get("min_likelihood") != "6":
        return Answered(404, _pdl(404, "not_found", "No records were found matching your request"))
    person = {"full_name": "ada lovelace", "job_title": "analyst", "job_company_name": "analytical engines"}
    return Answered(200, {"status": 200, "likelihood": 9, "data": person})


def _pdl(status: int, kind: str, message: str) -> dict[str, Any]:
    return {"status": status, "error": {"type": kind, "message": message}}


def _geocode(asked: Asked, instead: Answered | None) -> Answered:
    if asked.method != "GET" or asked.path != "/maps/api/geocode/json":
        return Answered(404, b"<!DOCTYPE html>")
    if asked.query.get("key") != SECRET:
        return Answered(200, {"results": [], "status": "REQUEST_DENIED", "error_message": "The API key is invalid."})
    if not asked.query.get("address"):
        return Answered(400, {"results": [], "status": "INVALID_REQUEST"})
    if instead:
        return instead
    if asked.query["address"] != "1600 Amphitheatre Parkway, Mountain View, US":
        return Answered(200, {"results": [], "status": "ZERO_RESULTS"})
    found = {
        "formatted_address": "1600 Amphitheatre Pkwy, Mountain View, CA 94043, USA",
        "geometry": {"location": {"lat": 37.4224428, "lng": -122.0842467}, "location_type": "ROOFTOP"},
        "place_id": "ChIJeRpOeF67j4AR9ydy_PIzPuM",
    }
    return Answered(200, {"results": [found], "status": "OK"})


def _address(asked: Asked, instead: Answered | None) -> Answered:
    if asked.path != "/street-address":
        return Answered(404, b"")
    if asked.query.get("auth-id") != SECRET or asked.query.get("auth-token") != SECRET:
        return Answered(401, {"errors": [{"message": "Authentication Required"}]})
    if asked.method != "GET" or not asked.query.get("street"):
        return Answered(400, {"errors": [{"message": "Bad Request (Malformed Payload)"}]})
    if instead:
        return instead
    if asked.query.get("zipcode") != "94043":
        return Answered(200, [])
    candidate = {
        "delivery_line_1": "1600 Amphitheatre Pkwy",
        "last_line": "Mountain View CA 94043-1351",
        "analysis": {"dpv_match_code": "Y"},
    }
    return Answered(200, [candidate])


def _ip(asked: Asked, instead: Answered | None) -> Answered:
    if asked.headers.get("authorization") != f"Bearer {SECRET}":
        return Answered(403, {"status": 403, "error": {"title": "Unknown token"}})
    if asked.method != "GET" or not asked.path.startswith("/lite/"):
        return Answered(404, {"status": 404, "error": {"title": "Wrong module or field type"}})
    if instead:
        return instead
    address = asked.path.removeprefix("/lite/")
    if address == "10.0.0.1":
        return Answered(200, {"ip": address, "bogon": True})
    known = {"asn": "AS15169", "as_name": "Google LLC", "as_domain": "google.com", "country_code": "US"}
    return Answered(200, {"ip": address, **known, "country": "United States", "continent_code": "NA"})


def _currency(asked: Asked, instead: Answered | None) -> Answered:
    version, key, pair, *rest = asked.path.strip("/").split("/")
    if key != SECRET:
        return Answered(403, {"result": "error", "error-type": "invalid-key"})
    if (asked.method, version, pair, len(rest)) != ("GET", "v6", "pair", 3):
        return Answered(404, {"result": "error", "error-type": "malformed-request"})
    if instead:
        return instead
    if rest[1] == "XXX":
        return Answered(404, {"result": "error", "error-type": "unsupported-code"})
    rate = b'"base_code":"EUR","target_code":"GBP","conversion_rate":0.8412,"conversion_result":5.88840'
    return Answered(200, b'{"result":"success",' + rate + b"}")


def _company(asked: Asked, instead: Answered | None) -> Answered:
    if asked.headers.get("authorization") != BASIC:
        return Answered(401, {"error": "Invalid Authorization", "type": "ch:service"})
    if asked.method != "GET" or not asked.path.startswith("/company/"):
        return Answered(404, b"")
    if instead:
        return instead
    if asked.path != "/company/00000006":
        return Answered(404, {"errors": [{"type": "ch:service", "error": "company-profile-not-found"}]})
    profile = {"company_name": "MARINE AND GENERAL MUTUAL LIFE ASSURANCE SOCIETY", "company_number": "00000006"}
    return Answered(200, {**profile, "company_status": "active", "date_of_creation": "1862-10-25"})


def _form(asked: Asked, instead: Answered | None) -> Answered:
    if asked.headers.get("authorization") != "Basic " + base64.b64encode(f"batchd:{SECRET}".encode()).decode():
        return Answered(401, b"")
    if (asked.method, asked.path) != ("POST", "/customer/lookup.do"):
        return Answered(404, b"<html>")
    fields = dict(parse_qsl(asked.body.decode(), keep_blank_values=True))
    if asked.headers.get("content-type") != "application/x-www-form-urlencoded" or set(fields) != {"custNo", "zip"}:
        return Answered(400, {"rc": "8", "text": "custNo and zip are needed"})
    if instead:
        return instead
    if fields != {"custNo": "0017", "zip": "10 115"}:
        return Answered(200, {"rc": "4", "text": "no such customer"})
    return Answered(200, b'{"rc":"0","customer":{"segment":"A","balance":1200.50,"since":"2011"}}')


def _worker(asked: Asked, instead: Answered | None) -> Answered:
    if asked.path == "/auth/oauth/v2/token":
        return _token(asked)
    if not asked.has_certificate or asked.headers.get("authorization") != "Bearer short-lived-token":
        return Answered(401, {"response": {"message": "proper client ssl certificate was not presented"}})
    if instead and asked.method == "GET":
        return instead
    if asked.method != "GET" or not asked.path.startswith("/hr/v2/workers/"):
        return Answered(405, {})
    if asked.path != "/hr/v2/workers/G3349PZGBADQY8H7":
        return Answered(404, {"confirmMessage": {"messages": [{"messageText": "no worker"}]}})
    worker = {
        "associateOID": "G3349PZGBADQY8H7",
        "person": {"legalName": {"formattedName": "Lovelace, Ada"}},
        "workerStatus": {"statusCode": {"codeValue": "Active"}},
    }
    return Answered(200, {"workers": [worker]})


def _token(asked: Asked) -> Answered:
    client = base64.b64encode(f"batchd:{SECRET}".encode()).decode()
    form = dict(parse_qsl(asked.body.decode()))
    if asked.method != "POST" or not asked.has_certificate or asked.headers.get("authorization") != f"Basic {client}":
        return Answered(401, {"error": "invalid_client"})
    if form.get("grant_type") != "client_credentials":
        return Answered(400, {"error": "unsupported_grant_type"})
    return Answered(200, {"access_token": "short-lived-token", "token_type": "Bearer", "expires_in": 3600})


APIS: Mapping[str, RecipeApi] = {
    "people-data": RecipeApi(
        _people,
        Answered(402, _pdl(402, "payment_required", "You have hit your account maximum for person enrichment")),
        ("api_refused", "credits_gone"),
        Answered(500, _pdl(500, "api_error", "Internal error")),
    ),
    "geocoding": RecipeApi(
        _geocode,
        Answered(200, {"results": [], "status": "OVER_QUERY_LIMIT"}),
        ("api_down", "rule 2 held"),
        Answered(200, {"results": [], "status": "UNKNOWN_ERROR"}),
    ),
    "address-validation": RecipeApi(
        _address,
        Answered(402, {"errors": [{"message": "Payment Required"}]}),
        ("api_refused", "no_subscription"),
        Answered(500, b""),
    ),
    "ip-country": RecipeApi(
        _ip,
        Answered(429, {"status": 429, "error": {"title": "Rate limit exceeded"}}),
        ("api_down", "rule 2 held"),
        Answered(500, b""),
    ),
    "currency": RecipeApi(
        _currency,
        Answered(403, {"result": "error", "error-type": "quota-reached"}),
        ("api_refused", "quota_reached"),
        Answered(500, b""),
    ),
    "company-register": RecipeApi(
        _company,
        Answered(429, b""),
        ("api_down", "rule 2 held"),
        Answered(502, b"Bad Gateway"),
        secret=BASIC,
    ),
    "chat-completion": RecipeApi(chat, NO_QUOTA, ("api_refused", "credits_gone"), DOWN),
    "embeddings": RecipeApi(embeddings, NO_QUOTA, ("api_refused", "credits_gone"), DOWN),
    "form-endpoint": RecipeApi(
        _form,
        Answered(200, {"rc": "12", "text": "daily limit"}),
        ("api_down", "rule 3 held"),
        Answered(500, b"<html>"),
    ),
    "oauth-mtls": RecipeApi(
        _worker, Answered(429, {}, {"Retry-After": "120"}), ("api_down", "the API answered 429"), Answered(500, {})
    ),
}
"""By the names of the pages in docs/recipes."""
