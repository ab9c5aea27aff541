"""Azure Resource Manager away, ill, strange, or its answers lost: our two families of errors, the target whole."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from shared.errors import Code, PermanentError, TransientError
from shared.messages.serving import PlannedRelease
from tests.integration.serving_targets.conftest import Cloud, Place


@pytest.fixture(scope="module")
def served(cloud: Cloud) -> Iterator[tuple[Place, PlannedRelease]]:
    """A pipeline that serves version 1."""
    place = Place(cloud, "with-faults")
    first = place.release(1)
    place.reach({first: 100})
    yield place, first
    place.machinery.clear(place.pipeline)


@pytest.fixture
def faults(cloud: Cloud) -> Iterator[Any]:
    yield cloud.arm.set_fault
    cloud.arm.clear_faults()


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 503},
        {"status": 429},
        {"status": 200, "text": "<html>sign in</html>", "headers": {"Content-Type": "text/html"}},
        {"status": 200, "text": "not json", "headers": {"Content-Type": "application/json"}},
        {"status": 404, "text": "<html>no such page</html>", "headers": {"Content-Type": "text/html"}},
        {"status": 302, "text": "", "headers": {"Location": "https://127.0.0.1:1/", "Content-Type": "text/plain"}},
    ],
    ids=["500", "503", "429", "a page", "no JSON", "a page that says 404", "a redirection"],
)
@pytest.mark.parametrize("path", ["/containerApps/", "/metrics$", "/revisions"])
def test_what_is_no_answer_of_the_service_is_transient(
    served: tuple[Place, PlannedRelease], faults: Any, fault: dict[str, Any], path: str
) -> None:
    place, _ = served
    faults(path=path, **fault)
    with pytest.raises(TransientError):
        place.observe()


@pytest.mark.parametrize("status", [401, 403])
def test_a_missing_right_is_for_the_operator(served: tuple[Place, PlannedRelease], faults: Any, status: int) -> None:
    place, first = served
    faults(path="/containerApps/", status=status)
    for ask in (place.observe, lambda: place.target.apply(place.plan({first: 100}))):
        with pytest.raises(PermanentError) as refused:
            ask()
        assert refused.value.code is Code.BAD_CONFIGURATION


def test_a_plan_whose_answer_is_lost_is_taken_and_may_be_repeated(
    served: tuple[Place, PlannedRelease], faults: Any, cloud: Cloud
) -> None:
    place, first = served
    before = place.observe().revision
    second = place.release(2)
    plan = place.plan({first: 100, second: 0}, based_on=before)
    faults(path=f"/containerApps/{place.pipeline}$", status=400, after=True, count=2)
    with pytest.raises(PermanentError):
        place.target.apply(plan)
    cloud.arm.clear_faults()
    place.target.apply(plan)
    place.reach({first: 100, second: 0})
    assert place.scores() == [(200, 1)]
    place.reach({first: 100})


def test_a_busy_app_is_tried_again(served: tuple[Place, PlannedRelease], faults: Any) -> None:
    place, first = served
    second = place.release(3)
    faults(path=f"/containerApps/{place.pipeline}$", status=409, count=3)
    with pytest.raises(TransientError):
        place.target.apply(place.plan({first: 100, second: 0}))
    place.reach({first: 100})


def test_an_app_that_is_not_found_for_a_moment_is_not_made_anew(
    served: tuple[Place, PlannedRelease], faults: Any
) -> None:
    """All traffic of a new app is that of its first revision, which here nobody has seen healthy."""
    place, first = served
    second = place.release(4, unhealthy=True)
    plan = place.plan({first: 0, second: 100}, based_on=place.observe().revision)
    missing = json.dumps({"error": {"code": "ResourceNotFound", "message": "was not found"}})
    where = f"/containerApps/{place.pipeline}$"
    faults(path=where, status=404, text=missing, headers={"Content-Type": "application/json"}, count=1)

    place.target.apply(plan)

    assert place.scores() == [(200, 1)]
    place.reach({first: 100})


def test_a_service_that_is_gone_is_transient(cloud: Cloud) -> None:
    place = Place(cloud, "with-nobody")
    url = cloud.arm.endpoints["url"]
    cloud.arm.endpoints["url"] = "https://127.0.0.1:9"
    try:
        with pytest.raises(TransientError):
            place.observe()
    finally:
        cloud.arm.endpoints["url"] = url
