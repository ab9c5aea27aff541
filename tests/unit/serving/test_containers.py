import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shared.messages import PlannedRelease, ServingResources
from shared.serving.containers import Container, container_of, parse_inspect, run_arguments
from shared.serving.slots import Colour

SMALL = PlannedRelease(run_id="p-1", image="registry/models/p@sha256:aa", weight=0)
SPEC = container_of("p", SMALL, colour=Colour.GREEN, port=20002, network="")


def test_the_container_is_confined_and_reachable_from_loopback_only() -> None:
    arguments = " ".join(run_arguments(SPEC))
    for needed in (
        "run --detach --name edgetrain-p-green ",
        " --pull never ",
        " --read-only ",
        " --tmpfs /tmp:",
        " --cap-drop all ",
        " --security-opt no-new-privileges ",
        " --user 10001:10001 ",
        " --memory 512m ",
        " --pids-limit 200 ",
        " --publish 127.0.0.1:20002:5001 ",
        " --label edgetrain.pipeline=p ",
        " --label edgetrain.run-id=p-1 ",
    ):
        assert needed in arguments
    assert arguments.endswith(" registry/models/p@sha256:aa")
    assert " --log-driver k8s-file --log-opt max-size=10m " in arguments
    assert "--network" not in arguments
    assert "--privileged" not in arguments


def inspected(**changes: object) -> str:
    found = {
        "State": {"Status": "running", "ExitCode": 0},
        "RestartCount": 0,
        "Config": {"Labels": SPEC.labels},
    }
    return json.dumps([{**found, **changes}])


def test_what_an_engine_says() -> None:
    container = parse_inspect(inspected())
    assert container.alive
    assert container.holds(SMALL)
    assert not container.holds(replace(SMALL, image="other"))
    assert not container.holds(replace(SMALL, run_id="p-2"))


@pytest.mark.parametrize(
    "changes",
    [{"State": {"Status": "Exited", "ExitCode": 3}}, {"RestartCount": 2}, {"State": {"Status": "dead", "ExitCode": 0}}],
)
def test_a_container_that_died(changes: dict[str, object]) -> None:
    assert not parse_inspect(inspected(**changes)).alive


def test_a_stranger_without_labels() -> None:
    container = parse_inspect(inspected(Config={"Labels": None}, RestartCount=None))
    assert container == Container(status="running", exit_code=0, restarts=0, labels={})
    assert not container.holds(SMALL)


@pytest.mark.parametrize("text", ["[]", "{}", "[{}]", "nonsense", "null"])
def test_what_is_no_container_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - JSON's own error or ours
        parse_inspect(text)


RELEASE = PlannedRelease(
    run_id="p-1", image="registry/models/p@sha256:aa", weight=100, resources=ServingResources(memory="2g", cpus=1.5)
)


def test_a_planned_release_has_a_network_of_its_own_and_what_the_plan_gives_it() -> None:
    spec = container_of("p", RELEASE, colour=Colour.BLUE, port=20001, network="edgetrain-p-blue-20001")
    arguments = " ".join(run_arguments(spec, engine="docker"))
    assert " --memory 2g " in arguments
    assert " --cpus 1.5 " in arguments
    assert " --network edgetrain-p-blue-20001 " in arguments
    assert " --log-driver json-file " in arguments
    container = parse_inspect(inspected(Config={"Labels": spec.labels}))
    assert container.holds(RELEASE)
    assert container.holds(replace(RELEASE, weight=0, version="7")), "the same container, whatever its traffic and name"
    assert not container.holds(replace(RELEASE, resources=ServingResources()))
    assert not container.holds(replace(RELEASE, run_id="p-2"))
    older = {key: value for key, value in spec.labels.items() if key != "edgetrain.resources"}
    assert parse_inspect(inspected(Config={"Labels": older})).holds(RELEASE)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2026-11-28T23:44:22.752936839Z", datetime(2026, 11, 28, 23, 44, 22, 752936, tzinfo=UTC)),
        ("2026-11-29T00:44:22.5+01:00", datetime(2026, 11, 28, 23, 44, 22, 500000, tzinfo=UTC)),
        ("2026-11-28 23:44:22 +0000 UTC", datetime(2026, 11, 28, 23, 44, 22, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
        ("2026-13-41T99:00:00Z", None),
    ],
)
def test_when_a_container_was_started(said: str, meant: datetime | None) -> None:
    state = {"Status": "running", "ExitCode": 0, "StartedAt": said}
    assert parse_inspect(inspected(State=state)).started_at == meant
