"""Whole runs of the job as a process: real podman, registry and blob storage; only Azure ML's run is a recorder."""

import json
from pathlib import Path
from typing import Any

import pytest

from site_agent.job.guard.signing import load_key, verify
from tests.support.job_vm import HOLDOUT, Vm
from tests.support.tiny_training import EVALUATE, RUN, TRAIN, policy_for, rows

CANARY = "4242.4242"


def test_a_run_leaves_a_model_its_metrics_and_a_signed_receipt(vm: Vm) -> None:
    ended = vm.run()

    assert (ended.status, ended.tags) == (0, {}), ended.printed
    assert {"data", "train", "smoke", "evaluate", "guard"} <= set(ended.steps)
    assert vm.left() == {
        "model/model.json",
        "model/smoke.json",
        "metrics.json",
        "receipt.json",
        "receipt.dsse.json",
        "checksums.json",
    }
    assert ended.metrics == json.loads((vm.outputs / "metrics.json").read_text())
    assert 5 < ended.metrics["squared_error"] < 15
    smoke = json.loads((vm.outputs / "model/smoke.json").read_text())
    assert smoke["request"] == {"ages": [30, 60]}
    assert smoke["response"] == [pytest.approx(15, abs=2), pytest.approx(30, abs=2)]
    receipt = vm.receipt()
    key = load_key(vm.installed.home / "edgetrain/keys/site.pem").public_key()
    envelope = json.loads((vm.outputs / "receipt.dsse.json").read_text())
    assert json.loads(verify(envelope, key)) == receipt
    assert {each["container"] for each in receipt["network"]} >= {"train", "smoke", "evaluate"}
    assert all((each["received"], each["sent"]) == (0, 0) for each in receipt["network"])
    assert {each["name"] for each in receipt["released"]} == {"model/model.json", "model/smoke.json", "metrics.json"}
    assert "trained on" not in ended.printed


def test_the_champion_is_evaluated_in_its_own_image_and_compared_row_by_row(vm: Vm) -> None:
    image = vm.push_champion({"slope": 0.0, "intercept": 27.0})

    ended = vm.run(champion={"run_id": "tiny-old-1", "image": image})

    assert ended.status == 0, ended.printed
    found = json.loads((vm.outputs / "champion.json").read_text())
    assert (found["run_id"], found["trouble"]) == ("tiny-old-1", "")
    assert found["metrics"]["squared_error"] > ended.metrics["squared_error"]
    assert ended.metrics["champion.squared_error"] == found["metrics"]["squared_error"]
    assert found["comparison"]["rows"] == 60
    assert found["comparison"]["high"] < 0
    assert {each["container"] for each in vm.receipt()["network"]} >= {"champion"}


def test_a_champion_that_cannot_be_evaluated_fails_no_run(vm: Vm) -> None:
    lost = f"{vm.registry.address}/models/tiny@sha256:{'0' * 64}"

    ended = vm.run(champion={"run_id": "tiny-old-1", "image": lost})

    assert ended.status == 0, ended.printed
    found = json.loads((vm.outputs / "champion.json").read_text())
    assert (found["metrics"], found["comparison"]) == ({}, None)
    assert "has no image" in found["trouble"]


def test_what_training_code_prints_and_raises_stays_on_the_vm(vm: Vm) -> None:
    vm.submit(train_py=f"print('{CANARY}')\nraise ValueError('{CANARY}')\n")

    ended = vm.run()

    assert ended.status == 1
    assert ended.kind == "code"
    assert "ValueError at train.py:2" in ended.reason
    everything = ended.printed + json.dumps(dict(ended.tags)) + "".join(map(_text, vm.outputs.rglob("*")))
    assert CANARY not in everything
    assert vm.left() == {"receipt.json", "receipt.dsse.json", "checksums.json"}
    assert [each["name"] for each in vm.receipt()["released"]] == ["reason"]
    kept = vm.installed.installation.kept / RUN / "logs/train.log"
    assert CANARY in kept.read_text()


def test_training_sees_no_hold_out_and_evaluation_no_data(vm: Vm) -> None:
    look = "import os; assert not os.path.exists('/edgetrain/{}'), os.listdir('/edgetrain')\n"
    vm.submit(
        train_py=look.format("holdout") + TRAIN,
        evaluate_py=look.format("data") + look.format("files.json") + EVALUATE,
        score_py=look.format("data") + look.format("holdout") + "import json\ninit = id\n" + _SCORE,
    )

    assert vm.run().status == 0


_SCORE = "def init(): pass\ndef run(body): return json.loads(body)['ages']\n"


def test_the_next_run_transfers_only_what_is_new(vm: Vm) -> None:
    first = vm.run()
    vm.put({"landing/c.csv": rows(50, seed=4)})
    second = vm.run(run_id="tiny-0123456789ab-2")

    assert (first.status, second.status) == (0, 0)
    assert f"{len(rows(50, seed=4))} of" in second.printed


@pytest.mark.parametrize(
    ("rule", "changes", "order"),
    [
        ("pipelines", {}, {"pipeline": "other"}),
        ("registries", {"registries": ["other.example"]}, {}),
        ("limits.memory", {"limits": {"memory": "128m"}}, {}),
        ("limits.seconds", {"limits": {"seconds": 5}}, {}),
    ],
)
def test_what_the_policy_does_not_allow_is_refused(
    vm: Vm, rule: str, changes: dict[str, Any], order: dict[str, Any]
) -> None:
    vm.allow(**changes)

    ended = vm.run(**order)

    assert (ended.status, ended.kind) == (1, "outside")
    assert f"rule {rule} in ~/edgetrain/policy.yaml" in ended.reason
    assert vm.left() == {"receipt.json", "receipt.dsse.json", "checksums.json"}


def test_without_a_policy_nothing_runs(vm: Vm) -> None:
    vm.installed.policy.unlink()

    ended = vm.run()

    assert (ended.status, ended.kind) == (1, "outside")
    assert "~/edgetrain/policy.yaml" in ended.reason


def test_a_prefix_that_is_not_allowed_is_refused_before_any_transfer(vm: Vm) -> None:
    policy = json.loads(policy_for(vm.registry.address, vm.container))
    policy["pipelines"]["tiny"]["prefixes"] = ["holdout/"]
    vm.installed.write_policy(json.dumps(policy))

    ended = vm.run()

    assert "pipelines.tiny.prefixes" in ended.reason


def test_a_file_with_a_fault_is_the_matter_of_the_data(vm: Vm) -> None:
    vm.put({"landing/c.csv": b"age,dose\n30,x\n"})

    ended = vm.run()

    assert (ended.status, ended.kind) == (1, "data")
    assert "landing/c.csv" in ended.reason


def test_a_file_with_a_fault_is_left_out_and_told(vm: Vm) -> None:
    vm.put({"landing/c.csv": b"age,dose\n30,x\n"})
    data = json.loads(vm.order())["data"] | {"on_bad_file": "leave_out"}

    ended = vm.run(data=data)

    assert ended.status == 0, ended.printed
    assert json.loads(ended.tags["edgetrain.left_out"]) == [{"why": "faulty", "count": 1, "first": ["landing/c.csv"]}]


def test_memory_is_told_with_its_setting(vm: Vm) -> None:
    vm.submit(train_py="x = bytearray(500_000_000)\n")

    ended = vm.run()

    assert ended.kind == "code"
    assert "256m (train.resources.memory)" in ended.reason


def test_a_run_that_takes_too_long_is_ended(vm: Vm) -> None:
    vm.submit(train_py="import time; time.sleep(600)\n")

    ended = vm.run(seconds=8)

    assert "train.running_limit_seconds" in ended.reason


def test_a_model_with_the_rows_in_it_does_not_leave(vm: Vm) -> None:
    steal = "\n(options.model / 'more.json').write_text(json.dumps([[a, d] for a, d in zip(ages, doses)]))\n"
    vm.submit(train_py=TRAIN + steal)

    ended = vm.run()

    assert (ended.status, ended.kind) == (1, "code")
    assert "more.json" in ended.reason
    assert vm.left() == {"receipt.json", "receipt.dsse.json", "checksums.json"}
    assert any(each["result"] == "failed" for each in vm.receipt()["checks"])


def test_what_was_submitted_as_outputs_is_not_taken_for_one(vm: Vm) -> None:
    planted = vm.work / "outputs"
    planted.symlink_to(vm.installed.home / ".config")

    ended = vm.run()

    assert ended.status == 0, ended.printed
    assert not (vm.work / "outputs").is_symlink()


def test_nothing_that_the_cloud_chooses_leads_the_job_astray(vm: Vm) -> None:
    """Variables, the working folder and what lies in it come with the run; programs and settings must not."""
    planted = vm.work / "planted"
    planted.mkdir()
    mark = vm.folder / "planted-ran"
    for program in ("podman", "nsenter", "sh", "cat"):
        (planted / program).write_text(f"#!/bin/sh\ntouch {mark}\nexit 1\n")
        (planted / program).chmod(0o755)
    for module in ("json", "yaml", "numpy", "sitecustomize", "usercustomize"):
        (vm.work / f"{module}.py").write_text(f"open({str(mark)!r}, 'w')\n")
    (vm.work / "site_agent").mkdir()
    (vm.work / "site_agent/__init__.py").write_text(f"open({str(mark)!r}, 'w')\n")
    environment = {
        "PATH": str(planted),
        "PYTHONPATH": str(vm.work),
        "PYTHONSTARTUP": str(vm.work / "json.py"),
        "HOME": str(planted),
        "CONTAINERS_CONF": str(planted / "podman"),
        "CONTAINERS_STORAGE_CONF": str(planted / "podman"),
        "CONTAINER_HOST": "tcp://192.0.2.1:1",
        "HTTP_PROXY": "http://192.0.2.1:1",
        "HTTPS_PROXY": "http://192.0.2.1:1",
        "TMPDIR": str(planted / "none"),
    }

    ended = vm.ended(vm.start(vm.order(), environment))

    assert ended.status == 0, ended.printed
    assert not mark.exists()
    vm.assert_nothing_is_left()


def test_code_with_a_link_is_refused(vm: Vm) -> None:
    (vm.work / "code/key.pem").symlink_to(vm.installed.home / "edgetrain/keys/site.pem")

    ended = vm.run()

    assert ended.kind == "code"
    assert "link" in ended.reason


def test_a_hold_out_that_is_not_there_is_a_matter_of_the_hub(vm: Vm) -> None:
    order = vm.order()
    hub = vm.client.get_container_client(vm.container)
    hub.delete_blob(HOLDOUT)

    assert vm.run(order).kind == "outside"


def test_an_order_that_is_not_understood_is_told(vm: Vm) -> None:
    ended = vm.run('{"schema": 2}')

    assert (ended.status, ended.kind) == (1, "outside")
    assert "prepare-vm" in ended.reason


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
