"""What the enrichment client may do, as the settings say."""

from __future__ import annotations

from dataclasses import dataclass, field

LONGEST_HELD_S = 25.0
"""For so long a Retry-After is honoured where nobody says otherwise, and tried where it may be about one row alone."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What people are told to do where the API does not let batchd in, and which setting bounds an answer."""

    address: str = (
        "mend BATCH_API_URL, restart, then resume (where the address is right and these rows are not known there, "
        "resume alone goes further before it pauses again)"
    )
    credentials: str = "mend BATCH_API_TOKEN or BATCH_API_TOKEN_FILE, restart, then resume"
    certificate: str = (
        "mend the certificate, then resume (after another BATCH_API_URL or trusted CA: restart, then resume)"
    )
    proxy: str = "correct the proxy's address, user and password, restart, then resume"
    body_setting: str = "BATCH_API_MAX_BODY_BYTES"


SETTINGS_ADVICE = Advice()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOptions:
    """What the client may do.

    `rate` is in calls a second, 0 for no limit; `outage` is what rows do while the API is down: `wait` or `fallback`.
    `concurrency` and `rate` are for the whole service, over all its processes. `max_wait_s` is the longest Retry-After
    that is honoured.

    `headers` go with every call, and stand in for those of the same name that would. `ca_file` is trusted instead of
    the authorities that the system trusts; `cert_file`, with the key in it or in `key_file`, is shown to an API that
    asks for it. `proxy` is an address, "" for none, None for what the environment says. `http2` and `gzip` allow the
    API to answer by them.
    """

    url: str
    bulk_url: str = ""
    bulk_size: int = 50
    token: str = field(default="", repr=False)
    concurrency: int = 64
    rate: float = 0.0
    timeout_s: float = 10.0
    attempts: int = 3
    max_body_bytes: int = 1_048_576
    outage: str = "wait"
    user_agent: str = "batchd"
    max_wait_s: float = LONGEST_HELD_S
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    proxy: str | None = field(default="", repr=False)
    http2: bool = False
    gzip: bool = False
    advice: Advice = SETTINGS_ADVICE
