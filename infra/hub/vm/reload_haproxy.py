"""Reload a running HAProxy and wait until the new configuration serves; standard library only, it runs on the VM.

Usage: ``reload_haproxy.py MASTER_SOCKET -- CHECK COMMAND...``. Exit status 0: every new connection meets the new
configuration. 1: the check refused it, or HAProxy did; the old configuration still serves, stderr says why.
"""

import contextlib
import re
import socket
import subprocess
import sys
import time
from typing import NamedTuple

_PATIENCE = 10.0
_MASTER = re.compile(r"^\d+\s+master\s+(\d+)(?:\s+\[failed: (\d+)\])?", re.MULTILINE)
_CURRENT_WORKER = re.compile(r"^\d+\s+worker\s+0\s", re.MULTILINE)


class ReloadError(Exception):
    """The new configuration does not serve."""


class Master(NamedTuple):
    """What the master process says of itself (``show proc`` in HAProxy's management guide)."""

    reloads: int
    failed: int
    has_current_worker: bool


def parse(text: str) -> Master:
    """Read the table of ``show proc``."""
    found = _MASTER.search(text)
    if found is None:
        raise ReloadError(f"HAProxy's master answers something else: {text[:200]!r}")
    return Master(int(found[1]), int(found[2] or 0), _CURRENT_WORKER.search(text) is not None)


def complaints(output: str) -> str:
    """What a refused check has to say: its alerts, without the notices around them."""
    alerts = [line for line in output.splitlines() if line.startswith("[ALERT]")]
    return "\n".join(alerts) or output.strip() or "the configuration check failed"


def ask(path: str, command: str) -> str:
    """Send one command to the master's socket and return all it says."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_PATIENCE)
        connection.connect(path)
        connection.sendall(f"{command}\n".encode())
        connection.shutdown(socket.SHUT_WR)
        parts = []
        while part := connection.recv(4096):
            parts.append(part)
        return b"".join(parts).decode()


def reload(path: str) -> None:
    """Tell the master to reload; returns when the new worker serves. Raises :class:`ReloadError`."""
    before = parse(ask(path, "show proc"))
    with contextlib.suppress(ConnectionError):  # the master starts itself anew and may hang up without a word
        ask(path, "reload")
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            now = parse(ask(path, "show proc"))
        except (ConnectionError, FileNotFoundError):
            now = before
        if now.failed > before.failed:
            raise ReloadError("HAProxy refused the configuration, see its log")
        if now.reloads > before.reloads and now.has_current_worker:
            return
        time.sleep(0.02)
    raise ReloadError(f"no new worker after {_PATIENCE:.0f} s")


def main(arguments: list[str]) -> int:
    """Check, then reload."""
    path, _, *check = arguments
    try:
        checked = subprocess.run(check, capture_output=True, text=True, check=False)
        if checked.returncode:
            raise ReloadError(complaints(checked.stderr))
        reload(path)
    except (ReloadError, OSError) as error:
        print(f"reload-haproxy: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
