"""From what came back over the wire, or did not, to a reply with its meaning (see `activities.answers`)."""

from __future__ import annotations

import ssl
import time
from socket import EAI_AGAIN, gaierror
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from activities.answers import STALE, Meaning, Reply, meaning_of_status, retry_after_s
from activities.api_options import ApiOptions
from activities.exact_json import loads
from activities.http_connection import Answer, StaleConnection
from workflows.errors import shortened


def reply_of(answer: Answer, latency_ms: float, options: ApiOptions) -> Reply:
    """Return what an answer that took `latency_ms` means."""
    meaning = meaning_of_status(answer.status)
    status = str(answer.status)
    if meaning is Meaning.DONE:
        return _success(status, answer, latency_ms)
    wanted_s = retry_after_s(answer.retry_after, time.time())
    detail = f"the API answered {status}"
    if meaning is Meaning.REFUSED:
        detail = (
            f"the API at {shown(options.url)} answered {status}: it does not accept the credentials; mend "
            "BATCH_API_TOKEN or BATCH_API_TOKEN_FILE, restart, then resume"
        )
    return Reply(meaning, status, f"http_{status}", retry_after_s=wanted_s, latency_ms=latency_ms, detail=detail)


def _success(status: str, answer: Answer, latency_ms: float) -> Reply:
    if answer.body is None:
        return Reply(Meaning.RETRY, status, "too_large", detail=f"{status} with a body over BATCH_API_MAX_BODY_BYTES")
    try:
        value: Any = loads(answer.body) if answer.encoding in {"", "identity"} else None
    except ValueError:
        value = None
    if isinstance(value, dict):
        return Reply(Meaning.DONE, status, "", answer=value, latency_ms=latency_ms)
    return Reply(Meaning.RETRY, status, "bad_response", detail=f"{status} without a JSON object that can be read")


def reply_without_answer(error: Exception, options: ApiOptions) -> Reply:
    """Return what it means that no answer came, or none that can be read."""
    if isinstance(error, TimeoutError):
        return Reply(Meaning.RETRY, "timeout", "timeout", detail=f"no answer within {options.timeout_s:g} s")
    if isinstance(error, ssl.SSLError | gaierror) and not _passing(error):
        detail = f"the API at {shown(options.url)} cannot be used: {error}; mend BATCH_API_URL, restart, then resume"
        return Reply(Meaning.REFUSED, "settings", "settings", detail=shortened(detail, 300))
    if isinstance(error, StaleConnection):
        return Reply(Meaning.RETRY, STALE, "connect", detail=str(error))
    if isinstance(error, OSError):
        return Reply(Meaning.RETRY, "connect", "connect", detail=shortened(f"connection failed: {error}", 300))
    return Reply(Meaning.RETRY, "broken", "bad_response", detail=shortened(str(error), 300))


def _passing(error: OSError) -> bool:
    """Tell whether a failure of TLS or of the name service is one of the moment: cut short, or nobody to ask."""
    if isinstance(error, ssl.SSLError):
        return isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError)
    return error.errno == EAI_AGAIN


def shown(url: str) -> str:
    """Return `url` without what may be secret in it: user, password, query and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
