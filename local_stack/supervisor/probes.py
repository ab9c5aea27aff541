"""Readiness probes: a service is ready when it does what it should, never because time has passed."""

import http.client
import socket
import urllib.error
import urllib.request
from collections.abc import Collection
from pathlib import Path

from local_stack.supervisor.service import Probe

HOST = "127.0.0.1"
_TIMEOUT = 2.0
# A developer's proxy settings must not catch loopback addresses.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def listens(port: int) -> Probe:
    """Ready when the port takes connections."""

    def probe() -> str | None:
        try:
            socket.create_connection((HOST, port), timeout=_TIMEOUT).close()
        except OSError:
            return f"nothing listens on {HOST}:{port}"
        return None

    return probe


def greets(port: int, prefix: bytes) -> Probe:
    """Ready when the server's first bytes are ``prefix``."""

    def probe() -> str | None:
        try:
            with socket.create_connection((HOST, port), timeout=_TIMEOUT) as connection:
                greeting = connection.recv(64)
        except OSError:
            return f"nothing listens on {HOST}:{port}"
        return None if greeting.startswith(prefix) else f"{HOST}:{port} does not say {prefix.decode()}"

    return probe


def answers(url: str, statuses: Collection[int]) -> Probe:
    """Ready when GET of ``url`` gives one of ``statuses``."""

    def probe() -> str | None:
        try:
            with _opener.open(url, timeout=_TIMEOUT) as reply:
                status = reply.status
        except urllib.error.HTTPError as error:
            status = error.code
            error.close()
        except (OSError, http.client.HTTPException):
            return f"{url} does not answer"
        return None if status in statuses else f"{url} answers {status}"

    return probe


def exists(path: Path) -> Probe:
    """Ready when the file is there. Whoever uses this removes the file before the start."""
    return lambda: None if path.exists() else f"{path.name} is not written yet"


def every(*probes: Probe) -> Probe:
    """Ready when all of them are."""
    return lambda: next((reason for probe in probes if (reason := probe()) is not None), None)
