"""HAProxy's language: the configuration of a slot, and the commands and answers of its runtime socket.

Configuration and runtime say the same, so that a restart of HAProxy keeps the choice: a server that is not live is
``disabled`` in the file and in maintenance at run time.
"""

import csv
import io
from dataclasses import dataclass

from shared.serving.slots import Colour, Slot

SOCKET_PATH = "serving/haproxy.sock"  # relative to the home of the SSH user
RELOAD_COMMAND = "./bin/reload-haproxy"

_TEMPLATE = """\
# Written by edgetrain from serving/{pipeline}.json: changes here are lost.
frontend {name}.frontend
  mode http
  bind {bind}:{frontend_port}
  timeout client 60s
  timeout http-request 10s
  # A reload for another pipeline must not cut the idle connections of this one's clients.
  option idle-close-on-response
  default_backend {name}

backend {name}
  mode http
  timeout connect 2s
  timeout queue 5s
  timeout server 60s
  option httpchk GET /
  option redispatch
{servers}
"""


@dataclass(frozen=True, slots=True)
class ServerState:
    """What HAProxy says of one server: status (``UP``, ``DOWN``, ``DRAIN``, ``MAINT``, ...) and requests under way."""

    status: str
    sessions: int

    @property
    def up(self) -> bool:
        """Whether it takes traffic: enabled, and its health check passed."""
        return self.status == "UP" or self.status.startswith("UP ")

    @property
    def out(self) -> bool:
        """Whether it is in maintenance: no traffic, no health checks."""
        return self.status.startswith("MAINT")


def proxy_name(pipeline: str) -> str:
    """The name of a pipeline's backend.

    The frontend's differs by a part that no pipeline's name can have: the runtime socket takes the first that fits.
    """
    return f"edgetrain-{pipeline}"


def config_path(pipeline: str) -> str:
    """Where a slot's configuration lies, relative to the home of the SSH user."""
    return f"serving/conf.d/{pipeline}.cfg"


def render_config(slot: Slot) -> str:
    """The frontend and backend of a slot. Complete by itself: it leans on no ``defaults`` section."""
    servers = "\n".join(
        f"  server {colour} 127.0.0.1:{slot.ports[colour]} check inter 500ms fall 2 rise 1"
        + ("" if colour is slot.active else " disabled")
        for colour in Colour
    )
    bind = f"[{slot.bind}]" if ":" in slot.bind else slot.bind
    return _TEMPLATE.format(
        pipeline=slot.pipeline,
        name=proxy_name(slot.pipeline),
        bind=bind,
        frontend_port=slot.frontend_port,
        servers=servers,
    )


def show_command(pipeline: str) -> str:
    """Ask for the state of a backend's servers (type 4), all of them (-1)."""
    return f"show stat {proxy_name(pipeline)} 4 -1"


def parse_servers(answer: str) -> dict[Colour, ServerState]:
    """The states in an answer to :func:`show_command`; raises ``ValueError`` when it is none, or a colour is missing.

    The answer is CSV with a header line that starts with ``# `` (HAProxy's management guide, section 9.1).
    """
    rows = csv.DictReader(io.StringIO(answer.strip().removeprefix("# ")))
    try:
        states = {
            Colour(row["svname"]): ServerState(status=row["status"], sessions=int(row["scur"] or 0)) for row in rows
        }
    except (KeyError, TypeError, csv.Error) as error:
        raise ValueError(f"HAProxy's answer is not a table of servers: {' '.join(answer.split())[:200]}") from error
    missing = set(Colour) - set(states)
    if missing:
        raise ValueError(f"HAProxy knows no server {', '.join(sorted(missing))}: {' '.join(answer.split())[:200]}")
    return states


def admit_command(pipeline: str, colour: Colour) -> str:
    """Let a server take traffic as soon as a health check of its own has passed, and not before.

    Leaving maintenance counts as healthy until a check fails. So the server leaves it into ``drain`` (checked, no
    traffic), is declared down, and becomes ready: the next check that passes brings it up.
    """
    server = f"{proxy_name(pipeline)}/{colour}"
    return f"set server {server} state drain; set server {server} health down; set server {server} state ready"


def take_out_command(pipeline: str, colour: Colour) -> str:
    """Give a server no new requests; those under way go on."""
    return f"set server {proxy_name(pipeline)}/{colour} state maint"
