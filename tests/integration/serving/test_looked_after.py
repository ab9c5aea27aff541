"""The reconciler's look at a real VM: what is lost comes back, and what another hand put there goes."""

from dataclasses import replace
from pathlib import Path

import pytest

from function_app.reconciler.targets import look_at
from shared.clients.ssh import connected
from shared.clients.vm_haproxy import HaproxyRuntime
from shared.messages import (
    Champion,
    Outcome,
    PlannedRelease,
    ReleaseState,
    TargetEvent,
    TargetResult,
    TargetState,
)
from shared.serving.haproxy import RELOAD_COMMAND
from shared.serving.slots import Colour
from tests.support.reconciler import WatchedWorld
from tests.support.serving_host import wait_for
from tests.support.serving_place import Place


class Kept:
    """A pipeline whose run 1 was promoted and rolled out to the VM."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.place, self.pipeline = place, place.pipeline
        self.world = WatchedWorld(folder)
        self.events: list[TargetEvent] = []
        self.world.services.__dict__["targets"] = self
        self.world.services.__dict__["announcements"] = self
        self.release = place.release(1, 100)
        self.promoted(self.release)
        place.fulfil(self.release)

    def open(self, target: str) -> object:
        assert target == "vm"
        return self.place.target

    def publish_target(self, event: TargetEvent) -> None:
        self.events.append(event)

    def promoted(self, release: PlannedRelease) -> None:
        ledger, now = self.world.ledger, self.world.now
        claimed = self.world.claims(
            run_id=release.run_id, pipeline=self.pipeline, fingerprint=release.run_id, requested_by=release.run_id
        )
        record = ledger.runs.run(claimed.run_id)
        assert record is not None
        there = (TargetResult(target="vm", deployed=True),)
        ended = replace(record, outcome=Outcome.PROMOTED, image=release.image, targets=there, ended_at=now)
        ledger.runs.record_run(ended)
        ledger.champions.crown(Champion(pipeline=self.pipeline, run_id=release.run_id, image=release.image), since=now)
        ledger.targets.desire(self.place.plan(release), by=release.run_id, at=now)

    def looks(self) -> TargetState:
        return look_at(self.world.services, "vm", self.pipeline, self.world.now)

    def comes_back(self) -> TargetState:
        """Look as cycles do, until nothing is wrong."""
        for _ in range(10):
            state = self.looks()
            if not state.drift:
                return state
        raise AssertionError(state.drift)


@pytest.fixture
def kept(place: Place, tmp_path: Path) -> Kept:
    return Kept(place, tmp_path)


def test_what_serves_as_it_should_is_left_alone(kept: Kept) -> None:
    revision = kept.place.observe().revision

    state = kept.looks()

    assert state.drift == ""
    assert kept.place.observe().revision == revision
    assert kept.events == []


def test_a_container_that_is_gone_answers_again_after_one_look(kept: Kept) -> None:
    kept.place.host.podman("rm", "--force", kept.place.container(kept.release))

    state = kept.looks()

    assert "is gone" in state.drift
    wait_for(lambda: kept.place.version() == 1, "an answer")  # without another look
    assert kept.comes_back().drift == ""
    assert [event.kind.value for event in kept.events] == ["drifted", "mended"]


def test_a_proxy_that_gives_a_healthy_release_no_traffic_is_seen_and_corrected(kept: Kept) -> None:
    """Its container is well all the time; its clients are refused."""
    place = kept.place
    with connected(place.target._settings) as session:
        haproxy = HaproxyRuntime(session)
        for break_it in (_take_out, _forget):
            break_it(haproxy, place)

            state = kept.looks()

            assert "gets 0 % of the traffic instead of 100 %" in state.drift
            kept.comes_back()
            wait_for(lambda: place.version() == 1, "an answer")  # HAProxy lets it in after its own next check


def _take_out(haproxy: HaproxyRuntime, place: Place) -> None:
    for colour in Colour:
        haproxy.take_out(place.pipeline, colour, seconds=0)


def _forget(haproxy: HaproxyRuntime, place: Place) -> None:
    haproxy.restore_config(place.pipeline, None)
    haproxy._session.run([RELOAD_COMMAND])
    wait_for(lambda: not haproxy.knows(place.pipeline), "the end of the backend")


def test_what_another_hand_put_there_is_named_and_goes(kept: Kept) -> None:
    stranger = kept.place.release(2, 100)
    kept.place.fulfil(stranger)
    assert kept.place.version() == 2

    state = kept.looks()

    assert f"of run {stranger.run_id}, which the ledger does not know, runs there and gets 100 %" in state.drift
    kept.comes_back()
    assert kept.place.version() == 1
    assert [each.run_id for each in kept.place.observe().releases] == [kept.release.run_id]


def test_champion_and_plan_that_were_lost_are_found_by_what_serves(kept: Kept) -> None:
    kept.world.ledger.targets.forget("vm", kept.pipeline)

    state = kept.looks()

    assert state.desired is not None
    assert [each.run_id for each in state.desired.releases] == [kept.release.run_id]
    assert kept.place.seen(kept.release).state is ReleaseState.HEALTHY
