"""The contract of ``shared/deployment_target.py``, the same cases for every kind."""

from collections import Counter
from dataclasses import replace

import pytest
import requests

from shared.errors import Code, PermanentError
from shared.messages.serving import ObservedRelease, PlannedRelease, ReleaseState, Serving, ServingPlan
from tests.integration.serving_targets.conftest import Place
from tests.support.service_process import eventually


def of(serving: Serving, release: PlannedRelease) -> ObservedRelease:
    found = serving.release(release.run_id)
    assert found is not None
    return found


def test_where_nothing_was_applied_nothing_is_there(place: Place) -> None:
    serving = place.observe()
    assert (serving.releases, serving.live, serving.pipeline) == ((), None, place.pipeline)


def test_a_first_release_is_checked_before_it_gets_traffic(place: Place) -> None:
    first = place.release(1)
    serving = place.reach({first: 0})
    assert serving.live is None
    before = serving.revision

    serving = place.reach({first: 100})
    assert of(serving, first).image == first.image
    assert serving.endpoint is not None
    assert serving.revision != before
    assert place.scores() == [(200, 1)]


def test_a_plan_applied_again_changes_nothing(place: Place) -> None:
    first = place.release(1)
    serving = place.reach({first: 100})
    containers = place.machinery.containers(place.pipeline)
    again = place.plan({first: 100}, based_on=serving.revision)
    place.target.apply(again)
    place.target.apply(again)
    again_seen = place.observe()
    assert again_seen.revision == serving.revision
    assert [replace(each, requests=0) for each in again_seen.releases] == [
        replace(each, requests=0) for each in serving.releases
    ]
    assert place.machinery.containers(place.pipeline) == containers


def test_a_plan_made_for_an_older_revision_is_refused(place: Place) -> None:
    first, second = place.release(1), place.release(2)
    old = place.reach({first: 100}).revision
    place.reach({first: 100, second: 0})
    with pytest.raises(PermanentError) as refused:
        place.target.apply(place.plan({first: 0, second: 100}, based_on=old))
    assert refused.value.code is Code.STALE_PLAN
    assert set(place.scores(10)) == {(200, 1)}


def test_a_canary_gets_its_part_and_goes_back(place: Place) -> None:
    stable, candidate = place.release(1), place.release(2)
    place.reach({stable: 100})
    place.reach({stable: 100, candidate: 0})
    assert set(place.scores(20)) == {(200, 1)}

    serving = place.reach({stable: 70, candidate: 30})
    before = {each.run_id: (each.requests, each.errors) for each in serving.releases}
    answers = Counter(place.scores(50))  # fewer than the connections that a VM grants one address
    assert 0 < answers[200, 2] < answers[200, 1]
    assert answers.total() == answers[200, 1] + answers[200, 2]
    serving = place.observe()
    for release, version in ((stable, 1), (candidate, 2)):
        answered, failed = before[release.run_id]
        seen = of(serving, release)
        # Health checks of the target itself may be counted too.
        assert answers[200, version] <= seen.requests - answered <= answers[200, version] + 20
        assert seen.errors == failed

    serving = place.reach({stable: 100})
    assert serving.kept == (), "only what had all of the traffic can be rolled back to"
    assert set(place.scores(20)) == {(200, 1)}

    assert place.reach({candidate: 100}).kept == (stable.run_id,)


def test_errors_are_counted(place: Place) -> None:
    first = place.release(1)
    before = of(place.reach({first: 100}), first).errors
    endpoint = place.observe().endpoint
    for _ in range(3):
        assert requests.post(f"{endpoint}/score", json={"no": "data"}, timeout=30).status_code >= 500
    # A VM's proxy asks once more, or twice, before it passes an error on; each failure counts.
    assert eventually(lambda: of(place.observe(), first).errors - before >= 3)


def test_a_release_that_is_gone_is_seen_and_put_back(place: Place) -> None:
    first = place.release(1)
    place.reach({first: 100})
    place.machinery.lose(place.pipeline, first)
    seen = place.observe().release(first.run_id)
    assert seen is None or seen.state is ReleaseState.GONE
    place.reach({first: 100})
    assert eventually(lambda: place.scores() == [(200, 1)])


def test_an_image_that_is_not_trusted_is_refused_and_nothing_changes(place: Place) -> None:
    stable, candidate = place.release(1), place.release(2)
    before = place.reach({stable: 100})
    containers = place.machinery.containers(place.pipeline)
    place.untrusted.add(candidate.image)
    with pytest.raises(PermanentError) as refused:
        place.target.apply(place.plan({stable: 100, candidate: 0}))
    assert refused.value.code is Code.SIGNATURE_REFUSED
    assert place.observe().revision == before.revision
    assert place.machinery.containers(place.pipeline) == containers
    assert place.scores() == [(200, 1)]


def ill(place: Place, stable: PlannedRelease, candidate: PlannedRelease, *, final: bool) -> ObservedRelease:
    """What is said of a candidate that does not get well; it gets no traffic, though the plan would give it all."""
    place.reach({stable: 100})

    def told(serving: Serving) -> bool:
        seen = serving.release(candidate.run_id)
        return seen is not None and bool(seen.trouble) and seen.final is final

    serving = place.reach({stable: 0, candidate: 100}, told)
    live = serving.live
    assert live is not None
    assert live.run_id == stable.run_id
    assert set(place.scores(5)) == {(200, 1)}
    place.reach({stable: 100})
    return of(serving, candidate)


def test_a_candidate_that_ran_out_of_memory_says_so(place: Place) -> None:
    seen = ill(place, place.release(1), place.release(2, eats=True), final=True)
    assert seen.state is ReleaseState.UNHEALTHY
    assert "memory" in seen.trouble


def test_a_candidate_that_dies_says_what_it_wrote_last(place: Place) -> None:
    seen = ill(place, place.release(1), place.release(2, dies="no such column"), final=True)
    assert seen.state is ReleaseState.UNHEALTHY
    assert "no such column" in seen.trouble


def test_a_candidate_without_its_port_says_so(place: Place) -> None:
    seen = ill(place, place.release(1), place.release(2, port=5002), final=False)
    assert seen.state is ReleaseState.STARTING
    assert "5001" in seen.trouble


def test_a_candidate_that_scores_differently_says_where(place: Place) -> None:
    other = {"request": {"data": [1]}, "response": {"version": 2, "sum": 7}}
    candidate = place.release(2, smoke=other)
    stable = place.release(1)
    place.reach({stable: 100})
    serving = place.reach({stable: 100, candidate: 0}, lambda seen: of(seen, candidate).final)
    seen = of(serving, candidate)
    assert (seen.state, seen.final) == (ReleaseState.UNHEALTHY, True)
    assert "sum" in seen.trouble


def test_an_image_that_is_not_there_is_refused(place: Place) -> None:
    stable = place.release(1)
    place.reach({stable: 100})
    registry = place.machinery.registry
    missing = f"{registry.address}/models/{place.pipeline}@sha256:{'0' * 64}"
    plan = place.plan({stable: 100, PlannedRelease(run_id="missing", image=missing, weight=0): 0})
    with pytest.raises(PermanentError) as refused:
        place.target.apply(plan)
    assert refused.value.code is Code.REGISTRY_REFUSED
    place.reach({stable: 100})


def test_a_plan_without_releases_serves_nothing(place: Place) -> None:
    first = place.release(1)
    place.reach({first: 100})
    place.target.apply(ServingPlan(target="t", pipeline=place.pipeline))
    eventually(lambda: not place.observe().releases)
    assert not place.machinery.containers(place.pipeline)
