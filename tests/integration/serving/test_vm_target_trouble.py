"""The target of kind ``vm`` when something is wrong: candidates, containers, the VM, the app's own end."""

import itertools
import socket
from dataclasses import replace
from typing import Any

import pytest

from shared.clients.serving_vm import ServingVm
from shared.clients.vm_haproxy import HaproxyRuntime
from shared.errors import Code, PermanentError, TransientError
from shared.messages.serving import ReleaseState
from shared.serving.slots import Colour
from tests.support.podman import half_make
from tests.support.serving_host import wait_for
from tests.support.serving_place import SMALL, Place, hammering, of, said, state


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ({"dies": "no module named joblib"}, ["exit code 1", "joblib", "score.py"]),
        ({"eats": True}, ["out of memory", "64 MiB", "deliver.resources.memory"]),
        ({"status": 500}, ["answered 500 to the smoke sample"]),
        ({"smoke": "none"}, ["must write smoke.json"]),
        ({"smoke": {"request": {"data": [1]}, "response": {"version": 2, "sum": 1.01}}}, ["response.sum is 1 instead"]),
    ],
    ids=["dies", "out of memory", "fails", "no sample", "differs"],
)
def test_a_candidate_that_cannot_become_healthy_says_why(
    place: Place, behaviour: dict[str, Any], words: list[str]
) -> None:
    first, second = place.release(1, 100), place.release(2, **behaviour)
    place.fulfil(first)
    place.apply(first, second)

    place.until(lambda serving: state(serving, second) is ReleaseState.UNHEALTHY, "the candidate's end")
    seen = of(place.until(lambda serving: of(serving, second).final, "what is final"), second)
    assert seen.state is ReleaseState.UNHEALTHY
    trouble = seen.trouble
    assert all(word in trouble for word in (*words, second.run_id)), trouble
    place.apply(replace(second, weight=100))
    assert place.version() == 1, "what served keeps serving"
    serving = place.fulfil(first)
    assert [each.run_id for each in serving.releases] == [first.run_id]


def test_a_candidate_without_a_port_is_starting_and_says_what_is_missing(place: Place) -> None:
    first, second = place.release(1, 100), place.release(2, port=5002)
    place.fulfil(first)
    place.apply(first, second)
    place.until(lambda serving: "5001" in said(serving, second), "the sentence")
    seen = place.seen(second)
    assert (seen.state, seen.final) == (ReleaseState.STARTING, False)


def test_a_candidate_that_answers_503_is_unhealthy_but_may_get_well(place: Place) -> None:
    first = place.release(1, unhealthy=True)
    place.apply(first)
    place.until(lambda serving: "503" in said(serving, first), "the sentence")
    seen = place.seen(first)
    assert (seen.state, seen.final) == (ReleaseState.UNHEALTHY, False)


def test_a_port_that_is_taken_is_named(place: Place) -> None:
    port = place.slot.ports[Colour.BLUE]
    release = place.release(1)
    with socket.create_server(("127.0.0.1", port)), pytest.raises(TransientError, match=f"its port {port}"):
        place.apply(release)
    place.fulfil(release)


def test_a_lost_container_is_seen_and_put_back(place: Place) -> None:
    first = place.release(1, 100)
    place.fulfil(first)
    place.host.podman("rm", "--force", "--time", "0", place.container(first))

    lost = place.seen(first)
    assert lost.state is ReleaseState.GONE
    assert "its container is gone" in lost.trouble
    place.fulfil(first)
    wait_for(lambda: place.version() == 1, "an answer")  # HAProxy lets it in after its own next check


def test_a_container_that_podman_was_killed_over_does_not_keep_its_name(place: Place) -> None:
    first, second = place.release(1, 100), place.release(2, 0)
    place.fulfil(first)
    left = f"edgetrain-{place.pipeline}-{next(each for each in Colour if each not in place.slot.places)}"
    half_make(place.host.vm.storage, place.host.environment, left, first.image)

    place.fulfil(first, second)

    assert place.container(second) == left
    assert place.version() == 1


def test_a_reboot_is_healed_by_the_same_plan(place: Place) -> None:
    first, second = place.release(1, 70), place.release(2, 30)
    place.fulfil(replace(first, weight=100))
    place.fulfil(first, second)
    place.host.reboot(start_containers=False)

    down = {ReleaseState.UNHEALTHY}
    stopped = place.until(lambda serving: {each.state for each in serving.releases} == down, "what is down")
    assert not any(each.final for each in stopped.releases)
    place.fulfil(first, second)
    wait_for(lambda: {place.version() for _ in range(40)} == {1, 2}, "both")

    place.host.reboot(start_containers=True)
    place.fulfil(first, second)
    wait_for(lambda: {place.version() for _ in range(40)} == {1, 2}, "both")


def test_pull_failures_change_nothing(place: Place) -> None:
    release = place.release(1)
    unknown = replace(release, image=release.image.split("@")[0] + "@sha256:" + "0" * 64)
    with pytest.raises(PermanentError, match="has no image") as caught:
        place.apply(unknown)
    assert caught.value.code is Code.REGISTRY_REFUSED
    with pytest.raises(TransientError, match="pulling"):
        place.apply(replace(release, image="127.0.0.1:1/models/x@sha256:" + "0" * 64))
    assert place.observe().revision == "0"


def test_a_pipeline_that_was_not_prepared(place: Place) -> None:
    place.pipeline = "nowhere"
    assert place.observe().releases == ()
    with pytest.raises(PermanentError, match=r"edgetrain prepare-vm --pipeline nowhere") as caught:
        place.apply(replace(place.release(1), resources=SMALL))
    assert caught.value.code is Code.TARGET_NOT_PREPARED


class Killed(BaseException):
    """Stands for the end of the process at that point."""


POINTS = [
    (ServingVm, "run_container", 1),
    (HaproxyRuntime, "bring_in", 1),
    (ServingVm, "save_slot", 3),
    (HaproxyRuntime, "take_out", 2),
]


@pytest.mark.parametrize(("owner", "point", "time"), POINTS, ids=[f"{point}-{time}" for _, point, time in POINTS])
def test_killed_anywhere(
    place: Place, monkeypatch: pytest.MonkeyPatch, owner: type[object], point: str, time: int
) -> None:
    """Killed after this effect, somewhere between start and switch: the same plan again ends with one switch."""
    first, second = place.release(1, 100), place.release(2, 100)
    place.fulfil(first)
    real, calls = getattr(owner, point), itertools.count(1)

    def killed(self: object, *arguments: object, **options: object) -> object:
        answer = real(self, *arguments, **options)
        if next(calls) == time:
            raise Killed
        return answer

    with hammering(place.url) as clients:
        with monkeypatch.context() as patch:
            patch.setattr(owner, point, killed)
            with pytest.raises(Killed):
                place.fulfil(second)
        place.fulfil(second)
    assert clients.failed == []
    assert clients.versions[-5:] == [2] * 5
    assert [switch.run_id for switch in place.slot.switches] == [first.run_id, second.run_id]


def test_killed_in_a_switch_and_then_taken_back(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed when both serve, before the slot file says so: the plan of before takes it out, and no request is lost."""
    first, second = place.release(1, 100), place.release(2, 100)
    place.fulfil(first)
    real = HaproxyRuntime.bring_in

    def killed(self: HaproxyRuntime, *arguments: Any, **options: Any) -> bool:
        real(self, *arguments, **options)
        raise Killed

    with hammering(place.url) as clients:
        with monkeypatch.context() as patch:
            patch.setattr(HaproxyRuntime, "bring_in", killed)
            with pytest.raises(Killed):
                place.fulfil(second)
        place.fulfil(first)
    assert clients.failed == []
    assert clients.versions[-5:] == [1] * 5
