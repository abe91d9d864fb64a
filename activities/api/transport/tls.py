"""Whom we trust, and who we are."""

from __future__ import annotations

import ssl

from activities.api.options import ApiOptions


def tls_context(options: ApiOptions) -> ssl.SSLContext:
    """Return what connections to the API are encrypted with: only a certificate that is valid for its name will do.

    Raises:
        ValueError: a file of `options` cannot be read, or does not hold what it should.
    """
    try:
        context = ssl.create_default_context(cafile=options.ca_file or None)
    except OSError as error:
        raise ValueError(f"{options.ca_file}: no certificate authority can be read from it: {error}") from error
    if options.cert_file:
        try:
            context.load_cert_chain(options.cert_file, options.key_file or None, password=_refuse)
        except (OSError, ValueError) as error:
            files = f"{options.cert_file} and {options.key_file}" if options.key_file else options.cert_file
            raise ValueError(f"{files}: no certificate with its key can be read from it: {error}") from error
    return context


def _refuse() -> str:
    raise ValueError("the key has a password; store it without one")
