"""What the facts of a VM mean. Pure: facts in, what a check saw out."""

import re
from collections.abc import Iterable
from typing import Any, Final

from function_app.doctor.clocks import judged_clock
from shared.clients.vm_containers import LONGEST_RUNROOT
from shared.clients.vm_examination import EngineFacts, VmFacts
from shared.clients.vm_reboot import LINGER, SYSTEMD, Missing
from shared.doctor import Seen, ok, skipped, unknown, wrong
from shared.errors import EdgetrainError
from shared.serving.haproxy import SOCKET_PATH

LEAST_FREE: Final = 100 * 1024**2
"""Bytes with which nothing can be done."""
LEAST_PODMAN: Final = (4, 3)
LEAST_HAPROXY: Final = (2, 4)
LEAST_IDS: Final = 65_536
CONTROLLERS: Final = frozenset({"memory", "cpu", "pids"})
_GIB: Final = 1024**3
_UNITS: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_MOST_NAMED: Final = 5


def size(text: str) -> int:
    """Bytes of a size as pipelines write it, such as ``4g``."""
    return int(text.rstrip("kmgt")) * _UNITS[text.lstrip("0123456789")]


def login(facts: VmFacts) -> Seen:
    """Whether commands run there as they should."""
    if not facts.whole:
        return unknown("it began the doctor's script, and did not come to its end")
    if facts.clock < 0 or not facts.user:
        return unknown("it ran the doctor's script, but the answer is not that of the script")
    return ok(f"user {facts.user} runs commands there")


def silent(facts: VmFacts) -> Seen:
    """Whether the login shell prints nothing by itself."""
    if facts.noise:
        return wrong(f"the login shell prints by itself, beginning with: {facts.noise[:80]}")
    return ok("the login shell prints nothing by itself")


def clock(facts: VmFacts) -> Seen:
    """Whether the VM's clock agrees with the app's."""
    if facts.clock < 0 or facts.ended < 0:
        return unknown("the VM does not tell its time")
    ahead = facts.ended - facts.answered.timestamp()
    behind = facts.asked.timestamp() - (facts.clock + 1)  # it is given in whole seconds
    return judged_clock(ahead if ahead > 0 else -behind if behind > 0 else 0.0, "the VM's clock")


def training_engine(facts: VmFacts) -> Seen:
    """Whether podman can train there."""
    engine = facts.engine
    if engine.name != "podman":
        return wrong("podman is not installed" + (", docker is" if engine.name else ""))
    if (trouble := _trouble(engine)) is not None:
        return trouble
    if _version(engine.version) < LEAST_PODMAN:
        return wrong(f"podman is {engine.version}", wanted="podman 4.3 or newer")
    if len(engine.runroot) > LONGEST_RUNROOT:
        return unknown(  # slow, but it works
            f"podman's runroot has {len(engine.runroot)} characters",
            wanted=f"at most {LONGEST_RUNROOT} characters: with more, podman waits 20 s at the end of containers",
            remedy="set a shorter one in containers/storage.conf, as /run/user/UID/containers; podman system reset",
        )
    return _rootless(facts.user, engine) or ok(f"podman {engine.version}{', without root' if engine.rootless else ''}")


def serving_engine(facts: VmFacts) -> Seen:
    """Whether podman or docker works there."""
    engine = facts.engine
    if not engine.name:
        return wrong("neither podman nor docker is installed")
    return _trouble(engine) or ok(f"{engine.name} {engine.version}{', without root' if engine.rootless else ''}")


def _trouble(engine: EngineFacts) -> Seen | None:
    if engine.status in {124, 137}:
        return unknown(f"{engine.name} info did not end in time")
    if engine.status != 0:
        return wrong(
            f"{engine.name} does not work: {engine.said}", remedy=f"see what it says there: {engine.name} info"
        )
    return None if engine.version else unknown(f"{engine.name} info does not say what it should")


def _rootless(user: str, engine: EngineFacts) -> Seen | None:
    if not engine.rootless:
        return None
    if engine.ids < LEAST_IDS:
        return wrong(
            f"user {user} has {engine.ids} ids for containers",
            wanted=f"{LEAST_IDS} ids in /etc/subuid and /etc/subgid",
            remedy=f"run there as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}",
        )
    missing = CONTROLLERS - set(engine.controllers)
    if engine.cgroups != "v2" or missing:
        said = f"control groups are {engine.cgroups or 'unknown'}, without {', '.join(sorted(missing)) or 'nothing'}"
        return wrong(
            said,
            wanted="control groups of version 2 with memory, cpu and pids delegated to the user",
            remedy="delegate them: systemd's user@.service needs Delegate=cpu memory pids",
        )
    return None


def disk(facts: VmFacts, asked: Iterable[str]) -> Seen:
    """Whether there is room. ``asked``: what the pipelines may write."""
    known = {place: free for place, free in facts.free.items() if free >= 0}
    if not known:
        return unknown("the VM does not say how much is free")
    place, least = min(known.items(), key=lambda pair: pair[1])
    if least < LEAST_FREE:
        return wrong(
            f"{_gib(least)} are free at {_shown(place)}", wanted="as much at each place as a run or an image needs"
        )
    most = max((size(each) for each in asked), default=0)
    if least < most:
        return unknown(f"{_gib(least)} are free at {_shown(place)}, and {_gib(most)} may be needed")
    return ok(f"{_gib(least)} are free")


def memory(facts: VmFacts, asked: Iterable[str]) -> Seen:
    """Whether the machine has what the largest training may use."""
    if facts.memory <= 0:
        return unknown("the VM does not say how much memory it has")
    most = max((size(each) for each in asked), default=0)
    if facts.memory < most:
        return wrong(f"it has {_gib(facts.memory)}, and a training may use {_gib(most)}")
    return ok(f"it has {_gib(facts.memory)}")


def lingering(facts: VmFacts) -> Seen:
    """Whether a rootless engine's containers outlive the session."""
    if not facts.engine.rootless and facts.uid == 0:
        return ok("the user is root, whose programs end with no session")
    return _after_reboot(facts, lambda missing: missing.what == LINGER, "the user lingers")


def after_reboot(facts: VmFacts) -> Seen:
    """Whether the VM serves again by itself after a reboot."""
    return _after_reboot(facts, lambda _: True, "containers and HAProxy start by themselves")


def _after_reboot(facts: VmFacts, counts: Any, fine: str) -> Seen:
    if isinstance(facts.reboot, EdgetrainError):
        return unknown(str(facts.reboot))
    if any(each.what == SYSTEMD for each in facts.reboot):
        return skipped("no systemd runs there, so that it is not seen what a reboot starts")
    missing: list[Missing] = [each for each in facts.reboot if counts(each)]
    if not missing:
        return ok(fine)
    return wrong("; ".join(each.found for each in missing), remedy="; ".join(each.remedy for each in missing))


def haproxy(facts: VmFacts) -> Seen:
    """Whether HAProxy answers, in a version that does."""
    if not facts.socket[0]:
        return wrong(f"there is no ~/{SOCKET_PATH}")
    if isinstance(facts.haproxy, EdgetrainError):
        return unknown(str(facts.haproxy))
    version = _version(facts.haproxy)
    if not version:
        return unknown("its socket answers, but not as HAProxy does")
    if version < LEAST_HAPROXY:
        return wrong(f"HAProxy is {facts.haproxy}")
    return ok(f"HAProxy {facts.haproxy}")


def socket(facts: VmFacts) -> Seen:
    """Whether nobody else may tell HAProxy what to do."""
    kind, mode, owner = facts.socket
    if not kind:
        return skipped("there is none, see target.haproxy")
    if kind != "socket":
        return wrong(f"~/{SOCKET_PATH} is a {kind}")
    if not re.fullmatch("[0-7]{1,4}", mode):
        return unknown("its mode is not told")
    if int(mode, 8) & 0o077:
        return wrong(f"its mode is {mode}")
    return ok(f"mode {mode}, of user id {owner}")


def slots(facts: VmFacts, pipelines: Iterable[str]) -> Seen:
    """Whether each pipeline has its place on the VM."""
    served = sorted(pipelines)
    missing = [each for each in served if each not in facts.slots]
    if missing:
        remedy = "run: edgetrain prepare-vm " + " ".join(f"--pipeline {each}" for each in missing)
        return wrong(f"there is no slot for {named(missing)}", remedy=remedy)
    return ok(f"there is one for {named(served)}") if served else skipped("no pipeline is served there")


def orphans(facts: VmFacts, pipelines: Iterable[str], registry: str) -> Seen:
    """Whether containers and images are there of pipelines that are not."""
    known = {*pipelines, *facts.slots}
    containers = [name for name in facts.containers if (of := _served(name)) and of not in known]
    prefix = f"{registry}/models/"
    ours = re.compile(rf"{re.escape(prefix)}([a-z0-9._/-]+)@[a-z0-9:<>]+")  # it goes into a command below
    images = sorted(each for each in facts.images if (found := ours.fullmatch(each)) and found[1] not in known)
    if not containers and not images:
        return ok("there are none")
    parts = [f"containers {named(containers)}"] if containers else []
    parts += [f"images {named(images)}"] if images else []
    engine = facts.engine.name
    removals = [f"{engine} rm --force {' '.join(containers)}"] if containers else []
    removals += [f"{engine} rmi {' '.join(images[:_MOST_NAMED])}"] if images else []
    return wrong(" and ".join(parts), remedy=f"if nobody needs them, run there: {'; '.join(removals)}")


def _served(container: str) -> str:
    """The pipeline of a container that serves; empty for any other."""
    found = re.fullmatch(r"edgetrain-([a-z0-9-]+)-(?:blue|green)", container)
    return found[1] if found else ""


def _version(text: str) -> tuple[int, ...]:
    """The two first numbers of a version; none when it begins with no number."""
    found = re.match(r"(\d{1,4})\.(\d{1,4})", text)
    return (int(found[1]), int(found[2])) if found else ()


def named(names: Iterable[str]) -> str:
    """Names in a sentence, the first few of many."""
    known = list(names)
    more = f" and {len(known) - _MOST_NAMED} more" if len(known) > _MOST_NAMED else ""
    return ", ".join(known[:_MOST_NAMED]) + more


def _gib(number: int) -> str:
    return f"{number / _GIB:.1f} GiB"


def _shown(place: str) -> str:
    return "its home" if place == "." else place if place.startswith("/") else f"~/{place}"
