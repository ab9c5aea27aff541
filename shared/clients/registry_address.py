"""Validates the address of a container registry."""

import ipaddress
from urllib.parse import urlsplit

from shared.errors import Code, PermanentError


def checked_url(url: str) -> str:
    """The registry's address without a trailing slash; raises :class:`PermanentError` for http beyond loopback."""
    parts = urlsplit(url)
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.username:
        reason = f"the registry's url must be like https://name.azurecr.io, not {parts.scheme}://{parts.hostname}..."
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION)
    if parts.scheme != "https" and not (parts.scheme == "http" and on_loopback(url)):
        reason = f"the registry at {parts.hostname} must be reached by https; http is for loopback only"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION)
    return f"{parts.scheme}://{parts.netloc}"


def registry_host(url: str) -> str:
    """The registry's name in references to images; raises as :func:`checked_url` does."""
    return urlsplit(checked_url(url)).netloc


def on_loopback(url: str) -> bool:
    """Whether the address is on the loopback interface."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
