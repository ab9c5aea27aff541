"""Faults that tests and demonstrations inject, and VMs that are not who they were."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from tests.integration.azure_ml import sdk as calls
from tests.integration.azure_ml.conftest import Lab
from tests.integration.azure_ml.stand_in import StandIn
from tests.support.sshd import running_sshd

Source = Callable[[str], Path]


def test_a_fault_strikes_as_often_as_it_was_asked_to_and_ends_when_it_is_cleared(lab: Lab) -> None:
    azure_ml, token = lab.azure_ml, lab.azure_ml.token()
    models = azure_ml.service("modelmanagement/v1.0") + "/models"

    def answers(times: int) -> list[int]:
        return [azure_ml.request("GET", models, token=token).status_code for _ in range(times)]

    azure_ml.fault("/models$", status=503, count=2)
    assert answers(3) == [503, 503, 200]
    azure_ml.fault("/models$", status=429)
    azure_ml.fault("/models$", delay=0.3, count=1)
    assert answers(1) == [429]
    azure_ml.clear_faults()
    azure_ml.fault("/models$", delay=0.3, count=1)
    began = time.monotonic()
    assert answers(1) == [200]
    assert time.monotonic() - began >= 0.3
    azure_ml.fault("/models$", status=500, seconds=0)
    assert answers(1) == [200]
    azure_ml.fault("/models$", delay=1000)
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(answers, 1) for _ in range(3)]
        assert wait(waiting, timeout=1).done == set()
        azure_ml.clear_faults()
        assert [each.result(60) for each in waiting] == [[200]] * 3


def test_faults_need_their_key_and_a_pattern(lab: Lab) -> None:
    fault = {"path": "/models$", "status": 500}
    refused = lab.azure_ml.request("POST", "/_faults", json=fault)
    wrong = lab.azure_ml.request("DELETE", "/_faults", headers={"x-faults-key": "wrong"})
    key = {"x-faults-key": lab.azure_ml.endpoints["faults_key"]}
    pattern = lab.azure_ml.request("POST", "/_faults", headers=key, json=fault | {"path": "("})

    assert [refused.status_code, wrong.status_code, pattern.status_code] == [401, 401, 400]


def test_the_sdk_rides_out_a_short_outage(lab: Lab, source: Source) -> None:
    lab.submit("outage-1", source("print('done')"))
    lab.end("outage-1")

    lab.azure_ml.fault("/runs/outage-1$", status=503, count=1)

    assert lab.sdk(calls.status, "outage-1") == "Completed"


def test_without_known_hosts_a_vm_is_trusted_at_first_sight_and_not_when_it_changes(
    tmp_path: Path, lab: Lab, source: Source
) -> None:
    azure_ml = StandIn(tmp_path, ("--vm-patience", "2"))
    azure_ml.start()
    home = tmp_path / "home"
    home.mkdir()
    sdk = calls.Sdk(azure_ml.endpoints, home)
    try:
        with running_sshd(tmp_path / "host") as vm:
            own = Lab(azure_ml, vm, sdk)
            own.attach("vm", vm)
            own.submit("first-1", source("print('done')"))
            assert own.end("first-1")["status"] == "Completed"

            vm.stop()
            for key in (vm.vm.folder / "keys").glob("host*"):
                key.unlink()
            vm.vm.configure({}, marker={})
            vm.start()
            own.submit("second-1", source("print('never')"))
            end = own.end("second-1")

        assert end["status"] == "Failed"
        assert "does not match" in end["error"]
        assert azure_ml.trainings("second-1") == 0
    finally:
        sdk.close()
        azure_ml.stop()
