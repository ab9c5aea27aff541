"""HAProxy's language: the configuration of a slot, and the commands and answers of its runtime socket.

Configuration and runtime say the same, so that a restart of HAProxy keeps the choice: a server has its weight in both,
and one without traffic is ``disabled`` in the file and in maintenance at run time. What an answer says of the model is
in a map (:mod:`shared.serving.answer_headers`), since a change of the file itself would need a reload, after which the
old process goes on with the old weights for a while.

A client holds nothing of a model until its request is there in full: HAProxy takes the body into its own buffer first,
within a time and a size, and a source has so many connections. The machine's part of the configuration must allow a
buffer of :data:`BUFFER_BYTES` (``tune.bufsize``); with a smaller one, larger bodies are refused, not let through.
"""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass

from shared.serving.answer_headers import header_rules
from shared.serving.containers import AT_A_TIME
from shared.serving.slots import Colour, Slot

SOCKET_PATH = "serving/haproxy.sock"  # relative to the home of the SSH user
RELOAD_COMMAND = "./bin/reload-haproxy"

BODY_LIMIT = 3 * 512 * 1024  # bytes of a request; managed endpoints of Azure ML take as much
BUFFER_BYTES = BODY_LIMIT + 64 * 1024  # the body, its headers, and HAProxy's own reserve
BODY_SECONDS = 20
CONNECTIONS_PER_SOURCE = 64

_TEMPLATE = """\
# Written by edgetrain from serving/{pipeline}.json: changes here are lost.
frontend {name}.frontend
  mode http
  bind {bind}:{frontend_port}
  maxconn 500
  timeout client 60s
  timeout http-request 10s
  # A reload for another pipeline must not cut the idle connections of this one's clients.
  option idle-close-on-response
  # No client takes the endpoint from the others, neither by many connections nor by a large or a slow body.
  stick-table type ipv6 size 10k expire 1m store conn_cur
  tcp-request connection track-sc0 src
  tcp-request connection reject if {{ sc0_conn_cur gt {most_connections} }}
  http-request deny deny_status 429 {json} {too_many} if {{ sc0_conn_cur gt {connections} }}
  http-request deny deny_status 413 {json} {too_large} if {{ req.hdr_val(content-length) gt {body_limit} }}
  http-request wait-for-body time {body_seconds}s
  http-request deny deny_status 413 {json} {too_large} if {{ req.body_len gt {body_limit} }}
  http-request set-var(txn.size) req.body_size
  http-request deny deny_status 413 {json} {no_room} if {{ req.body_len,sub(txn.size) lt 0 }}
  default_backend {name}

backend {name}
  mode http
  timeout connect 2s
  timeout queue 10s
  timeout server 60s
  # A server that computes is slow to answer a check, and is not down for that; one that is gone refuses it at once.
  timeout check 10s
  option httpchk GET /
  # A request that a release fails is asked again, of another one where there is another one: during a canary, a model
  # that fails under traffic is seen in the counters, and not by the clients. Scoring has no side effects.
  retries 2
  retry-on conn-failure empty-response 500 502 503 504
  option redispatch 1
  option http-server-close
{headers}
{servers}
"""
_JSON = "content-type application/json string"


def _error_body(reason: str) -> str:
    return f"'{json.dumps({'error': reason})}'"


@dataclass(frozen=True, slots=True)
class ServerState:
    """What HAProxy says of one server: status (``UP``, ``DOWN``, ``DRAIN``, ``MAINT``, ...) and requests under way.

    ``requests``: answered, or lost by the server, since HAProxy was loaded; ``errors``: of these, answers of 500 and
    above and none at all. ``latency_ms``: the mean of the last 1024 answers; None before the first.
    """

    status: str
    sessions: int
    weight: int = 1
    requests: int = 0
    errors: int = 0
    latency_ms: float | None = None

    @property
    def up(self) -> bool:
        """Whether it takes traffic: enabled, and its health check passed."""
        return self.status == "UP" or self.status.startswith("UP ")

    @property
    def out(self) -> bool:
        """Whether it is in maintenance: no traffic, no health checks."""
        return self.status.startswith("MAINT")

    @property
    def kept_out(self) -> bool:
        """Whether it was told to take no traffic, however well it is."""
        return self.out or self.status.startswith("DRAIN")


def proxy_name(pipeline: str) -> str:
    """The name of a pipeline's backend.

    The frontend's differs by a part that no pipeline's name can have: the runtime socket takes the first that fits.
    """
    return f"edgetrain-{pipeline}"


def config_path(pipeline: str) -> str:
    """Where a slot's configuration lies, relative to the home of the SSH user."""
    return f"serving/conf.d/{pipeline}.cfg"


def render_config(slot: Slot, *, headers_file: str) -> str:
    """The frontend and backend of a slot. Complete by itself: it leans on no ``defaults`` section.

    ``headers_file``: the absolute path of the slot's map, see :mod:`shared.serving.answer_headers`.
    """
    servers = "\n".join(
        f"  server {colour} 127.0.0.1:{slot.ports[colour]} maxconn {AT_A_TIME} check inter 500ms fall 2 rise 1"
        + (f" weight {slot.weight(colour)}" if slot.weight(colour) else " disabled")
        for colour in Colour
    )
    bind = f"[{slot.bind}]" if ":" in slot.bind else slot.bind
    return _TEMPLATE.format(
        pipeline=slot.pipeline,
        name=proxy_name(slot.pipeline),
        bind=bind,
        frontend_port=slot.frontend_port,
        servers=servers,
        headers=header_rules(headers_file),
        json=_JSON,
        connections=CONNECTIONS_PER_SOURCE,
        most_connections=2 * CONNECTIONS_PER_SOURCE,
        too_many=_error_body(f"more than {CONNECTIONS_PER_SOURCE} connections at a time from one address"),
        body_limit=BODY_LIMIT,
        body_seconds=BODY_SECONDS,
        too_large=_error_body(f"a request may have {BODY_LIMIT} bytes; send fewer rows at a time"),
        no_room=_error_body(f"the server holds no body of this size; its tune.bufsize must be {BUFFER_BYTES}"),
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
        states = {Colour(row["svname"]): _state(row) for row in rows}
    except (KeyError, TypeError, csv.Error) as error:
        raise ValueError(f"HAProxy's answer is not a table of servers: {' '.join(answer.split())[:200]}") from error
    missing = set(Colour) - set(states)
    if missing:
        raise ValueError(f"HAProxy knows no server {', '.join(sorted(missing))}: {' '.join(answer.split())[:200]}")
    return states


_FINE = ("hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_other")
_FAILED = ("hrsp_5xx", "eresp")  # the last try of a request failed; eresp: no answer, or one that is no HTTP


def _state(row: Mapping[str, str | None]) -> ServerState:
    """Every try counts as one request, also one whose failure the client never saw because another try was made.

    ``stot`` has every try, and no answer of a failed one that was made again. ``wretr`` is no count of those: HAProxy
    2.6 adds two for a try that was answered with an error, and none for the one that goes to another server.
    """

    def number(column: str) -> int:
        return int(row.get(column) or 0)

    fine, failed = sum(map(number, _FINE)), sum(map(number, _FAILED))
    requests = max(number("stot") - number("scur"), fine + failed)  # an answer may be counted before its try has ended
    return ServerState(
        status=str(row["status"] or ""),
        sessions=number("scur"),
        weight=number("weight"),
        requests=requests,
        errors=requests - fine,
        latency_ms=float(number("rtime")) if requests else None,
    )


def shares(states: Mapping[Colour, ServerState]) -> dict[Colour, int]:
    """The percent of the traffic that each server really gets: only those that are up share it. They sum to 100 or 0.

    As HAProxy splits by weight, whole percents may be off by one.
    """
    weights = {colour: state.weight if state.up else 0 for colour, state in states.items()}
    total = sum(weights.values())
    if not total:
        return dict.fromkeys(states, 0)
    percents = {colour: round(100 * weight / total) for colour, weight in weights.items()}
    most = max(percents, key=lambda colour: percents[colour])
    percents[most] += 100 - sum(percents.values())
    return percents


def weight_command(pipeline: str, colour: Colour, weight: int) -> str:
    """Give a server another part of the traffic, from the next request on."""
    return f"set weight {proxy_name(pipeline)}/{colour} {weight}"


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
