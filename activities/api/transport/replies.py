"""From what came back over the wire, or did not, to a reply with its meaning (see `activities.api.replies`)."""

from __future__ import annotations

import ssl
import time
import zlib
from socket import gaierror
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from activities.api.options import ApiOptions
from activities.api.replies import CERTIFICATE, STALE, Meaning, Reply, meaning_of_status, retry_after_s
from activities.api.transport.base import Answer, NoAnswer, ProxyRefused, StaleConnection
from activities.exact_json import loads
from workflows.errors import shortened


def reply_of(outcome: Answer | NoAnswer, url: str, options: ApiOptions) -> Reply:
    """Return what it means that a call to `url` ended like this."""
    if isinstance(outcome, NoAnswer):
        return reply_without_answer(outcome, url, options)
    answer = outcome
    meaning = meaning_of_status(answer.status)
    status = str(answer.status)
    if meaning is Meaning.DONE:
        return _success(status, answer, options)
    wanted_s = retry_after_s(answer.retry_after, time.time(), options.max_wait_s)
    detail = f"the API answered {status}"
    if meaning is Meaning.REFUSED:
        detail = (
            f"the API at {public_address(options.url)} answered {status}: it does not accept the credentials; "
            f"{options.advice.credentials}"
        )
    return Reply(meaning, status, f"http_{status}", retry_after_s=wanted_s, latency_ms=answer.latency_ms, detail=detail)


def _success(status: str, answer: Answer, options: ApiOptions) -> Reply:
    try:
        body = answer.body if answer.body and not answer.encoding else unpacked_body(answer, options)
        if body is None:
            detail = f"{status} with a body over {options.advice.body_setting}"
            return Reply(Meaning.RETRY, status, "too_large", detail=detail)
        value: Any = loads(body)
    except ValueError:
        value = None
    if isinstance(value, dict):
        return Reply(Meaning.DONE, status, "", answer=value, latency_ms=answer.latency_ms)
    return Reply(Meaning.RETRY, status, "bad_response", detail=f"{status} without a JSON object that can be read")


def unpacked_body(answer: Answer, options: ApiOptions) -> bytes | None:
    """Return the body of an answer unpacked, None where it is larger than it may be, as it came or unpacked.

    Raises:
        ValueError: what is packed is damaged, or packed in a way that was not asked for.
    """
    if answer.body is None or answer.encoding in {"", "identity"}:
        return answer.body
    if answer.encoding in {"gzip", "x-gzip"} and options.gzip:
        return _unpacked(answer.body, options.max_body_bytes)
    raise ValueError(f"the body is packed as {answer.encoding}, which was not asked for")


def _unpacked(packed: bytes, most_bytes: int) -> bytes | None:
    """Return what gzip packed, and never unpack more than a byte over the cap: a thousandth may be sent of a bomb."""
    unpacked = b""
    while packed:
        unpacking = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            unpacked += unpacking.decompress(packed, most_bytes + 1 - len(unpacked))
        except zlib.error as error:
            raise ValueError(f"no gzip: {error}") from error
        if len(unpacked) > most_bytes:
            return None
        if not unpacking.eof:
            raise ValueError("what gzip packed was cut short")
        packed = unpacking.unused_data  # RFC 1952 section 2.2: one member may follow another
    return unpacked


def reply_without_answer(outcome: NoAnswer, url: str, options: ApiOptions) -> Reply:
    """Return what it means that no answer came from `url`, or none that can be read.

    A name that does not resolve and a TLS handshake that fails are what an outage looks like; a certificate or a
    password for the proxy that is not accepted gets no better by waiting.
    """
    error, sent = outcome.error, outcome.sent
    host = urlsplit(url).hostname
    if isinstance(error, TimeoutError):
        detail = shortened(str(error), 300) or f"no answer within {options.timeout_s:g} s"
        return Reply(Meaning.RETRY, "timeout", "timeout", detail=detail, sent=sent)
    if is_about_a_certificate(error):
        why = shortened(str(error), 200)
        detail = (
            f"the API at {public_address(url)} cannot be trusted or does not trust batchd: {why}; "
            f"{options.advice.certificate}"
        )
        return Reply(Meaning.REFUSED, CERTIFICATE, CERTIFICATE, detail=detail, sent=sent)
    if isinstance(error, ProxyRefused):
        detail = f"{shortened(str(error), 200)}: it carries no call to {host}; {options.advice.proxy}"
        return Reply(Meaning.PAUSE, "proxy", "proxy", detail=detail, sent=sent)
    if isinstance(error, StaleConnection):
        return Reply(Meaning.RETRY, STALE, "connect", detail=str(error), sent=sent)
    if isinstance(error, OSError):
        failed = f"the name {host} does not resolve" if isinstance(error, gaierror) else f"connection to {host} failed"
        return Reply(Meaning.RETRY, "connect", "connect", detail=shortened(f"{failed}: {error}", 300), sent=sent)
    return Reply(Meaning.RETRY, "broken", "bad_response", detail=shortened(str(error), 300), sent=sent)


CERTIFICATE_ALERTS = (
    "ALERT_ACCESS_DENIED",
    "ALERT_BAD_CERTIFICATE",
    "ALERT_CERTIFICATE_EXPIRED",
    "ALERT_CERTIFICATE_REQUIRED",
    "ALERT_CERTIFICATE_REVOKED",
    "ALERT_CERTIFICATE_UNKNOWN",
    "ALERT_UNKNOWN_CA",
    "ALERT_UNSUPPORTED_CERTIFICATE",
)
"""How OpenSSL's names of those alerts end (RFC 8446 section 6.2) that say that ours is refused, or missing."""


def may_be_a_moment(error: Exception) -> bool:
    """Return whether what pauses a batch may be over in a moment: a front or a proxy that restarts, say."""
    return isinstance(error, ProxyRefused) or is_about_a_certificate(error)


def is_about_a_certificate(error: Exception) -> bool:
    """Return whether TLS failed because one side does not accept the certificate of the other."""
    if not isinstance(error, ssl.SSLError):
        return False
    return isinstance(error, ssl.SSLCertVerificationError) or (error.reason or "").endswith(CERTIFICATE_ALERTS)


def public_address(url: str) -> str:
    """Return `url`, which may be a template, without what may be secret: user, password, query and fragment."""
    parts = urlsplit(url)
    path = parts.path.removesuffix("{")  # of a template: `/people{?email}`
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, "", ""))
