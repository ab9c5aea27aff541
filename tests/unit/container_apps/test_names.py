"""What things are called at Container Apps, whatever a pipeline, a run or a plan is called or asks for."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clients.container_apps.names import (
    app_name,
    is_stale,
    next_revision,
    plan_text,
    planned_weights,
    served_text,
    size_for,
    suffix_of,
)
from shared.errors import Code, PermanentError
from shared.messages.serving import PlannedRelease, ServingPlan, ServingResources

APP = re.compile(r"[a-z](?:[a-z0-9]|-(?!-)){0,30}[a-z0-9]")
PIPELINES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?", fullmatch=True)


def a_release(run_id: str = "run", weight: int = 100, **resources: object) -> PlannedRelease:
    image = f"registry.example/models/x@sha256:{'0' * 64}"
    return PlannedRelease(run_id=run_id, image=image, weight=weight, resources=ServingResources(**resources))  # type: ignore[arg-type]


def a_plan(*releases: PlannedRelease, based_on: str = "") -> ServingPlan:
    return ServingPlan(target="cloud", pipeline="digits", releases=releases, based_on=based_on)


@given(PIPELINES, st.sampled_from(["", "edgetrain", "a-"]))
def test_an_app_has_a_name_that_the_service_accepts(pipeline: str, prefix: str) -> None:
    assert APP.fullmatch(app_name(prefix, pipeline))


@given(st.lists(PIPELINES, min_size=2, max_size=20, unique=True))
def test_no_two_pipelines_share_an_app(pipelines: list[str]) -> None:
    assert len({app_name("p", pipeline) for pipeline in pipelines}) == len(pipelines)


def test_a_plain_name_is_kept() -> None:
    assert app_name("", "breast-cancer") == "breast-cancer"
    assert app_name("shop", "digits") == "shop-digits"


@given(st.text(min_size=1, max_size=80))
def test_a_revision_has_a_name_that_the_service_accepts(run_id: str) -> None:
    name = f"{app_name('p' * 16, 'x' * 48)}--{suffix_of(a_release(run_id))}"
    assert len(name) <= 54
    assert re.fullmatch(r"[a-z0-9-]+", name)


def test_what_had_all_of_the_traffic_is_remembered_in_the_room_of_a_tag() -> None:
    said = served_text("", a_plan(a_release("first")))
    assert served_text(said, a_plan(a_release("first", 30), a_release("second", 70))) == said
    assert served_text(said, a_plan(a_release("first"), a_release("second", 0))) == said
    assert served_text(said, a_plan(a_release("second"))) == f"{suffix_of(a_release('second'))} {said}"

    for number in range(40):
        said = served_text(said, a_plan(a_release(str(number))))
        assert len(said) <= 256
    assert said.split()[:2] == [suffix_of(a_release("39")), suffix_of(a_release("38"))]


def test_a_release_with_other_resources_is_another_revision() -> None:
    assert suffix_of(a_release(memory="512m")) == suffix_of(a_release(memory="600m"))
    assert suffix_of(a_release(memory="512m")) != suffix_of(a_release(memory="4g"))
    assert suffix_of(a_release(weight=10)) == suffix_of(a_release(weight=90))


@pytest.mark.parametrize(
    ("memory", "cpus", "cpu", "gib"),
    [
        ("512m", 0.25, 0.25, "0.5Gi"),
        ("512m", 1.0, 1.0, "2Gi"),
        ("513m", 0.1, 0.5, "1Gi"),
        ("2g", 0.5, 1.0, "2Gi"),
        ("8g", 4, 4.0, "8Gi"),
        ("1m", 0.01, 0.25, "0.5Gi"),
    ],
)
def test_resources_are_rounded_up_to_a_pair_that_is_sold(memory: str, cpus: float, cpu: float, gib: str) -> None:
    size = size_for(ServingResources(memory=memory, cpus=cpus))
    assert (size.cpu, size.memory) == (cpu, gib)


@pytest.mark.parametrize(("memory", "cpus"), [("9g", 1), ("512m", 4.5)])
def test_more_than_is_sold_is_refused(memory: str, cpus: float) -> None:
    with pytest.raises(PermanentError) as refused:
        size_for(ServingResources(memory=memory, cpus=cpus))
    assert refused.value.code is Code.BAD_CONFIGURATION


def test_a_plan_that_is_applied_again_is_the_same_revision_and_not_stale() -> None:
    first = next_revision("", a_plan(a_release()))
    again = a_plan(a_release(), based_on="0-something")
    assert next_revision(first, again) == first
    assert not is_stale(first, again)


def test_a_plan_made_for_an_older_revision_is_stale_and_one_for_this_or_any_is_not() -> None:
    first = next_revision("", a_plan(a_release("a")))
    second = next_revision(first, a_plan(a_release("b")))
    assert second != first
    assert is_stale(second, a_plan(a_release("c"), based_on=first))
    assert not is_stale(second, a_plan(a_release("c"), based_on=second))
    assert not is_stale(second, a_plan(a_release("c")))


def test_a_plan_that_comes_back_is_a_new_revision() -> None:
    first = next_revision("", a_plan(a_release("a")))
    second = next_revision(first, a_plan(a_release("b")))
    third = next_revision(second, a_plan(a_release("a")))
    assert len({first, second, third}) == 3


def test_weights_are_read_as_they_were_written_and_other_words_count_for_nothing() -> None:
    one, two = a_release("a", 70), a_release("b", 30)
    text = plan_text(a_plan(one, two))
    assert len(text) <= 256
    assert planned_weights(text) == {suffix_of(one): 70, suffix_of(two): 30}
    assert planned_weights("x =y z=-1") == {}
