"""One way to write a base URL, so that two that mean the same server compare equal."""

from __future__ import annotations

from urllib.parse import urlsplit

from citefidelity.config.addresses import is_this_machine
from citefidelity.errors import UsageError

LOOPBACK = "loopback"
"""Stands for every address of this machine: a local server's port changes, what it answers does not."""

_DEFAULT_PORTS = (("http", 80), ("https", 443))


def normalise_base_url(url: str) -> str:
    """The one form of ``url``: scheme and host in lower case, no default port, no slash at the end.

    Any loopback address becomes the word :data:`LOOPBACK`, which stands for itself.

    Raises:
        UsageError: it is no plain http(s) URL, or it carries a user name or a password.
    """
    if url == LOOPBACK:
        return LOOPBACK
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError as err:
        raise _unusable(f"is no URL ({err})") from err
    if parts.username is not None or parts.password is not None:
        raise _unusable("carries a user name or a password, which would end in journals and reports")
    if parts.scheme not in {"http", "https"} or not host:
        raise _unusable(f"is no http or https URL: {url[:100]!r}")
    if parts.query or parts.fragment:
        raise _unusable("has a query or a fragment, to which no path can be added")
    if is_this_machine(host):
        return LOOPBACK
    host = host.rstrip(".")
    place = f"[{host}]" if ":" in host else host
    if port is not None and (parts.scheme, port) not in _DEFAULT_PORTS:
        place = f"{place}:{port}"
    return f"{parts.scheme}://{place}{parts.path.rstrip('/')}"


def _unusable(what: str) -> UsageError:
    return UsageError(
        f"The base URL {what}. Nothing was asked.",
        "Give it as https://HOST[:PORT][/PATH], and a key through the environment.",
        kind="bad_base_url",
    )
