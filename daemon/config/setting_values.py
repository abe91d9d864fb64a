"""What a setting may hold beyond its type: addresses, shares, tokens. A check says what is wrong, never the value."""

from __future__ import annotations

import os
import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr

from activities.source.encoding import known, readable
from activities.source.field_format import MOST_DELIMITER_CHARS, can_separate

HIGHEST_PORT = 65_535
CREDENTIALS = "$CREDENTIALS_DIRECTORY"
"""Where systemd has the secrets of a service: no file of settings can know it (systemd.exec(5), Credentials)."""
_SHARE = re.compile(r"(?:100(?:\.0+)?|\d{1,2}(?:\.\d+)?)%|\d{1,12}")
_USER_INFO = re.compile(r"[^/?#]*//[^/?#]*@")
_VISIBLE = re.compile(r"[!-~]*")
"""Visible ASCII: what a header or the target of a request may hold (RFC 9110 section 5.5, RFC 3986 section 2)."""


def http_url(value: str) -> str:
    """Return `value` where the API can be called there as it stands, or where it is empty.

    Raises:
        ValueError: it is no http address, its host, port or characters cannot be used, or it holds credentials.
    """
    if _USER_INFO.match(value):
        raise ValueError(
            "must hold no user and password, which an address shows to everybody; set BATCH_API_TOKEN or "
            "BATCH_API_TOKEN_FILE instead"
        )
    if _VISIBLE.fullmatch(value) is None:
        raise ValueError(
            "must hold no spaces and no characters outside ASCII; percent-encode them in the path (%20 for a space), "
            "and write such a host name in its xn-- form"
        )
    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError:  # its text may quote the value
        raise ValueError("must be an http:// or https:// address; its host cannot be read") from None
    if value and (parts.scheme not in {"http", "https"} or not host):
        raise ValueError("must be an http:// or https:// address")
    try:
        usable = parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(f"the port must be a number from 1 to {HIGHEST_PORT}")
    return value


def share(value: str) -> str:
    """Return `value` where it is a count or a share."""
    if _SHARE.fullmatch(value) is None:
        raise ValueError("must be a count such as 500 or a share such as 5%")
    return value


def address(value: str) -> str:
    """Return `value` where it is IP:PORT or empty."""
    if value:
        host, _, port = value.rpartition(":")
        try:
            ip_address(host.strip("[]"))
            usable = port.isdigit() and int(port) <= HIGHEST_PORT
        except ValueError:  # its text would be about half of the value
            usable = False
        if not usable:
            raise ValueError("must be IP:PORT, such as 127.0.0.1:9464")
    return value


def ip(value: str) -> str:
    """Return `value` where it is an IP address."""
    try:
        ip_address(value)
    except ValueError:
        raise ValueError("must be an IP address, such as 127.0.0.1") from None
    return value


def named_path(value: object) -> object:
    """Return `value` where it names a path: an empty one would be the current folder, which nobody asked for."""
    if isinstance(value, str) and not value.strip():
        raise ValueError("must be a path and is empty; unset it for the default, or set . for the current folder")
    return value


def secret_path(value: object) -> object:
    """Return `named_path` of the file of a secret, which may be a credential."""
    return named_path(credential(value) if isinstance(value, str) else value)


def credential(path: str) -> str:
    """Return the path of a secret, in the folder of credentials where it begins with `$CREDENTIALS_DIRECTORY`.

    Without such a folder it stays as it is: whoever reads it says that there is no such file.
    """
    folder = os.environ.get(CREDENTIALS.removeprefix("$"))
    return folder + path.removeprefix(CREDENTIALS) if folder and path.startswith(f"{CREDENTIALS}/") else path


def token(value: str) -> str:
    """Return `value` where a header may hold it as a bearer token."""
    if _VISIBLE.fullmatch(value) is None:
        raise ValueError("the token must be visible ASCII characters, without spaces or line breaks")
    return value


def checked_encoding(name: str) -> str:
    """Return `name` where it is `auto` or an encoding in which files are read.

    Raises:
        ValueError: it is not.
    """
    if name == "auto":
        return name
    if known(name) is None:
        raise ValueError(f"{name} is not an encoding Python knows")
    if readable(name) is None:
        raise ValueError(
            f"{name} is none of the encodings that are read, since in others a comma or a quote may be "
            "part of another character; convert the files to UTF-8, or set one of those in docs/csv.md"
        )
    return name


def checked_delimiter(value: str) -> str:
    """Return `value` where it is `auto`, `tab`, or characters that can separate fields.

    Raises:
        ValueError: it is not.
    """
    if value in {"auto", "tab"} or can_separate(value):
        return value
    raise ValueError(
        f"must be auto, tab, or 1 to {MOST_DELIMITER_CHARS} characters that are no letters, digits or line ends"
    )


def _secret_token(value: SecretStr) -> SecretStr:
    token(value.get_secret_value())
    return value


HttpUrl = Annotated[str, AfterValidator(http_url)]
Share = Annotated[str, AfterValidator(share)]
Address = Annotated[str, AfterValidator(address)]
Ip = Annotated[str, AfterValidator(ip)]
NamedPath = Annotated[Path, BeforeValidator(named_path)]
SecretPath = Annotated[Path, BeforeValidator(secret_path)]
SecretToken = Annotated[SecretStr, AfterValidator(_secret_token)]
