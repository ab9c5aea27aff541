"""The roll-out activities against a VM in memory."""

import contextlib
import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.remove_candidate import remove_candidate
from activities.start_candidate import start_candidate
from activities.switch_traffic import switch_traffic
from activities.verify_candidate import verify_candidate
from shared.errors import Code, PermanentError, TransientError
from shared.messages import CandidateStep, Rollout
from shared.serving.slots import Colour, Deployment
from tests.support.fake_vm import FakeVm, Killed


def a_rollout(run: int = 1) -> Rollout:
    return Rollout(run_id=f"p-{run}", pipeline="p", target="vm", image=f"registry/p@sha256:{run}")


def a_step(vm: FakeVm, rollout: Rollout) -> CandidateStep:
    return CandidateStep(rollout=rollout, candidate=start_candidate(rollout, vms=vm))


def roll_out(vm: FakeVm, rollout: Rollout) -> CandidateStep:
    step = a_step(vm, rollout)
    switch_traffic(step, vms=vm)
    return step


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


def verify(vm: FakeVm, step: CandidateStep) -> float:
    """Verify the candidate; gives the seconds that it took."""
    clock = Clock()
    verify_candidate(step, vms=vm, sleep=clock.sleep, monotonic=clock.monotonic)
    return clock.now


def refused(vm: FakeVm, step: CandidateStep) -> str:
    with pytest.raises(PermanentError) as caught:
        verify(vm, step)
    assert caught.value.code is Code.CANDIDATE_FAILED
    return caught.value.reason


def test_the_first_roll_out_takes_blue_and_the_next_green() -> None:
    vm = FakeVm()
    assert roll_out(vm, a_rollout(1)).candidate.colour == "blue"
    assert vm.brought_in == {Colour.BLUE}
    second = roll_out(vm, a_rollout(2))
    assert (second.candidate.colour, second.candidate.port) == ("green", 20002)
    assert vm.brought_in == {Colour.GREEN}
    assert vm.config == vm.current
    assert set(vm.containers) == {"edgetrain-p-blue", "edgetrain-p-green"}


def test_a_candidate_gets_no_traffic_and_keeps_the_old_release_until_its_image_is_there() -> None:
    vm = FakeVm()
    roll_out(vm, a_rollout(1))
    roll_out(vm, a_rollout(2))
    vm.effects.clear()
    a_step(vm, a_rollout(3))
    assert vm.effects == ["pull", "take_out", "remove", "start"]
    assert vm.brought_in == {Colour.GREEN}


def test_a_live_image_is_not_started_again() -> None:
    vm = FakeVm()
    roll_out(vm, a_rollout(1))
    vm.effects.clear()
    again = a_step(vm, a_rollout(1))
    assert again.candidate.already_live
    assert vm.effects == []
    assert switch_traffic(again, vms=vm).endpoint == "http://vm:20000"
    assert len(vm.current.switches) == 1


def test_a_live_image_whose_container_is_gone_is_started_at_the_other_colour() -> None:
    vm = FakeVm()
    roll_out(vm, a_rollout(1))
    vm.containers.clear()
    again = roll_out(vm, a_rollout(1))
    assert again.candidate.colour == "green"
    assert vm.current.active is Colour.GREEN


def test_verification_waits_for_health_and_compares() -> None:
    vm = FakeVm(healthy_after=5)
    assert verify(vm, a_step(vm, a_rollout())) == 2.5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"healthy_after": 1000},
            "was not healthy within 60 s: nothing answers on its port 5001; its log ends: Traceback | boom; if",
        ),
        ({"healthy_after": 1000, "unhealthy": 503}, "within 60 s: it answers 503 to GET /; its log ends: Traceback"),
        (
            {"healthy_after": 1000, "log": "Worker (pid:7) was sent SIGKILL! Perhaps out of memory?"},
            "ran out of memory: it may use what the VM has; raise EDGETRAIN_TARGETS__VM__MEMORY in the app settings",
        ),
        ({"answer": None, "log": "Worker (pid:7) was sent SIGKILL!"}, "ran out of memory"),
        ({"smoke": None}, "has no /var/azureml-app/model/smoke.json"),
        ({"smoke": "[1]"}, "must be an object with request and response"),
        ({"smoke": "{"}, "cannot be used"),
        ({"answer": (500, None)}, "answered 500 to the smoke sample: run() of its score.py failed; its log ends"),
        ({"answer": (200, {"sum": 2})}, "response.sum is 2 instead of 1"),
        ({"answer": (200, None)}, 'response is null instead of {"sum": 1}'),
    ],
)
def test_a_candidate_that_is_not_good_enough(changes: dict[str, object], words: str) -> None:
    vm = FakeVm(**changes)  # type: ignore[arg-type]  # each row sets fields of its own type
    reason = refused(vm, a_step(vm, a_rollout()))
    assert words in reason
    assert "edgetrain-p-blue of run p-1 on vm" in reason


@pytest.mark.parametrize(
    ("ended", "expected", "remedy"),
    [
        ({"status": "exited", "exit_code": 3}, "init() of its score.py failed (exit code 3)", "correct the pipeline's"),
        ({"status": "exited", "exit_code": 0}, "died at start (exit code 0); its log ends", "correct the pipeline's"),
        ({"status": "dead", "exit_code": 127}, "exit code 127", "edgetrain dependency-image"),
        ({"status": "running", "restarts": 1}, "keeps restarting", "correct the pipeline's"),
        (
            {"status": "exited", "exit_code": 137, "memory": 2**29},
            "(exit code 137): it may use 512 MiB",
            "MEMORY",
        ),
        ({"status": "exited", "exit_code": 1, "oom_killed": True}, "out of memory", "MEMORY"),
    ],
)
def test_a_dead_candidate_is_reported_before_its_time_is_up(ended: dict[str, Any], expected: str, remedy: str) -> None:
    vm = FakeVm(healthy_after=1000)
    step = a_step(vm, a_rollout())
    name = step.candidate.name
    vm.containers[name] = replace(vm.containers[name], **ended)
    reason = refused(vm, step)
    assert expected in reason
    assert remedy in reason
    assert ("score.py" in reason) == (remedy == "correct the pipeline's")
    assert vm.healthy_after == 1000
    with pytest.raises(PermanentError, match="not running"):
        switch_traffic(step, vms=vm)


@pytest.mark.parametrize(("exit_code", "expected"), [(137, "out of memory"), (3, "init()"), (1, "exit code 1")])
def test_how_a_candidate_ended_that_was_started_again_is_asked_for(exit_code: int, expected: str) -> None:
    vm = FakeVm(healthy_after=1000, exit_code=exit_code)
    step = a_step(vm, a_rollout())
    vm.containers[step.candidate.name] = replace(vm.containers[step.candidate.name], restarts=2)
    assert expected in refused(vm, step)


def test_a_link_that_breaks_while_it_scores_is_trouble_to_try_again() -> None:
    vm = FakeVm(answer=None)
    with pytest.raises(TransientError):
        verify(vm, a_step(vm, a_rollout()))


def test_another_runs_candidate_is_neither_verified_nor_removed() -> None:
    vm = FakeVm()
    older = a_step(vm, a_rollout(1))
    newer = a_step(vm, a_rollout(2))
    assert "replaced by another roll-out" in refused(vm, older)
    with pytest.raises(PermanentError):
        switch_traffic(older, vms=vm)
    remove_candidate(older, vms=vm)
    assert newer.candidate.name in vm.containers


def test_a_proxy_that_never_sees_it_healthy_keeps_traffic_where_it_was() -> None:
    vm = FakeVm()
    roll_out(vm, a_rollout(1))
    step = a_step(vm, a_rollout(2))
    vm.passes_proxy_check = False
    with pytest.raises(PermanentError, match="health check"):
        switch_traffic(step, vms=vm)
    assert vm.brought_in == {Colour.BLUE}
    assert vm.current.live == Deployment(run_id="p-1", image=a_rollout(1).image)


def test_a_recorded_release_that_the_proxy_lost_is_trouble_to_try_again() -> None:
    vm = FakeVm()
    step = roll_out(vm, a_rollout(1))
    vm.passes_proxy_check = False
    with pytest.raises(TransientError):
        switch_traffic(step, vms=vm)


def test_neither_the_live_nor_the_previous_release_is_removed() -> None:
    vm = FakeVm()
    first = roll_out(vm, a_rollout(1))
    second = roll_out(vm, a_rollout(2))
    for step in (first, second, second):
        remove_candidate(step, vms=vm)
    assert set(vm.containers) == {"edgetrain-p-blue", "edgetrain-p-green"}


def test_a_given_up_candidate_is_removed_however_often() -> None:
    vm = FakeVm()
    roll_out(vm, a_rollout(1))
    step = a_step(vm, a_rollout(2))
    remove_candidate(step, vms=vm)
    remove_candidate(step, vms=vm)
    assert set(vm.containers) == {"edgetrain-p-blue"}
    assert vm.brought_in == {Colour.BLUE}


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.booleans(), st.lists(st.integers(0, 6), max_size=3)), min_size=1, max_size=6
    )
)
def test_killed_anywhere(rollouts: list[tuple[int, bool, list[int]]]) -> None:
    """Roll-outs of a few runs, each killed after some effects and repeated, then finished or given up."""
    vm = FakeVm()
    for run, finish, kills in rollouts:
        served_before = vm.current.live
        for effects in kills:
            vm.kill_after = effects
            with contextlib.suppress(Killed):
                roll_out(vm, a_rollout(run))
            vm.kill_after = None
            _serves_what_is_live(vm)
        if finish:
            roll_out(vm, a_rollout(run))
            assert vm.current.live == Deployment(run_id=f"p-{run}", image=a_rollout(run).image)
            assert vm.brought_in == {vm.current.active}
            assert vm.config == vm.current
        else:
            remove_candidate(a_step(vm, a_rollout(run)), vms=vm)
            assert vm.current.live in (served_before, Deployment(run_id=f"p-{run}", image=a_rollout(run).image))
        _serves_what_is_live(vm)
    runs = [switch.run_id for switch in vm.current.switches]
    assert all(before != after for before, after in itertools.pairwise(runs)), "one roll-out, one switch"
    assert [switch.number for switch in vm.current.switches] == list(range(1, len(runs) + 1))


def _serves_what_is_live(vm: FakeVm) -> None:
    if vm.current.active is not None and vm.current.live is not None:
        assert vm.current.active in vm.brought_in
        live = vm.containers[f"edgetrain-p-{vm.current.active}"]
        assert live.labels["edgetrain.run-id"] == vm.current.live.run_id
