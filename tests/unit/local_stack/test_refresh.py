"""What ``up`` does to a stack that runs already."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from local_stack.supervisor import refresh as subject
from local_stack.supervisor.refresh import APP, app_digest, refresh
from local_stack.supervisor.service import ServiceError, State, Status


@dataclass
class RunningStack:
    """A stack's services by name; ``stubborn`` ones do not start."""

    services: dict[str, State]
    stubborn: frozenset[str] = frozenset()
    done: list[str] = field(default_factory=list)

    def status(self) -> Sequence[Status]:
        empty = Status(name="", state=State.READY, url="", log=Path())
        return [replace(empty, name=name, state=state) for name, state in self.services.items()]

    def stop_service(self, name: str) -> None:
        self.done.append(f"stop {name}")
        self.services[name] = State.STOPPED

    def start_service(self, name: str) -> None:
        self.done.append(f"start {name}")
        if name in self.stubborn:
            raise ServiceError(f"{name} died again")
        self.services[name] = State.READY


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "one.yaml").write_text("name: one")
    monkeypatch.setattr(subject, "app_digest", lambda: app_digest(tmp_path))
    return tmp_path


def test_dead_services_are_started_in_order_and_the_app_stays_as_it_is(app: Path) -> None:
    stack = RunningStack({"vm": State.DIED, "azure_ml": State.READY, "haproxy": State.STOPPED, APP: State.READY})

    refresh(stack, app_digest(app), lambda _: None)

    assert stack.done == ["start vm", "start haproxy"]


def test_a_new_pipeline_is_taken_in_once(app: Path) -> None:
    before = app_digest(app)
    (app / "pipelines" / "two.yaml").write_text("name: two")
    stack = RunningStack({"azure_ml": State.READY, APP: State.READY})

    now = refresh(stack, before, lambda _: None)
    refresh(stack, now, lambda _: None)

    assert stack.done == [f"stop {APP}", f"start {APP}"]


def test_what_does_not_start_is_said_and_the_others_go_on(app: Path) -> None:
    said: list[str] = []
    stack = RunningStack({"vm": State.DIED, "haproxy": State.DIED}, stubborn=frozenset({"vm"}))

    refresh(stack, app_digest(app), said.append)

    assert (said, stack.services["haproxy"]) == (["vm died again"], State.READY)
