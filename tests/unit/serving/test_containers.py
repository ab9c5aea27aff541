import json

import pytest

from shared.messages import Rollout
from shared.serving.containers import Container, parse_inspect, run_arguments, spec_for
from shared.serving.slots import Colour

ROLLOUT = Rollout(run_id="p-1", pipeline="p", target="vm", image="registry/models/p@sha256:aa")
SPEC = spec_for(ROLLOUT, colour=Colour.GREEN, port=20002)


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
    assert container.belongs_to(ROLLOUT)
    assert not container.belongs_to(Rollout(run_id="p-1", pipeline="p", target="vm", image="other"))
    assert not container.belongs_to(Rollout(run_id="p-2", pipeline="p", target="vm", image=ROLLOUT.image))


@pytest.mark.parametrize(
    "changes",
    [{"State": {"Status": "Exited", "ExitCode": 3}}, {"RestartCount": 2}, {"State": {"Status": "dead", "ExitCode": 0}}],
)
def test_a_container_that_died(changes: dict[str, object]) -> None:
    assert not parse_inspect(inspected(**changes)).alive


def test_a_stranger_without_labels() -> None:
    container = parse_inspect(inspected(Config={"Labels": None}, RestartCount=None))
    assert container == Container(status="running", exit_code=0, restarts=0, labels={})
    assert not container.belongs_to(ROLLOUT)


@pytest.mark.parametrize("text", ["[]", "{}", "[{}]", "nonsense", "null"])
def test_what_is_no_container_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - JSON's own error or ours
        parse_inspect(text)
