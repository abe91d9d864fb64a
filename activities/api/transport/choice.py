"""Which transport serves an address, and why: the fast one, unless a proxy or HTTP/2 is wanted."""

from __future__ import annotations

from activities.api.options import ApiOptions
from activities.api.transport.base import Transport
from activities.api.transport.fast import FastTransport
from activities.api.transport.proxies import proxy_for
from activities.api.transport.replies import public_address


def transport_for(options: ApiOptions, url: str) -> tuple[Transport, str]:
    """Return what carries the calls to `url`, and one sentence that says why. Opens no connection.

    Raises:
        ValueError: the options ask for what cannot be: a file that cannot be read, an unknown kind of proxy.
    """
    proxy, source = proxy_for(url, options)
    if not proxy and not options.http2:
        why = "Neither a proxy nor HTTP/2 is asked for, so calls go over the fast transport."
        return FastTransport(url, options), why
    from activities.api.transport.general import GeneralTransport  # noqa: PLC0415 - httpx2 costs who needs it alone

    if proxy:
        why = f"Calls go through the proxy {public_address(proxy)} ({source}), over the general transport."
        return GeneralTransport(url, options, proxy), why
    return GeneralTransport(url, options), "HTTP/2 is asked for, so calls go over the general transport."
