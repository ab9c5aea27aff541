"""A VM, a hub or a registry that answers with anything, or with nothing: bounded, unknown, and nothing stays behind."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from function_app.doctor import registry
from shared.clients import hub_examination, vm_examination
from shared.doctor import State
from tests.integration.doctor.hub_faults import at_port, saying
from tests.integration.doctor.lab import Fault, Lab, planted
from tests.integration.doctor.vm_faults import COMPUTE, file, programs
from tests.support.serving_host import wait_for

pytestmark = pytest.mark.long

BANNER = b"SSH-2.0-"
ENDLESS = b"HTTP/1.1 200 OK\r\nx-ms-request-id: 1\r\nContent-Type: application/xml\r\n\r\n" + b"<a>" * 100_000
LONG_BANNER = b"Welcome to the factory\r\n"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The same limits, shorter; and every thread and connection that a look began has ended some seconds after it."""
    monkeypatch.setattr(vm_examination, "WITHIN", 4.0)
    monkeypatch.setattr(vm_examination, "_STEP", 2.0)
    monkeypatch.setattr(hub_examination, "_ANSWER", 1.0)
    monkeypatch.setattr(registry, "DOCTOR_TIMEOUT", (1.0, 1.0))
    before = set(threading.enumerate())
    yield
    wait_for(
        lambda: not [each for each in set(threading.enumerate()) - before if _is_ours(each)], "the end of all", 120
    )


def _is_ours(thread: threading.Thread) -> bool:
    return thread.name in {"doctor-check", "ssh-cut"} or type(thread).__name__ == "Transport"


def look(lab: Lab, module: str, check: str, plant: Any) -> tuple[State, str]:
    fault = Fault("a hostile answer", module, {}, plant)
    started = time.monotonic()
    with planted(lab, [fault]) as changes:
        findings = lab.ask([module], changes)
    assert time.monotonic() - started < 120
    assert all(len(each.found) <= 600 and each.found.isprintable() for each in findings)
    [found] = [each for each in findings if each.check == check]
    assert not found.found.startswith("no answer within"), (
        "its own limit ended it, and not that of the whole examination"
    )
    return found.state, found.found


@pytest.mark.parametrize(
    "listens",
    [lambda: saying(b""), lambda: saying(BANNER, again=True), lambda: saying(LONG_BANNER, again=True)],
    ids=["says nothing", "a name without end", "a greeting without end"],
)
def test_who_answers_at_the_port_of_ssh(lab: Lab, listens: Any) -> None:
    @contextmanager
    def plant(lab: Lab) -> Iterator[dict[str, str]]:
        with listens() as port:
            yield {f"{COMPUTE}PORT": str(port)}

    state, _ = look(lab, "compute", "compute.login", plant)

    assert state is State.UNKNOWN


@pytest.mark.parametrize("text", ["yes welcome\n", "exec sleep 12\n"], ids=["prints without end", "never comes back"])
def test_a_login_shell_that_does_not_end(lab: Lab, text: str) -> None:
    state, _ = look(lab, "compute", "compute.login", file(".bashrc", text))

    assert state is State.UNKNOWN


def test_a_machine_that_says_what_no_machine_says(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vm_examination, "WITHIN", 25.0)  # it answers, and all of it is read
    monkeypatch.setattr(vm_examination, "_STEP", 8.0)
    rubbish = "yes \"$(printf 'free=9999999999999999999999 \\033[2J\\\\n\\377uid=0')\" | head -c 3000000"

    state, said = look(lab, "compute", "compute.clock", programs(date=rubbish, df=rubbish, podman=rubbish, id=rubbish))

    assert (state, said) == (State.UNKNOWN, "the VM does not tell its time")


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\n", b"\0" * 4096, ENDLESS],
    ids=["nothing", "headers", "zeros", "a listing without end"],
)
def test_a_hub_that_is_none(lab: Lab, answer: bytes) -> None:
    state, _ = look(lab, "hub", "hub.answers", at_port(lambda: saying(answer, again=bool(answer))))

    assert state is State.UNKNOWN


@pytest.mark.parametrize("answer", [b"", ENDLESS.replace(b"x-ms", b"x-any")], ids=["nothing", "an answer without end"])
def test_a_registry_that_is_none(lab: Lab, answer: bytes) -> None:
    @contextmanager
    def plant(lab: Lab) -> Iterator[dict[str, str]]:
        with saying(answer, again=bool(answer)) as port:
            yield {"EDGETRAIN_CONTAINER_REGISTRY__URL": f"http://127.0.0.1:{port}"}

    state, _ = look(lab, "registry", "registry.rights", plant)

    assert state is State.UNKNOWN
