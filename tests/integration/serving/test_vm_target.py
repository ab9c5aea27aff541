"""The target of kind ``vm`` against a real sshd, podman, HAProxy and registry."""

import json
import socket
import subprocess
import sys
from dataclasses import replace

import pytest
import requests
from pydantic import SecretStr

from shared.decisions.delivery.plans import planned
from shared.errors import Code, PermanentError
from shared.messages.serving import ReleaseState, ServingResources
from shared.serving.slots import Colour
from tests.support.serving_host import PULL_PASSWORD, wait_for
from tests.support.serving_place import Place, hammering, of, state


def test_a_candidate_a_canary_and_a_switch_without_failed_requests(place: Place) -> None:
    first, second = place.release(1, 100), place.release(2)
    serving = place.fulfil(first)
    assert serving.endpoint == place.url
    assert planned(of(serving, first), 100) == first, "a plan can be made of what is there"

    with hammering(place.url) as clients:
        place.fulfil(first, second)
        assert set(clients.versions) == {1}, "a candidate without weight gets no client's request"
        before = place.fulfil(replace(first, weight=80), replace(second, weight=20))
        seen = len(clients.versions)
        wait_for(lambda: clients.versions[-200:].count(2) > 10, "answers of the canary")
        wait_for(lambda: len(clients.versions) > seen + 400, "traffic")
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
    """Each request that fails is asked twice more, and every try is counted once."""
    first = place.release(1, 100)
    place.fulfil(first)
    before = place.seen(first)
    for _ in range(5):
        place.score()
    for _ in range(2):
        assert requests.post(f"{place.url}/score", json={"fail": True}, timeout=90).status_code >= 500
    after = place.seen(first)
    assert (after.requests - before.requests, after.errors - before.errors) == (5 + 2 * 3, 2 * 3)


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


def test_the_pull_password_stays_nowhere(place: Place) -> None:
    first = place.release(1, 100)
    place.fulfil(first)
    found = subprocess.run(
        ["grep", "-rlI", PULL_PASSWORD, str(place.host.home)], capture_output=True, text=True, check=False
    )
    assert found.stdout == ""
    assert PULL_PASSWORD not in (place.host.vm.etc / "containers" / "auth.json").read_text(encoding="utf-8")
    assert PULL_PASSWORD not in place.host.podman("inspect", place.container(first))


def test_a_slot_that_an_older_app_made_is_taken_over_without_a_restart(place: Place) -> None:
    """Schema 1, with the container and HAProxy's configuration of that time."""
    first, second = place.release(1, 100, resources=ServingResources()), place.release(2)
    place.fulfil(first)
    slot = place.slot
    raw = {
        "pipeline": slot.pipeline,
        "bind": slot.bind,
        "frontend_port": slot.frontend_port,
        "ports": {colour.value: port for colour, port in slot.ports.items()},
        "active": "blue",
        "live": {"run_id": first.run_id, "image": first.image},
        "previous": None,
        "switches": [],
        "schema": 1,
    }
    (place.host.home / f"serving/{place.pipeline}.json").write_text(json.dumps(raw), encoding="utf-8")
    config = [line for line in place.config().splitlines() if "http-response" not in line]
    (place.host.home / f"serving/conf.d/{place.pipeline}.cfg").write_text(
        "\n".join(config).replace(" weight 100", "") + "\n", encoding="utf-8"
    )
    place.host.stop_haproxy()
    place.host.start_haproxy()
    assert "x-edgetrain-run" not in place.score().headers

    seen = of(place.observe(), first)
    assert (seen.state, seen.weight) == (ReleaseState.HEALTHY, 100)
    with hammering(place.url) as clients:
        place.fulfil(planned(seen, 100), second)
    assert clients.failed == []
    assert place.score().headers["x-edgetrain-run"] == first.run_id
    place.fulfil(replace(second, weight=100))
    assert place.version() == 2
