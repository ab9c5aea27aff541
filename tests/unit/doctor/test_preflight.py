"""The preflight's body: what is wrong refuses, what is unknown does not, and only what concerns the run is asked."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from function_app.doctor import preflight as module
from function_app.doctor.preflight import preflight
from shared.doctor import Check, Kind, Seen, ok, unknown, wrong
from shared.errors import Code, PermanentError
from shared.messages import Done, FrozenJob, Preflight

JOB = FrozenJob(folder="breast_cancer", tree="ab" * 32)
ORDER = Preflight(run_id="r-1", pipeline="breast-cancer", site="factory", compute="hub-vm", job=JOB)
SERVICES: Any = SimpleNamespace(
    settings=SimpleNamespace(model_dump=dict),
    pipelines=SimpleNamespace(get=lambda _: SimpleNamespace(train=SimpleNamespace(folder="breast_cancer"))),
    job_folders=SimpleNamespace(read=lambda _: SimpleNamespace(frozen=JOB)),
)


def asked(
    monkeypatch: pytest.MonkeyPatch,
    see: Callable[[str], Seen],
    *,
    order: Preflight = ORDER,
    for_runs: bool = True,
) -> list[str]:
    """Every subject that was asked about."""
    names: list[str] = []

    def look(_: Any, name: str) -> Seen:
        names.append(name)
        return see(name)

    checks = [
        Check(name=f"{kind.value}.x", about=kind, wanted="w", why="y", remedy="mend it", look=look, for_runs=for_runs)
        for kind in Kind
    ]
    monkeypatch.setattr(module, "every_check", lambda only: checks)
    assert preflight(order, SERVICES) == Done()
    return sorted(names)


def test_it_asks_about_what_the_training_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, lambda _: ok("")) == ["", "breast-cancer", "factory", "hub-vm"]
    assert asked(monkeypatch, lambda _: ok(""), for_runs=False) == []


def test_what_is_deployed_since_is_not_held_against_it(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Preflight(run_id="r-1", pipeline="breast-cancer", site="factory", compute="hub-vm")

    assert asked(monkeypatch, lambda _: ok(""), order=other) == ["", "factory", "hub-vm"]


def test_what_is_unknown_does_not_stop_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, lambda _: unknown("fog"))


def test_what_is_wrong_stops_it_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PermanentError) as caught:
        asked(monkeypatch, lambda name: wrong("no right to list") if name in {"factory", "hub-vm"} else ok(""))

    assert caught.value.code is Code.NOT_READY
    assert caught.value.reason == (
        "site.x of site factory: no right to list; mend it; and 1 thing more: edgetrain doctor"
    )
