"""A serving VM in memory, for unit tests of the roll-out activities. It can be killed after any number of effects."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from shared.errors import TransientError
from shared.serving.containers import Container, ContainerSpec
from shared.serving.slots import Colour, Slot


class Killed(BaseException):
    """The process ended at this point."""


def a_slot(pipeline: str = "p") -> Slot:
    return Slot(
        pipeline=pipeline, bind="127.0.0.1", frontend_port=20000, ports={Colour.BLUE: 20001, Colour.GREEN: 20002}
    )


@dataclass
class FakeVm:
    """What a VM holds; ``effects`` lists what was done to it."""

    current: Slot = field(default_factory=a_slot)
    containers: dict[str, Container] = field(default_factory=dict)
    images: set[str] = field(default_factory=set)
    brought_in: set[Colour] = field(default_factory=set)
    config: Slot | None = None
    effects: list[str] = field(default_factory=list)
    kill_after: int | None = None
    healthy_after: int = 0
    unhealthy: int | None = None
    exit_code: int | None = None
    passes_proxy_check: bool = True
    smoke: str | None = '{"request": {"data": [1]}, "response": {"sum": 1}, "tolerance": 1e-6}'
    answer: tuple[int, Any] | None = (200, {"sum": 1.0000001})
    log: str = "Traceback | boom"
    locks: int = 0

    @contextmanager
    def open(self, target: str) -> Iterator["FakeVm"]:
        assert target == "vm"
        yield self

    @contextmanager
    def locked(self, pipeline: str) -> Iterator[None]:
        assert self.locks == 0
        self.locks += 1
        try:
            yield
        finally:
            self.locks -= 1

    def _effect(self, name: str) -> None:
        self.effects.append(name)
        if self.kill_after is not None:
            self.kill_after -= 1
            if self.kill_after < 0:
                self.kill_after = None
                raise Killed

    def slot(self, pipeline: str) -> Slot:
        return self.current

    def save_slot(self, slot: Slot) -> None:
        assert self.locks == 1
        self.current = slot
        self._effect("save_slot")

    def container(self, name: str) -> Container | None:
        return self.containers.get(name)

    def pull(self, image: str) -> None:
        self.images.add(image)
        self._effect("pull")

    def start_container(self, spec: ContainerSpec) -> None:
        assert spec.image in self.images
        assert spec.name not in self.containers
        self.containers[spec.name] = Container(status="running", exit_code=0, restarts=0, labels=spec.labels)
        self._effect("start")

    def remove_container(self, name: str) -> None:
        assert Colour(name.rsplit("-", 1)[1]) not in self.brought_in, "a container with traffic was removed"
        self.containers.pop(name, None)
        self._effect("remove")

    def bring_in(self, pipeline: str, colour: Colour) -> bool:
        if self.passes_proxy_check:
            self.brought_in.add(colour)
        self._effect("admit")
        return self.passes_proxy_check

    def take_out(self, pipeline: str, colour: Colour) -> None:
        self.brought_in.discard(colour)
        self._effect("take_out")

    def write_config(self, slot: Slot) -> None:
        self.config = slot
        self._effect("write_config")

    def endpoint(self, slot: Slot) -> str:
        return f"http://vm:{slot.frontend_port}"

    def health(self, port: int) -> int | None:
        self.healthy_after -= 1
        return 200 if self.healthy_after < 0 else self.unhealthy

    def last_log(self, name: str) -> str:
        return self.log

    def last_exit(self, name: str) -> int | None:
        return self.exit_code

    def smoke_text(self, name: str) -> str | None:
        return self.smoke

    def score(self, port: int, request: Any) -> tuple[int, Any]:
        if self.answer is None:
            raise TransientError("no answer")
        return self.answer
