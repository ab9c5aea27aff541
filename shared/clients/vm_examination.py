"""What is seen of a VM over one SSH session: machine, engine, HAProxy, what a reboot takes, and the job's own word.

Nothing is changed there. Whatever the VM answers is bounded, in time and in size, and made safe to show.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from shared.clients.ssh import SshSession, connected
from shared.clients.vm_haproxy import HaproxyRuntime
from shared.clients.vm_reboot import Missing, what_a_reboot_takes
from shared.errors import Code, EdgetrainError, PermanentError, TransientError
from shared.serving.haproxy import SOCKET_PATH
from shared.settings import SshHost
from shared.values.texts import one_line, shortened

WITHIN: Final = 25.0
"""Seconds after which the connection is cut."""
_STEP: Final = 8.0
_SCRIPT_SECONDS: Final = 18.0
_JOB: Final = "edgetrain/job/current/bin/python"
_LONGEST: Final = 400
_MOST_LINES: Final = 3_000  # twice a thousand are listed, and the rest is few
_SAYS_WHY: Final = "failed: "
_LISTED: Final = "listed"
_NO_SUCH_COMMAND: Final = 2  # argparse's exit status

# $1 HAProxy's socket, $2 what podman is asked, $3: not empty where containers and images are listed. One fact a line;
# each program has a limit of its own, so that one that hangs hides no other. An engine that works may warn before it
# answers, and may fail once, as while something else removes what it looks at. One that fails twice does not work, and
# is not asked for its lists, which it would hang at too.
_FACTS: Final = """\
export LC_ALL=C
say() { printf '%s=%s\\n' "$1" "$(printf %s "$2" | tr '\\n\\t' '  ' | head -c 1000)"; }
ask() { timeout -k 1 "$@" </dev/null 2>&1; }
say clock "$(date +%s)"
say user "$(id -un)"
say uid "$(id -u)"
say memory "$(grep MemTotal: /proc/meminfo | tr -dc 0-9)"
engine=$(command -v podman || command -v docker)
engine=${engine##*/}
say engine "$engine"
info() {
    case "$engine" in
        podman) ask "$1" podman info --format "$2" ;;
        docker) ask "$1" docker info --format '{{.ServerVersion}}|false|||||' ;;
    esac
}
info=$(info 8 "$2")
status=$?
case "$status" in
    0 | 124 | 137) ;;
    *) sleep 1; info=$(info 4 "$2"); status=$? ;;
esac
[ "$status" = 0 ] && info=$(printf '%s\\n' "$info" | grep -F '|' | tail -n 1)
if [ -n "$engine" ]; then
    say engine-status "$status"
    say engine-info "$info"
fi
[ "$engine" = podman ] && graph=$(printf %s "$info" | cut -d '|' -f 4)
for place in . edgetrain/state "${graph:-/nowhere}"; do
    [ -e "$place" ] && say free "$(df -k --output=avail -- "$place" | tail -n 1 | tr -dc 0-9) $place"
done
say job "$([ -x edgetrain/job/current/bin/python ] && echo yes)"
say socket "$(stat -L -c '%F|%a|%u' -- "$1" 2>/dev/null)"
for slot in serving/*.json; do [ -f "$slot" ] && say slot "$slot"; done
if [ -n "$engine" ] && [ "$status" = 0 ] && [ -n "$3" ]; then
    ask 8 "$engine" ps --all --format 'container={{.Names}}' | head -n 1000
    ask 8 "$engine" images --digests --format 'image={{.Repository}}@{{.Digest}}' | head -n 1000
fi
say ended "$(date +%s)"
"""
_PODMAN: Final = (
    "{{.Version.Version}}|{{.Host.Security.Rootless}}|{{.Store.RunRoot}}|{{.Store.GraphRoot}}|{{.Host.CgroupsVersion}}"
    "|{{range .Host.CgroupControllers}}{{.}},{{end}}|{{range .Host.IDMappings.UIDMap}}{{.Size}},{{end}}"
)

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    """What a container engine says of itself. ``ids``: how many users its containers may have, 0 for all."""

    name: str
    status: int
    said: str
    version: str = ""
    rootless: bool = False
    runroot: str = ""
    cgroups: str = ""
    controllers: tuple[str, ...] = ()
    ids: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VmFacts:
    """What was seen. A part that could not be had is the error that says why.

    ``asked`` and ``answered``: by the app's clock, around ``clock`` and ``ended`` by the VM's. ``free``: bytes, by
    place. ``whole``: the script came to its end, so that what it did not find is not there. ``socket``: kind, mode and
    owner of HAProxy's. ``job``: what the installed job says, see ``site_agent/job/self_check.py``.
    """

    label: str
    noise: str
    asked: datetime
    answered: datetime
    clock: int
    ended: int
    user: str
    uid: int
    memory: int
    engine: EngineFacts
    free: Mapping[str, int]
    has_job: bool
    socket: tuple[str, str, str]
    slots: frozenset[str]
    containers: tuple[str, ...]
    images: frozenset[str]
    reboot: tuple[Missing, ...] | EdgetrainError
    whole: bool = True
    haproxy: str | EdgetrainError = ""
    job: dict[str, Any] | EdgetrainError = field(default_factory=dict)


def examine_vm(
    host: SshHost,
    *,
    serves: bool,
    question: Mapping[str, Any] | None = None,
    listed: bool = True,
    within: float | None = None,
) -> VmFacts:
    """Look at a VM. ``serves``: HAProxy is asked too; ``question``: for the installed job, None not to ask it.

    ``listed``: containers and images are listed too.

    Raises :class:`TransientError` when the VM does not answer, :class:`PermanentError` when it is not the one that is
    pinned, refuses the key, or its login shell runs nothing.
    """
    with connected(host, timeout=_STEP, within=WITHIN if within is None else within) as session:
        asked = datetime.now(UTC)
        told = session.script(_FACTS, SOCKET_PATH, _PODMAN, _LISTED if listed else "", timeout=_SCRIPT_SECONDS)
        answered = datetime.now(UTC)
        facts = _Facts(told.stdout)
        engine = _engine(facts)
        return VmFacts(
            label=session.label,
            noise=told.noise,
            asked=asked,
            answered=answered,
            clock=facts.number("clock"),
            ended=facts.number("ended"),
            whole=bool(facts.all("ended")),
            user=facts.text("user"),
            uid=facts.number("uid"),
            memory=facts.number("memory") * 1024,
            engine=engine,
            free=dict(_free(line) for line in facts.all("free")),
            has_job=facts.text("job") == "yes",
            socket=_socket(facts.text("socket")),
            slots=frozenset(line.rpartition("/")[2].removesuffix(".json") for line in facts.all("slot")),
            containers=tuple(facts.all("container")),
            images=frozenset(facts.all("image")),
            reboot=_or_error(lambda: tuple(what_a_reboot_takes(session, engine.name)) if engine.name else ()),
            haproxy=_or_error(HaproxyRuntime(session).version) if serves else "",
            job={} if question is None else _or_error(lambda: _job(session, question)),
        )


class _Facts:
    """Lines ``name=value``, as they come; what is no such line is passed over."""

    def __init__(self, printed: bytes) -> None:
        self._values: dict[str, list[str]] = {}
        for line in printed.decode("utf-8", "replace").splitlines()[:_MOST_LINES]:
            name, equals, value = line.partition("=")
            if equals and len(name) < 40:
                self._values.setdefault(name, []).append(shortened(value, _LONGEST))

    def all(self, name: str) -> Sequence[str]:
        return self._values.get(name, [])

    def text(self, name: str) -> str:
        return next(iter(self.all(name)), "")

    def number(self, name: str) -> int:
        return _number(self.text(name))


def _number(text: str) -> int:
    """A whole number that a machine may well say; -1 for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else -1


def _engine(facts: _Facts) -> EngineFacts:
    said = facts.text("engine-info")
    parts = said.split("|")
    if len(parts) != 7:
        parts = [""] * 7
    version, rootless, runroot, _, cgroups, controllers, sizes = parts
    return EngineFacts(
        name=facts.text("engine") if facts.text("engine") in {"podman", "docker"} else "",
        status=facts.number("engine-status"),
        said=said,
        version=version,
        rootless=rootless == "true",
        runroot=runroot,
        cgroups=cgroups,
        controllers=tuple(filter(None, controllers.split(","))),
        ids=sum(max(0, _number(size)) for size in sizes.split(",")),
    )


def _free(line: str) -> tuple[str, int]:
    number, _, place = line.partition(" ")
    return place, _number(number) * 1024


def _socket(line: str) -> tuple[str, str, str]:
    kind, mode, owner = ([*line.split("|"), "", "", ""])[:3]
    return kind, mode, owner


def _job(session: SshSession, question: Mapping[str, Any]) -> dict[str, Any]:
    command = [_JOB, "-I", "-m", "site_agent.job", "check"]
    answered = session.run(command, stdin=json.dumps(question).encode(), timeout=_SCRIPT_SECONDS)
    if answered.status == _NO_SUCH_COMMAND:
        return {"older": True}
    if answered.status != 0 and answered.said.startswith(_SAYS_WHY):
        reason = f"{session.label}: {one_line(answered.said.removeprefix(_SAYS_WHY))}"
        raise PermanentError(reason, code=Code.TARGET_NOT_PREPARED)
    if answered.status != 0:
        raise TransientError(f"{session.label}: the installed job does not answer: {one_line(answered.said)}")
    try:
        told = json.loads(answered.stdout)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise TransientError(f"{session.label}: the installed job answers something else than was asked")
    return told


def _or_error(look: Callable[[], Answer]) -> Answer | EdgetrainError:
    try:
        return look()
    except EdgetrainError as error:
        return error
