"""What runs, as a table for people."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from local_stack.supervisor.service import State, Status

_HEAD = ("SERVICE", "STATE", "PID", "UPTIME", "URL", "LOG")


def render(services: Sequence[Status], now: float | None = None) -> str:
    """A line per service under a head, columns aligned."""
    moment = time.time() if now is None else now
    rows = [_HEAD, *(_row(service, moment) for service in services)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _row(service: Status, now: float) -> tuple[str, ...]:
    state = f"{service.state} ({service.detail})" if service.detail else str(service.state)
    uptime = duration(now - service.since) if service.state is State.READY else "-"
    return (service.name, state, str(service.pid or "-"), uptime, service.url or "-", _short(service.log))


def _short(path: Path) -> str:
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def duration(seconds: float) -> str:
    """Two units at most: ``42s``, ``3m 5s``, ``2h 10m``, ``3d 4h``."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60}s"
    if whole < 86_400:
        return f"{whole // 3600}h {whole % 3600 // 60}m"
    return f"{whole // 86_400}d {whole % 86_400 // 3600}h"
