"""Roll-outs against a real sshd, podman, HAProxy and registry."""

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from shared.clients.serving_vm import ServingVm
from shared.errors import Code, PermanentError, TransientError
from shared.messages import Candidate
from shared.serving.slots import Colour, Slot
from tests.integration.serving.conftest import Site
from tests.support.serving_host import PULL_PASSWORD, wait_for


def score(site: Site) -> int:
    reply = requests.post(f"{site.url}/score", json={"data": [1]}, timeout=10)
    reply.raise_for_status()
    version: int = reply.json()["version"]
    return version


class Clients:
    """Keep-alive clients that score all the time; they do not retry."""

    def __init__(self) -> None:
        self.versions: list[int] = []
        self.failed: list[str] = []


@contextmanager
def hammering(site: Site, clients: int = 4) -> Iterator[Clients]:
    seen, stop = Clients(), threading.Event()

    def hammer() -> None:
        with requests.Session() as session:
            while not stop.is_set():
                try:
                    reply = session.post(f"{site.url}/score", json={"data": [1, 2]}, timeout=10)
                    reply.raise_for_status()
                    seen.versions.append(reply.json()["version"])
                except requests.RequestException as error:
                    seen.failed.append(repr(error))

    threads = [threading.Thread(target=hammer) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield seen
        count = len(seen.versions)
        wait_for(lambda: len(seen.versions) > count + 20, "more answers after the last step")
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_switch_without_failed_requests(site: Site) -> None:
    first = site.release(1)
    with hammering(site) as clients:
        second = site.release(2, seconds=0.02)

    assert clients.failed == []
    assert set(clients.versions) == {1, 2}
    assert clients.versions[-10:] == [2] * 10
    slot = site.slot
    assert (slot.active, slot.live and slot.live.run_id) == (Colour.GREEN, second.rollout.run_id)
    assert slot.previous is not None
    assert slot.previous.image == first.rollout.image
    assert [switch.number for switch in slot.switches] == [1, 2]
    # What was live keeps running, without traffic.
    assert {first.candidate.name, second.candidate.name} <= set(site.host.containers())


def test_container_is_confined(site: Site) -> None:
    step = site.start(site.rollout(1))
    name = step.candidate.name

    host, port = site.host.podman("port", name, "5001").strip().rsplit(":", 1)
    assert (host, int(port)) == ("127.0.0.1", step.candidate.port)
    facts = site.host.podman(
        "inspect", name, "--format", "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.PidsLimit}} {{.EffectiveCaps}}"
    )
    assert facts.split() == ["true", "200", "[]"]
    (process,) = site.host.podman("top", name, "huser", "capeff").splitlines()[1:]
    assert process.split() == ["10001", "none"]
    site.remove(step)


def test_every_step_can_be_repeated(site: Site) -> None:
    site.release(1)
    rollout = site.rollout(2)

    step = site.start(rollout)
    started = site.host.podman("inspect", step.candidate.name, "--format", "{{.Id}}")
    assert site.start(rollout) == step
    assert site.host.podman("inspect", step.candidate.name, "--format", "{{.Id}}") == started
    assert site.verify(step)
    assert site.verify(step)
    release = site.switch(step)
    assert site.switch(step) == release
    assert release.endpoint == site.url
    assert [switch.run_id for switch in site.slot.switches] == [f"{site.pipeline}-run-1", rollout.run_id]

    # Asked again after all is done, by a repeated roll-out or a late removal: nothing changes.
    again = site.start(rollout)
    assert again.candidate == Candidate(
        name=step.candidate.name, colour=step.candidate.colour, port=step.candidate.port, already_live=True
    )
    assert site.switch(again) == release
    site.remove(again)
    site.remove(step)
    assert score(site) == 2
    assert len(site.slot.switches) == 2


def test_a_candidate_that_dies_is_reported_at_once(site: Site) -> None:
    site.release(1)
    step = site.start(site.rollout(2, health_seconds=60, dies="no module named joblib"))

    reason = site.refuses(lambda: site.verify(step))

    assert "exit code 1" in reason
    assert "joblib" in reason
    assert "score.py" in reason
    assert "run-2" in reason
    assert site.refuses(lambda: site.switch(step))
    site.remove(step)
    site.remove(step)
    assert step.candidate.name not in site.host.podman("ps", "--all", "--format", "{{.Names}}").split()
    assert score(site) == 1
    assert len(site.slot.switches) == 1


def test_a_candidate_that_is_killed_for_memory_is_not_blamed_on_its_script(site: Site) -> None:
    step = site.start(site.rollout(1, health_seconds=60, eats=True))

    reason = site.refuses(lambda: site.verify(step))

    assert "out of memory" in reason
    assert "64 MiB; raise EDGETRAIN_TARGETS__VM__MEMORY" in reason
    assert "score.py" not in reason
    site.remove(step)


def test_a_port_that_is_taken_is_named(site: Site) -> None:
    port = site.slot.ports[Colour.BLUE]
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(TransientError, match=f"its port {port}"),
    ):
        site.start(site.rollout(1))
    site.release(1)


def test_a_candidate_that_is_not_healthy(site: Site) -> None:
    step = site.start(site.rollout(1, health_seconds=1, unhealthy=True))
    assert "503" in site.refuses(lambda: site.verify(step))
    site.remove(step)


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ({"smoke": {"request": {"data": [1]}, "response": {"version": 1, "sum": 1.01}}}, "response.sum is 1 instead"),
        ({"smoke": "none"}, "must write smoke.json"),
        ({"status": 500}, "answered 500 to the smoke sample"),
    ],
    ids=["differs", "missing", "error"],
)
def test_smoke(site: Site, behaviour: dict[str, Any], words: str) -> None:
    step = site.start(site.rollout(1, **behaviour))
    assert words in site.refuses(lambda: site.verify(step))
    site.remove(step)


class Killed(BaseException):
    """Stands for the end of the process at that point."""


@pytest.mark.parametrize("point", ["bring_in", "save_slot", "write_config", "take_out"])
def test_killed_in_a_switch(site: Site, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    """Killed after this effect: the repetition ends with exactly one switch, and no request is lost."""
    site.release(1)
    step = site.start(site.rollout(2))
    site.verify(step)
    real = getattr(ServingVm, point)

    def killed(self: ServingVm, *arguments: object) -> None:
        real(self, *arguments)
        raise Killed

    with hammering(site, clients=2) as clients:
        with monkeypatch.context() as patch:
            patch.setattr(ServingVm, point, killed)
            with pytest.raises(Killed):
                site.switch(step)
        site.switch(step)

    assert clients.failed == []
    assert clients.versions[-5:] == [2] * 5
    assert [switch.run_id for switch in site.slot.switches] == [f"{site.pipeline}-run-1", step.rollout.run_id]
    assert "server blue" in site.config()
    assert "check inter 500ms fall 2 rise 1 disabled" in site.config().split("server green")[0]


def test_given_up_in_a_switch(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed when both serve, and then removed instead of repeated: no request is lost either."""
    site.release(1)
    step = site.start(site.rollout(2))

    def killed(self: ServingVm, slot: Slot) -> None:
        raise Killed

    with hammering(site, clients=2) as clients:
        with monkeypatch.context() as patch:
            patch.setattr(ServingVm, "save_slot", killed)
            with pytest.raises(Killed):
                site.switch(step)
        site.remove(step)

    assert clients.failed == []
    assert clients.versions[-5:] == [1] * 5


def test_a_newer_run_replaces_a_candidate(site: Site) -> None:
    site.release(1)
    older = site.start(site.rollout(2))
    newer = site.start(site.rollout(3))

    assert older.candidate == newer.candidate
    assert "another roll-out" in site.refuses(lambda: site.verify(older))
    site.refuses(lambda: site.switch(older))
    site.remove(older)
    site.verify(newer)
    site.switch(newer)
    assert score(site) == 3


def test_haproxy_restart_keeps_the_choice(site: Site) -> None:
    site.release(1)
    site.release(2)

    site.host.stop_haproxy()
    with pytest.raises(TransientError, match="HAProxy's socket"):
        site.start(site.rollout(3))
    site.host.start_haproxy()

    assert {score(site) for _ in range(10)} == {2}
    site.release(4)
    assert {score(site) for _ in range(10)} == {4}


def test_preparing_again_keeps_everything(site: Site) -> None:
    site.release(1)
    slot, config = site.slot, site.config()
    with hammering(site, clients=2) as clients:
        site.prepare()
        neighbour = Site(site.host, "neighbour")  # makes HAProxy reload
    assert clients.failed == []
    assert (site.slot, site.config()) == (slot, config)
    assert score(site) == 1
    ports = [port for one in (site.slot, neighbour.slot) for port in (one.frontend_port, *one.ports.values())]
    assert len(set(ports)) == 6


def test_pull_failures(site: Site) -> None:
    rollout = site.rollout(1)
    unknown = rollout.image.split("@")[0] + "@sha256:" + "0" * 64
    with pytest.raises(PermanentError, match="has no image") as caught:
        site.start(type(rollout)(run_id="r", pipeline=site.pipeline, target="vm", image=unknown))
    assert caught.value.code is Code.REGISTRY_REFUSED
    gone = "127.0.0.1:1/models/x@sha256:" + "0" * 64
    with pytest.raises(TransientError, match="pulling"):
        site.start(type(rollout)(run_id="r", pipeline=site.pipeline, target="vm", image=gone))


def test_an_unprepared_pipeline_names_the_command(site: Site) -> None:
    rollout = site.rollout(1)
    with pytest.raises(PermanentError, match=r"edgetrain prepare-vm --pipeline nowhere") as caught:
        site.start(type(rollout)(run_id="r", pipeline="nowhere", target="vm", image=rollout.image))
    assert caught.value.code is Code.TARGET_NOT_PREPARED


def test_the_pull_password_stays_nowhere(site: Site) -> None:
    site.release(1)
    assert _files_with(PULL_PASSWORD, site.host.home) == []
    assert PULL_PASSWORD not in (site.host.vm.etc / "containers" / "auth.json").read_text(encoding="utf-8")
    history = site.host.podman("inspect", f"edgetrain-{site.pipeline}-blue")
    assert PULL_PASSWORD not in history


def _files_with(word: str, folder: Path) -> list[str]:
    found = subprocess.run(["grep", "-rlI", word, str(folder)], capture_output=True, text=True, check=False)
    return found.stdout.split()
