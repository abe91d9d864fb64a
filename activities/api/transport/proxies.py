"""Which proxy stands between us and an address, as curl would find it in the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit, urlunsplit

from activities.api.options import ApiOptions

DEFAULT_PORTS = {"http": 1080, "https": 443}
"""What curl takes for a proxy whose address has no port."""


def proxy_for(url: str, options: ApiOptions, environment: Mapping[str, str] = os.environ) -> tuple[str, str]:
    """Return the address of the proxy for `url` and where it was found, twice "" for none.

    Without the option: the variables `https_proxy` or `http_proxy`, by the scheme of `url`, then `all_proxy`; each in
    lower case, then in upper case. `no_proxy` excepts hosts. curl leaves `HTTP_PROXY` out, because a web server that
    runs it could be made to set that; batchd is no such child, and people expect it to count.

    Raises:
        ValueError: a proxy of another kind than HTTP.
    """
    if options.proxy is not None:
        return (_checked(options.proxy, "the option proxy"), "the option proxy") if options.proxy else ("", "")
    parts = urlsplit(url)
    for name in (f"{parts.scheme}_proxy", "all_proxy"):
        for variable in (name, name.upper()):
            if proxy := environment.get(variable, "").strip():
                if _is_excepted(parts.hostname or "", environment.get("no_proxy") or environment.get("NO_PROXY") or ""):
                    return "", ""
                return _checked(proxy, variable), variable
    return "", ""


def _checked(proxy: str, source: str) -> str:
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"{source}: a proxy of the kind {parts.scheme}:// is not supported; use http:// or https://")
    try:
        port = parts.port
    except ValueError:  # its text would quote what may be the password
        raise ValueError(f"{source}: what follows the host of the proxy is no port; write http://host:port") from None
    netloc = parts.netloc if port else f"{parts.netloc.rstrip(':')}:{DEFAULT_PORTS[parts.scheme]}"
    return urlunsplit((parts.scheme, netloc, "", "", ""))


def _is_excepted(host: str, exceptions: str) -> bool:
    """Return whether `exceptions`, separated by commas or blanks, hold the host, a domain or a network of it."""
    names = exceptions.replace(",", " ").split()
    return names == ["*"] or any(_is_in(host.rstrip("."), name.lower()) for name in names)


def _is_in(host: str, name: str) -> bool:
    try:
        return ip_address(host) in ip_network(name.strip("[]"), strict=False)
    except ValueError:
        domain = name.strip(".")
        return bool(domain) and (host == domain or host.endswith(f".{domain}"))
