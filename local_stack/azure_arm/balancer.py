"""The environment's ingress: HAProxy, with an address for each app and one for each revision.

A request to an app draws a number from 0 to 99, and a map says which revision gets it, whether that revision is well or
not: Container Apps ask no health before they choose either. So weights change at run time, in one step and without a
reload, and only a revision that comes or goes needs one. Counters are those of the revision's backend, so requests to
its own address count too; before a reload they are added up (what the old worker finishes afterwards is not counted).
"""

import csv
import io
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from infra.hub.vm.reload_haproxy import reload
from local_stack.azure_arm.state import App, Revision
from local_stack.files import private_folder, write_private
from shared.serving.haproxy import BUFFER_BYTES

_HOST: Final = "127.0.0.1"
_STOPPED: Final = "stopped"
_CLASSES: Final = ("2xx", "3xx", "4xx", "5xx")
_HEAD: Final = """\
global
  stats socket "{socket}" level admin mode 600 expose-fd listeners
  hard-stop-after 30s
  maxconn 1000
  tune.bufsize {buffer}

defaults
  mode http
  timeout connect 2s
  timeout http-request 10s
  timeout client 60s
  timeout server 240s
  timeout queue 10s
  timeout check 10s
  option idle-close-on-response
  option http-server-close

backend {stopped}
  http-request deny deny_status 404 content-type text/plain string "This Container App is stopped or does not exist."
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What HAProxy says of a revision: its health check (None: not done yet), and answers since the last reload."""

    healthy: bool | None
    counted: dict[str, int]


@dataclass(slots=True)
class Balancer:
    """HAProxy as a child process; ``folder`` for its files, ``runtime`` (a short path) for its sockets."""

    folder: Path
    runtime: Path
    _process: subprocess.Popen[bytes] | None = None
    _rendered: str = ""
    _maps: dict[str, str] = field(default_factory=dict)

    @property
    def _socket(self) -> Path:
        return self.runtime / "arm.sock"

    @property
    def _master(self) -> Path:
        return self.runtime / "arm-master.sock"

    def start(self, apps: Iterable[App]) -> None:
        """Start HAProxy with what is known."""
        private_folder(self.runtime)
        self._write(apps)
        program = shutil.which("haproxy") or "/usr/sbin/haproxy"
        master = f"{self._master},mode,600"
        self._process = subprocess.Popen([program, "-W", "-db", "-S", master, "-f", str(self._config)])

    def stop(self) -> None:
        """End it; requests under way may finish for a moment."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=40)

    def bring_in_line(self, apps: list[App]) -> None:
        """Serve these apps and revisions with these weights; counters are added to the revisions before a reload."""
        if self._render(apps) != self._rendered:
            seen = self.look()
            for revision in (revision for app in apps for revision in app.revisions.values()):
                if revision.name in seen:
                    count(revision, seen[revision.name])
            self._write(apps)
            reload(str(self._master))
            return
        for app in apps:
            self._set_map(app)

    def look(self) -> dict[str, Seen]:
        """What HAProxy says of each revision now; empty while it does not answer."""
        try:
            answer = self._ask("show stat -1 6 -1")  # backends and servers
        except OSError:
            return {}
        rows = list(csv.DictReader(io.StringIO(answer.strip().removeprefix("# "))))
        counted = {
            row["pxname"]: {kind: int(row[f"hrsp_{kind}"] or 0) for kind in _CLASSES}
            for row in rows
            if row["svname"] == "BACKEND"
        }
        return {row["pxname"]: Seen(_health(row), counted[row["pxname"]]) for row in rows if row["svname"] == "replica"}

    @property
    def _config(self) -> Path:
        return self.folder / "haproxy.cfg"

    def _map_file(self, app: App) -> Path:
        return self.folder / f"{app.name}.map"

    def _write(self, apps: Iterable[App]) -> None:
        apps = list(apps)
        for app in apps:
            self._maps[app.name] = _map_text(app)
            write_private(self._map_file(app), self._maps[app.name])
        self._rendered = self._render(apps)
        write_private(self._config, self._rendered)

    def _set_map(self, app: App) -> None:
        text, file = _map_text(app), self._map_file(app)
        if text == self._maps.get(app.name):
            return
        write_private(file, text)
        version = self._ask(f"prepare map {file}").rpartition(":")[2].strip()
        for line in text.splitlines():
            self._ask(f"add map @{version} {file} {line}")
        self._ask(f"commit map @{version} {file}")
        self._maps[app.name] = text

    def _render(self, apps: Iterable[App]) -> str:
        parts = [_HEAD.format(socket=self._socket, buffer=BUFFER_BYTES, stopped=_STOPPED)]
        for app in apps:
            parts.append(
                f"frontend {app.name}\n  bind {_HOST}:{app.port}\n"
                f'  use_backend %[rand(100),map_int("{self._map_file(app)}",{_STOPPED})]\n'
            )
            parts += [_revision(revision) for revision in app.revisions.values() if revision.active]
        return "\n".join(parts)

    def _ask(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(self._socket))
            connection.sendall(f"{command}\n".encode())
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        return answer.decode()


def count(revision: Revision, seen: Seen) -> None:
    """Add what HAProxy counted since its last reload to what is kept."""
    for kind, number in seen.counted.items():
        revision.counted[kind] = revision.counted.get(kind, 0) + number


def _revision(revision: Revision) -> str:
    check, interval = _check(revision)
    return (
        f"frontend {revision.name}.own\n  bind {_HOST}:{revision.port}\n  default_backend {revision.name}\n\n"
        f"backend {revision.name}\n{check}"
        f"  server replica {_HOST}:{revision.container_port} check inter {interval} fall 2 rise 1\n"
    )


def _check(revision: Revision) -> tuple[str, str]:
    """The readiness probe as HAProxy's check; without one, that the port takes connections."""
    for probe in revision.template["containers"][0].get("probes") or ():
        if probe.get("type") == "Readiness" and "httpGet" in probe:
            return f"  option httpchk GET {probe['httpGet'].get('path', '/')}\n", "500ms"
    return "", "500ms"


def _map_text(app: App) -> str:
    """A line for each number from 0 to 99: the backend of the revision that gets it."""
    drawn: list[str] = []
    for name, weight in app.weights().items():
        revision = app.revisions.get(name)
        drawn += [name if revision is not None and revision.active else _STOPPED] * weight
    return "".join(f"{number} {name}\n" for number, name in enumerate(drawn))


def _health(row: Mapping[str, str]) -> bool | None:
    """None before the first check: HAProxy calls a server up until one has failed."""
    checked = row["check_status"].removeprefix("* ")
    if not checked or checked == "INI":
        return None
    return row["status"].startswith("UP") and checked in {"L4OK", "L6OK", "L7OK"}
