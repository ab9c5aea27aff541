"""Whether something answers at an address, with which certificate, and what its clock says. No credential is sent."""

import os
import socket
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from shared.errors import Code, PermanentError
from shared.values.texts import shortened

SECONDS: Final = 5.0
_PORTS: Final = {"https": 443, "http": 80, "amqps": 5671, "sb": 5671}
_ENCRYPTED: Final = frozenset({"https", "amqps", "sb"})
_LONGEST_HEAD: Final = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Something that the app speaks to. ``ca_bundle``: a file with authorities; empty: those that all clients take."""

    url: str
    ca_bundle: str = ""

    @property
    def host(self) -> str:
        """Its name and port."""
        parts = urlsplit(self.url)
        return f"{parts.hostname}:{parts.port or _PORTS.get(parts.scheme, 443)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """What answers. ``valid_until``: of its certificate; ``ahead``: seconds by which its clock is ahead of ours."""

    address: str
    valid_until: datetime | None = None
    ahead: float | None = None


def reach(endpoint: Endpoint, *, seconds: float = SECONDS) -> Reached:
    """Connect, check the certificate, and ask an HTTP server for nothing but its headers.

    Raises :class:`PermanentError`: the name does not resolve, nothing answers there, or the certificate is not trusted.
    """
    parts = urlsplit(endpoint.url)
    name, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 443)
    connection, address = _connected(endpoint, _resolved(name, port), seconds)
    with connection:
        if parts.scheme not in _ENCRYPTED:
            ahead = _ahead(connection, name, seconds) if parts.scheme == "http" else None
            return Reached(address=address, ahead=ahead)
        with _secured(endpoint, connection, name) as secured:
            ahead = _ahead(secured, name, seconds) if parts.scheme == "https" else None
            return Reached(address=address, valid_until=_end_of(secured), ahead=ahead)


def authorities(ca_bundle: str = "") -> str:
    """The file with the authorities that our clients trust: the given one, or as ``requests`` chooses it."""
    if ca_bundle:
        return ca_bundle
    import certifi

    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or certifi.where()


def _resolved(name: str, port: int) -> list[tuple[str, int]]:
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        said = getattr(error, "strerror", None) or "it is no name"
        raise _wrong(f"the name {shortened(name, 100) or '(none)'} does not resolve: {said}") from None
    return [(str(each[4][0]), int(each[4][1])) for each in found]


def _connected(endpoint: Endpoint, addresses: list[tuple[str, int]], seconds: float) -> tuple[socket.socket, str]:
    """A connection to the first address that takes one, and which that is; clients try one after the other too."""
    ends, trouble = time.monotonic() + 2 * seconds, ""
    for address in addresses:
        try:
            connection = socket.create_connection(address, timeout=min(seconds, max(0.1, ends - time.monotonic())))
        except OSError as error:
            said = "no answer" if isinstance(error, TimeoutError) else error.strerror
            trouble = trouble or f"nothing answers at {endpoint.host} ({address[0]}): {said}"
        else:
            connection.settimeout(seconds)
            return connection, address[0]
    raise _wrong(trouble)


def _secured(endpoint: Endpoint, connection: socket.socket, name: str) -> ssl.SSLSocket:
    bundle = authorities(endpoint.ca_bundle)
    if not Path(bundle).is_file():
        raise _wrong(f"there is no file {shortened(bundle, 200)} with authorities")
    try:
        return ssl.create_default_context(cafile=bundle).wrap_socket(connection, server_hostname=name)
    except ssl.SSLCertVerificationError as error:
        raise _wrong(f"the certificate of {endpoint.host} is not accepted: {error.verify_message}") from None
    except (OSError, ValueError) as error:
        said = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
        raise _wrong(f"{endpoint.host} does not speak TLS: {said}") from None


def _end_of(secured: ssl.SSLSocket) -> datetime | None:
    certificate = secured.getpeercert() or {}
    end = certificate.get("notAfter")
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(end)), UTC) if end else None


def _ahead(connection: socket.socket, name: str, seconds: float) -> float | None:
    """By its Date header, which has whole seconds; None when it sends none, or not so soon."""
    ends = time.monotonic() + seconds
    asked = datetime.now(UTC)
    try:
        connection.sendall(f"HEAD / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode("ascii"))
        head = b""
        while b"\r\n\r\n" not in head and len(head) < _LONGEST_HEAD and (part := connection.recv(4096)):
            head += part
            if time.monotonic() > ends:
                return None
    except (OSError, UnicodeError):
        return None
    for line in head.decode("latin-1").split("\r\n"):
        key, _, value = line.partition(":")
        if key.strip().lower() == "date":
            return _seconds_ahead(value.strip(), asked, datetime.now(UTC))
    return None


def _seconds_ahead(date: str, asked: datetime, answered: datetime) -> float | None:
    """The least by which that clock can be ahead (or behind, below zero), given when we asked and had the answer."""
    try:
        theirs = parsedate_to_datetime(date).astimezone(UTC)
    except ValueError:
        return None
    early, late = (theirs - answered).total_seconds(), (theirs - asked).total_seconds() + 1.0
    return early if early > 0 else min(late, 0.0)


def _wrong(reason: str) -> PermanentError:
    return PermanentError(reason, code=Code.BAD_CONFIGURATION)
