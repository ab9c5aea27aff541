"""One pipeline on the tests' VM, driven by plans as a roll-out drives it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

from cli.vm_slot import ensure_slot
from shared.clients.serving_targets import TargetServices
from shared.clients.serving_targets.vm import VmTarget, connect
from shared.clients.ssh import connected
from shared.errors import Code, PermanentError
from shared.messages.serving import (
    ObservedRelease,
    PlannedRelease,
    ReleaseState,
    Serving,
    ServingPlan,
    ServingResources,
)
from shared.serving.answer_headers import headers_path, headers_text
from shared.serving.haproxy import render_config
from shared.serving.slots import Slot, parse_slot
from tests.support.serving_host import ServingHost, wait_for

SMALL = ServingResources(memory="64m", cpus=0.5)


class Place:
    """A pipeline's slot on the VM, and the target that serves from it."""

    def __init__(self, host: ServingHost, pipeline: str) -> None:
        self.host = host
        self.pipeline = pipeline
        self.distrusted: set[str] = set()
        self.verified: list[str] = []
        self.said: list[str] = []
        self.target = self.connect()
        self.prepare()

    def connect(self, **changes: Any) -> VmTarget:
        services = TargetServices(trusted=self._trusted, smoke_sample=lambda image: None)
        return connect("vm", self.host.target.model_copy(update=changes), services)

    def _trusted(self, image: str) -> None:
        self.verified.append(image)
        if image in self.distrusted:
            raise PermanentError("nobody signed it", code=Code.SIGNATURE_REFUSED)

    def prepare(self) -> None:
        with connected(self.host.target) as session:
            ensure_slot(session, self.pipeline, say=self.said.append)

    @property
    def slot(self) -> Slot:
        return parse_slot((self.host.home / f"serving/{self.pipeline}.json").read_text(encoding="utf-8"))

    @property
    def url(self) -> str:
        return f"http://{self.slot.bind}:{self.slot.frontend_port}"

    def config(self) -> str:
        return (self.host.home / f"serving/conf.d/{self.pipeline}.cfg").read_text(encoding="utf-8")

    def release(
        self, version: int, weight: int = 0, *, resources: ServingResources = SMALL, **behaviour: Any
    ) -> PlannedRelease:
        """A release whose image is pushed; ``behaviour`` as in ``ImageRegistry.push``."""
        return PlannedRelease(
            run_id=f"{self.pipeline}-run-{version}",
            image=self.host.registry.push(f"models/{self.pipeline}", version=version, **behaviour),
            weight=weight,
            resources=resources,
            model=self.pipeline,
            version=str(version),
        )

    def plan(self, *releases: PlannedRelease, based_on: str = "") -> ServingPlan:
        return ServingPlan(target="vm", pipeline=self.pipeline, releases=releases, based_on=based_on)

    def observe(self) -> Serving:
        return self.target.observe(self.pipeline)

    def seen(self, release: PlannedRelease) -> ObservedRelease:
        found = self.observe().release(release.run_id)
        assert found is not None
        return found

    def apply(self, *releases: PlannedRelease, based_on: str = "") -> None:
        self.target.apply(self.plan(*releases, based_on=based_on))

    def until(self, condition: Callable[[Serving], bool], what: str, *, seconds: float = 300) -> Serving:
        """Observe until a condition holds."""
        deadline = time.monotonic() + seconds
        while True:
            serving = self.observe()
            if condition(serving):
                return serving
            assert time.monotonic() < deadline, f"{what} is not there after {seconds} s: {serving}"
            time.sleep(0.2)

    def fulfil(self, *releases: PlannedRelease, seconds: float = 300) -> Serving:
        """Apply a plan until it is observed."""
        deadline = time.monotonic() + seconds
        while True:
            self.apply(*releases)
            serving = self.observe()
            if fulfilled(serving, releases):
                return serving
            assert time.monotonic() < deadline, serving
            time.sleep(0.2)

    def container(self, release: PlannedRelease) -> str:
        colour = self.slot.colour_of(release)
        assert colour is not None
        return f"edgetrain-{self.pipeline}-{colour}"

    def score(self) -> requests.Response:
        reply = requests.post(f"{self.url}/score", json={"data": [1]}, timeout=90)
        reply.raise_for_status()
        return reply

    def version(self) -> int:
        version: int = self.score().json()["version"]
        return version


def fulfilled(serving: Serving, releases: tuple[PlannedRelease, ...]) -> bool:
    """Whether exactly these releases are there, healthy, with these weights."""
    there = {(each.run_id, each.image, each.weight) for each in serving.releases}
    healthy = all(each.state is ReleaseState.HEALTHY for each in serving.releases)
    return healthy and there == {(each.run_id, each.image, each.weight) for each in releases}


def exactly(place: Place, *releases: PlannedRelease) -> bool:
    """Whether these releases serve with these weights, and nothing else of the pipeline is on the VM.

    Raises what differs: containers (stopped ones too), networks, images, HAProxy's files, other files.
    """
    serving, slot = place.observe(), place.slot
    assert fulfilled(serving, releases), serving
    assert slot.leaving == ()
    prefix = f"edgetrain-{place.pipeline}-"
    containers = place.host.podman("ps", "--all", "--format", "{{.Names}}").split()
    assert {name for name in containers if name.startswith(prefix)} == {f"{prefix}{colour}" for colour in slot.places}
    networks = place.host.podman("network", "ls", "--format", "{{.Name}}").split()
    ours = {f"{prefix}{colour}-{slot.ports[colour]}" for colour in slot.places}
    assert {name for name in networks if name.startswith(prefix)} == ours
    images = place.host.podman("images", "--all", "--digests", "--format", "{{.Repository}} {{.Digest}}").splitlines()
    there = {line.split()[1] for line in images if line.split()[0].endswith(f"models/{place.pipeline}")}
    needed = [*(each.image for each in releases), *(each.image for each in slot.kept)]
    assert there == {image.rpartition("@")[2] for image in needed}
    headers = place.host.home / headers_path(place.pipeline)
    assert headers.read_text(encoding="utf-8") == headers_text(slot)
    assert place.config() == render_config(slot, headers_file=str(headers))
    files = {str(file.relative_to(place.host.home)) for file in place.host.home.glob("serving/**/*")}
    known = {"serving/{}.json", "serving/checked/{}.json", "serving/locks/{}", "serving/conf.d/{}.cfg"}
    expected = {each.format(place.pipeline) for each in known} | {headers_path(place.pipeline)}
    assert {each for each in files if place.pipeline in each} == expected
    return True


@dataclass
class Clients:
    """What clients saw that score all the time and do not retry."""

    versions: list[int] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    longest_gap: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)
    last: float = field(default_factory=time.monotonic)

    def answered(self, version: int) -> None:
        with self.lock:
            now = time.monotonic()
            self.longest_gap = max(self.longest_gap, now - self.last)
            self.last = now
            self.versions.append(version)


@contextmanager
def hammering(url: str, *, kept_alive: int = 2, one_by_one: int = 2, pause: float = 0.0) -> Iterator[Clients]:
    """Clients that keep their connection, and others that open one for each request, for the time of the block.

    ``pause``: seconds that each waits after an answer, for a machine that has more to do.
    """
    seen, stop = Clients(), threading.Event()

    def ask(session: requests.Session) -> None:
        try:
            reply = session.post(f"{url}/score", json={"data": [1, 2]}, timeout=90)
            reply.raise_for_status()
            seen.answered(reply.json()["version"])
        except requests.RequestException as error:
            seen.failed.append(repr(error))

    def keep_alive() -> None:
        with requests.Session() as session:
            while not stop.wait(pause):
                ask(session)

    def anew() -> None:
        while not stop.wait(pause):
            with requests.Session() as session:
                session.headers["Connection"] = "close"
                ask(session)

    threads = [threading.Thread(target=keep_alive) for _ in range(kept_alive)]
    threads += [threading.Thread(target=anew) for _ in range(one_by_one)]
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


def of(serving: Serving, release: PlannedRelease) -> ObservedRelease:
    found = serving.release(release.run_id)
    assert found is not None, serving
    return found


def said(serving: Serving, release: PlannedRelease) -> str:
    return of(serving, release).trouble


def state(serving: Serving, release: PlannedRelease) -> ReleaseState:
    return of(serving, release).state
