"""The target of kind ``vm`` against a real sshd, podman, HAProxy and registry."""

import json
import socket
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
import requests
from pydantic import SecretStr

from shared.errors import Code, PermanentError, TransientError
from shared.messages.serving import ObservedRelease, PlannedRelease, ReleaseState, Serving, ServingResources
from shared.serving.slots import Colour
from tests.support.serving_host import PULL_PASSWORD, wait_for
from tests.support.serving_place import SMALL, Place, hammering


def of(serving: Serving, release: PlannedRelease) -> ObservedRelease:
    found = serving.release(release.run_id)
    assert found is not None, serving
    return found


def said(serving: Serving, release: PlannedRelease) -> str:
    return of(serving, release).trouble


def state(serving: Serving, release: PlannedRelease) -> ReleaseState:
    return of(serving, release).state


def test_a_candidate_a_canary_and_a_switch_without_failed_requests(place: Place) -> None:
    first, second = place.release(1, 100), place.release(2)
    serving = place.fulfil(first)
    assert serving.endpoint == place.url

    with hammering(place.url) as clients:
        place.fulfil(first, second)
        assert set(clients.versions) == {1}, "a candidate without weight gets no client's request"
        before = place.fulfil(replace(first, weight=80), replace(second, weight=20))
        wait_for(lambda: clients.versions[-200:].count(2) > 10, "answers of the canary")
        wait_for(lambda: len(clients.versions) > 400, "traffic")
        after = place.observe()
        place.fulfil(replace(first, weight=0), replace(second, weight=100))
    place.fulfil(replace(second, weight=100))

    assert clients.failed == []
    assert clients.versions[-10:] == [2] * 10
    counted = {each.run_id: each.requests for each in after.releases}
    earlier = {each.run_id: each.requests for each in before.releases}
    deltas = {run: counted[run] - earlier[run] for run in counted}
    share = deltas[second.run_id] / sum(deltas.values())
    assert 0.1 < share < 0.3
    assert all(each.latency_ms is not None and each.errors == 0 for each in after.releases)
    assert [switch.run_id for switch in place.slot.switches] == [first.run_id, second.run_id]
    assert place.observe().kept == (first.run_id,)


def test_a_roll_back_to_a_kept_release_pulls_nothing(place: Place) -> None:
    first, second = place.release(1, 100), place.release(2, 100)
    place.fulfil(first)
    place.fulfil(second)
    place.target = place.connect(pull_password=SecretStr("no longer valid"))
    with hammering(place.url) as clients:
        serving = place.fulfil(first, replace(second, weight=0))
    assert clients.failed == []
    assert serving.live is not None
    assert serving.live.run_id == first.run_id
    with pytest.raises(PermanentError, match="refuses user"):
        place.apply(place.release(3, 100))


def test_requests_and_errors_of_a_release_are_counted(place: Place) -> None:
    first = place.release(1, 100)
    place.fulfil(first)
    before = place.seen(first)
    for _ in range(5):
        place.score()
    for _ in range(2):
        assert requests.post(f"{place.url}/score", json={"fail": True}, timeout=10).status_code >= 500
    after = place.seen(first)
    assert (after.requests - before.requests, after.errors - before.errors) == (7, 2)


def test_every_answer_names_run_model_and_version(place: Place) -> None:
    first, second = place.release(1, 100), place.release(2)
    place.fulfil(first)
    headers = place.score().headers
    assert headers["x-edgetrain-run"] == first.run_id
    assert headers["x-edgetrain-model"] == place.pipeline
    assert headers["x-edgetrain-version"] == "1"

    place.fulfil(first, second)
    place.fulfil(replace(second, weight=100))
    assert place.score().headers["x-edgetrain-version"] == "2"
    place.host.stop_haproxy()
    place.host.start_haproxy()
    assert place.score().headers["x-edgetrain-run"] == second.run_id

    nameless = replace(place.release(3, 100), model="", version="")
    place.fulfil(nameless)
    headers = place.score().headers
    assert headers["x-edgetrain-run"] == nameless.run_id
    assert "x-edgetrain-version" not in headers


def test_a_plan_for_an_older_revision_is_stale_and_changes_nothing(place: Place) -> None:
    first, second = place.release(1, 100), place.release(2)
    place.fulfil(first)
    seen = place.observe()
    place.apply(first, second, based_on=seen.revision)
    place.apply(first, second, based_on=seen.revision)  # the same plan, repeated because its answer was lost

    with pytest.raises(PermanentError) as caught:
        place.apply(replace(second, weight=100), based_on=seen.revision)

    assert caught.value.code is Code.STALE_PLAN
    assert place.observe().revision == str(int(seen.revision) + 1)
    assert place.version() == 1


def test_an_image_that_is_not_trusted_is_refused_before_anything_happens(place: Place) -> None:
    first, second = place.release(1, 100), place.release(2)
    place.fulfil(first)
    before = place.observe()
    place.distrusted.add(second.image)

    with pytest.raises(PermanentError) as caught:
        place.apply(first, second)

    assert caught.value.code is Code.SIGNATURE_REFUSED
    after = place.observe()
    assert (after.revision, [each.run_id for each in after.releases]) == (before.revision, [first.run_id])
    assert second.image.split("@")[1] not in place.host.podman("images", "--digests", "--format", "{{.Digest}}")


def test_a_container_is_confined_to_a_network_that_leads_nowhere(place: Place) -> None:
    first = place.release(1, 100)
    second = place.release(2, resources=ServingResources(memory="96m", cpus=0.25))
    place.fulfil(first, second)
    name, port = place.container(second), place.slot.ports[Colour.GREEN]

    inspected = json.loads(place.host.podman("inspect", name))[0]
    limits = inspected["HostConfig"]
    assert (limits["Memory"], limits["NanoCpus"], limits["PidsLimit"]) == (96 * 2**20, 250_000_000, 200)
    assert limits["LogConfig"]["Size"] == "10MB"
    assert limits["ReadonlyRootfs"] is True
    assert not inspected["EffectiveCaps"]
    assert place.host.podman("port", name, "5001").strip() == f"127.0.0.1:{port}"

    def reaches(address: str, number: int) -> bool:
        """Whether a program in the container's network reaches an address."""
        code = f"import socket; socket.create_connection(({address!r}, {number}), timeout=2)"
        enter = ["nsenter", "--target", str(inspected["State"]["Pid"]), "--net", sys.executable, "-I", "-c", code]
        return subprocess.run(enter, capture_output=True, check=False).returncode == 0

    other = json.loads(place.host.podman("inspect", place.container(first)))[0]
    (network,) = other["NetworkSettings"]["Networks"].values()
    (own,) = inspected["NetworkSettings"]["Networks"].values()
    with socket.create_server(("0.0.0.0", 0)) as listener:
        everywhere = listener.getsockname()[1]
        assert reaches("127.0.0.1", 5001), "the server itself"
        assert not reaches(network["IPAddress"], 5001), "another container"
        assert not reaches("192.0.2.1", 443), "the world"
        assert not reaches(own["Gateway"], everywhere), "what listens on all addresses of the VM"
        assert not reaches("127.0.0.1", everywhere)


def test_the_network_goes_with_the_container(place: Place) -> None:
    place.fulfil(place.release(1, 100))
    place.fulfil(place.release(2, 100))
    networks = place.host.podman("network", "ls", "--format", "{{.Name}}").split()
    assert [name for name in networks if place.pipeline in name] == [
        f"edgetrain-{place.pipeline}-green-{place.slot.ports[Colour.GREEN]}"
    ]


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
    assert (lost.state, lost.weight) in {(ReleaseState.GONE, 100), (ReleaseState.GONE, 0)}
    assert "its container is gone" in lost.trouble
    place.fulfil(first)
    assert place.version() == 1


def test_a_reboot_is_healed_by_the_same_plan(place: Place) -> None:
    first, second = place.release(1, 70), place.release(2, 30)
    place.fulfil(replace(first, weight=100))
    place.fulfil(first, second)
    place.host.reboot(start_containers=False)

    stopped = place.until(lambda serving: serving.live is None, "HAProxy's checks")
    assert {each.state for each in stopped.releases} == {ReleaseState.UNHEALTHY}
    assert not any(each.final for each in stopped.releases)
    place.fulfil(first, second)
    assert {place.version() for _ in range(40)} == {1, 2}

    place.host.reboot(start_containers=True)
    place.fulfil(first, second)
    assert {place.version() for _ in range(40)} == {1, 2}


def test_retired_serves_nothing_and_leaves_nothing(place: Place) -> None:
    first, second = place.release(1, 100), place.release(2)
    place.fulfil(first, second)
    serving = place.fulfil()
    assert serving.releases == ()
    assert not [name for name in place.host.containers() if place.pipeline in name]
    assert serving.kept == (first.run_id,)
    with pytest.raises(Exception, match="503"):
        place.score()


def test_what_serves_stays_while_a_plan_gives_traffic_to_nothing(place: Place) -> None:
    first, second = place.release(1, 100), place.release(2)
    place.fulfil(first)
    place.apply(second)
    place.until(lambda serving: state(serving, second) is ReleaseState.HEALTHY, "the newcomer")
    place.apply(second)
    assert place.version() == 1


def test_images_that_are_neither_kept_nor_wanted_leave_the_vm(place: Place) -> None:
    releases = [place.release(version, 100) for version in range(1, 7)]
    for release in releases:
        place.fulfil(release)
    never = place.release(9)
    place.apply(releases[-1], never)
    place.fulfil(releases[-1])

    assert place.observe().kept == tuple(each.run_id for each in reversed(releases[2:5]))
    digests = place.host.podman("images", "--digests", "--format", "{{.Repository}} {{.Digest}}").splitlines()
    there = {line.split()[1] for line in digests if place.pipeline in line}
    assert there == {each.image.split("@")[1] for each in releases[2:]}


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


def test_the_pull_password_stays_nowhere(place: Place) -> None:
    first = place.release(1, 100)
    place.fulfil(first)
    found = subprocess.run(
        ["grep", "-rlI", PULL_PASSWORD, str(place.host.home)], capture_output=True, text=True, check=False
    )
    assert found.stdout == ""
    assert PULL_PASSWORD not in (place.host.vm.etc / "containers" / "auth.json").read_text(encoding="utf-8")
    assert PULL_PASSWORD not in place.host.podman("inspect", place.container(first))
