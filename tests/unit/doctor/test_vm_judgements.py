"""What the facts of a VM mean."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from function_app.doctor import vm_judgements as judged
from function_app.doctor.machines import VM, Machines
from shared.clients.vm_examination import EngineFacts, VmFacts
from shared.clients.vm_reboot import HAPROXY, LINGER, RESTART, SYSTEMD, Missing
from shared.doctor import Seen, State
from shared.errors import TransientError

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
GIB = 1024**3
ROOTLESS = EngineFacts(
    name="podman",
    status=0,
    said="",
    version="4.9.3",
    rootless=True,
    runroot="/run/user/1000/containers",
    cgroups="v2",
    controllers=("cpu", "memory", "pids"),
    ids=65_537,
)
WELL = VmFacts(
    label="SSH to vm:22",
    noise="",
    asked=NOW,
    answered=NOW + timedelta(seconds=2),
    clock=int(NOW.timestamp()),
    ended=int(NOW.timestamp()) + 1,
    user="edge",
    uid=1000,
    memory=16 * GIB,
    engine=ROOTLESS,
    free={".": 50 * GIB, "/home/edge/.local/share/containers": 50 * GIB},
    has_job=True,
    socket=("socket", "600", "1000"),
    slots=frozenset({"digits"}),
    containers=("edgetrain-digits-blue", "edgetrain-job-run-1-train", "somebody-elses"),
    images=frozenset({"registry.example/models/digits@sha256:aa", "docker.io/library/debian@sha256:bb"}),
    reboot=(),
    haproxy="2.6.12-1+deb12u4",
)


def engine(**changes: Any) -> VmFacts:
    return replace(WELL, engine=replace(ROOTLESS, **changes))


def every(facts: VmFacts) -> dict[str, Seen]:
    return {
        "login": judged.login(facts),
        "silent": judged.silent(facts),
        "clock": judged.clock(facts),
        "training engine": judged.training_engine(facts),
        "serving engine": judged.serving_engine(facts),
        "disk": judged.disk(facts, ["20g"]),
        "memory": judged.memory(facts, ["4g"]),
        "lingering": judged.lingering(facts),
        "reboot": judged.after_reboot(facts),
        "haproxy": judged.haproxy(facts),
        "socket": judged.socket(facts),
        "slots": judged.slots(facts, ["digits"]),
        "orphans": judged.orphans(facts, ["digits"], "registry.example"),
    }


def test_a_vm_that_is_well() -> None:
    assert {seen.state for seen in every(WELL).values()} == {State.OK}


def of(name: str) -> Missing:
    return Missing(name, f"{name} is missing", f"make {name}")


@pytest.mark.parametrize(
    ("facts", "matter", "state"),
    [
        (replace(WELL, user="", clock=-1), "login", State.UNKNOWN),
        (replace(WELL, whole=False), "login", State.UNKNOWN),
        (replace(WELL, noise="Welcome"), "silent", State.WRONG),
        (replace(WELL, clock=WELL.clock + 600, ended=WELL.ended + 600), "clock", State.WRONG),
        (replace(WELL, clock=WELL.clock - 600, ended=WELL.ended - 600), "clock", State.WRONG),
        (replace(WELL, clock=WELL.clock - 30, ended=WELL.ended - 30), "clock", State.OK),
        (replace(WELL, ended=-1), "clock", State.UNKNOWN),
        (engine(name=""), "training engine", State.WRONG),
        (engine(name=""), "serving engine", State.WRONG),
        (engine(name="docker"), "training engine", State.WRONG),
        (engine(name="docker"), "serving engine", State.OK),
        (engine(status=125, said="cannot re-exec"), "training engine", State.WRONG),
        (engine(status=124), "training engine", State.UNKNOWN),
        (engine(version=""), "serving engine", State.UNKNOWN),
        (engine(version="3.4.4"), "training engine", State.WRONG),
        (engine(version="3.4.4"), "serving engine", State.OK),
        (engine(runroot="/" + "x" * 60), "training engine", State.UNKNOWN),
        (engine(ids=1), "training engine", State.WRONG),
        (engine(controllers=("cpu", "pids")), "training engine", State.WRONG),
        (engine(cgroups="v1"), "training engine", State.WRONG),
        (engine(rootless=False, cgroups="v1", ids=0), "training engine", State.OK),
        (replace(WELL, free={".": 50 * GIB, "/var": 1000}), "disk", State.WRONG),
        (replace(WELL, free={".": 10 * GIB}), "disk", State.UNKNOWN),
        (replace(WELL, free={".": -1024}), "disk", State.UNKNOWN),
        (replace(WELL, memory=2 * GIB), "memory", State.WRONG),
        (replace(WELL, memory=-1024), "memory", State.UNKNOWN),
        (replace(WELL, reboot=(of(LINGER),)), "lingering", State.WRONG),
        (replace(WELL, reboot=(of(RESTART),)), "lingering", State.OK),
        (replace(WELL, reboot=(of(RESTART), of(HAPROXY))), "reboot", State.WRONG),
        (replace(WELL, reboot=(of(SYSTEMD),)), "reboot", State.SKIPPED),
        (replace(WELL, reboot=TransientError("the link broke")), "reboot", State.UNKNOWN),
        (replace(WELL, socket=("", "", "")), "haproxy", State.WRONG),
        (replace(WELL, haproxy=TransientError("no answer")), "haproxy", State.UNKNOWN),
        (replace(WELL, haproxy="2.2.9"), "haproxy", State.WRONG),
        (replace(WELL, haproxy="what?"), "haproxy", State.UNKNOWN),
        (replace(WELL, socket=("", "", "")), "socket", State.SKIPPED),
        (replace(WELL, socket=("regular file", "600", "0")), "socket", State.WRONG),
        (replace(WELL, socket=("socket", "660", "0")), "socket", State.WRONG),
        (replace(WELL, socket=("socket", "rwx", "0")), "socket", State.UNKNOWN),
        (replace(WELL, slots=frozenset()), "slots", State.WRONG),
        (replace(WELL, containers=("edgetrain-gone-green",)), "orphans", State.WRONG),
        (replace(WELL, images=frozenset({"registry.example/models/gone@sha256:aa"})), "orphans", State.WRONG),
    ],
)
def test_what_is_wrong_is_seen_and_has_a_remedy_where_it_can_be_said(facts: VmFacts, matter: str, state: State) -> None:
    seen = every(facts)[matter]

    assert seen.state is state
    assert seen.found


def test_a_missing_slot_names_the_command() -> None:
    seen = judged.slots(replace(WELL, slots=frozenset({"other"})), ["digits", "scans"])

    assert seen.remedy == "run: edgetrain prepare-vm --pipeline digits --pipeline scans"


def test_nothing_is_missing_on_a_vm_that_was_not_seen_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    cut = replace(engine(name=""), whole=False, has_job=False, socket=("", "", ""))
    services: Any = SimpleNamespace(settings=SimpleNamespace(target=lambda _: SimpleNamespace(kind=VM)))
    machines = Machines(None)
    monkeypatch.setattr(machines, "compute", lambda *_: cut)
    monkeypatch.setattr(machines, "target", lambda *_: cut)

    looks = [machines.on_compute(lambda facts, *_: judged.training_engine(facts))]
    looks += [machines.on_target(lambda facts, *_: judged.haproxy(facts))]

    assert [look(services, "hub-vm").state for look in looks] == [State.SKIPPED, State.SKIPPED]
