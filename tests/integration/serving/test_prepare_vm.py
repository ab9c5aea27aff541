"""``cli.prepare_vm`` against a real VM."""

import base64
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from cli.job_installation import JobSource
from cli.prepare_vm import NotPreparedError, prepare
from cli.vm_slot import ensure_slot
from shared.clients.ssh import connected
from shared.clients.vm_reboot import tell_what_a_reboot_takes
from shared.errors import Code, PermanentError
from shared.pipelines import Pipeline, Train
from shared.serving.slots import parse_slot
from shared.settings import AzureMl, Compute, ContainerRegistry, Settings, TargetSettings
from tests.support.arrivals import EVALUATE, train_command
from tests.support.serving_host import ServingHost

ROOT = Path(__file__).resolve().parents[3]


MAIN = """
import sys
import probe

if sys.argv[1] == "key":
    print("-----BEGIN PUBLIC KEY-----")
"""


@pytest.fixture
def app_root(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def source(tmp_path: Path) -> JobSource:
    """A job of a few lines, whose lock names one small wheel."""
    wheel = tmp_path / "probe-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("probe.py", "ANSWER = 42\n")
        archive.writestr("probe-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: probe\nVersion: 1.0\n")
        archive.writestr("probe-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("probe-1.0.dist-info/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    files = {"__init__.py": b"", "job/__init__.py": b"", "job/__main__.py": MAIN.encode()}
    return JobSource(files=files, lock=f"probe @ file://{wheel} --hash=sha256:{digest}\n")


def settings_for(host: ServingHost, app_root: Path) -> Settings:
    compute = Compute.model_validate({**host.target.model_dump(include=set(Compute.model_fields))})
    azure_ml = AzureMl(
        tenant_id="t", client_id="c", client_secret="s", subscription_id="s", resource_group="g", workspace="w"
    )
    return Settings(
        AzureWebJobsStorage="UseDevelopmentStorage=true",
        app_root=app_root,
        sites={},
        computes={"gpu": compute},
        targets={"vm": TargetSettings.model_validate(host.target.model_dump())},
        azure_ml=azure_ml,
        container_registry=ContainerRegistry(url="http://127.0.0.1:1"),
    )


def a_pipeline(name: str) -> Pipeline:
    return Pipeline.model_validate(
        {
            "name": name,
            "data": {"site": "factory", "container": name, "holdout": "h.csv", "format": "files"},
            "train": {"folder": "probe", "compute": "gpu", "command": train_command()},
            "evaluate": {"command": EVALUATE},
            "judge": {"metric": "auc", "floor": 0.5},
            "deliver": {"model": name, "targets": [{"name": "vm"}]},
        }
    )


def test_prepare_twice(host: ServingHost, app_root: Path, source: JobSource) -> None:
    lines: list[str] = []
    settings = settings_for(host, app_root)
    pipelines = [a_pipeline("first"), a_pipeline("second")]

    prepare(pipelines, settings, source=source, say=lines.append)

    jobs = host.home / "edgetrain" / "job"
    python = jobs / "current" / "bin" / "python"
    answer = subprocess.run([python, "-I", "-c", "import probe; print(probe.ANSWER)"], capture_output=True, check=True)
    assert answer.stdout == b"42\n"
    assert (jobs / "current").readlink() == Path(source.key)
    assert json.loads((jobs / "installation.json").read_text(encoding="utf-8"))["home"] == str(host.home)
    assert sum("installing" in line for line in lines) == 1, "one VM, however many pipelines train there"
    slots = [(host.home / f"serving/{name}.json").read_text(encoding="utf-8") for name in ("first", "second")]
    assert all(parse_slot(text).live is None for text in slots)

    before = (jobs / source.key).stat().st_mtime_ns
    again: list[str] = []
    prepare(pipelines, settings, source=source, say=again.append)

    assert (jobs / source.key).stat().st_mtime_ns == before
    assert [(host.home / f"serving/{name}.json").read_text(encoding="utf-8") for name in ("first", "second")] == slots
    assert not [line for line in again if "HAProxy has loaded" in line]


def test_the_vm_pulls_with_the_user_that_may_not_push(host: ServingHost, app_root: Path, source: JobSource) -> None:
    settings = settings_for(host, app_root)

    prepare([a_pipeline("first")], settings, source=source, serving=False, say=lambda line: None)

    auths = json.loads((host.home / "edgetrain/keys/registries.json").read_text(encoding="utf-8"))["auths"]
    pair = f"{host.target.pull_username}:{host.target.pull_password.get_secret_value()}"
    assert base64.b64decode(auths["127.0.0.1:1"]["auth"]).decode() == pair


def test_one_that_cannot_be_prepared_stops_none_of_the_others_and_is_named(
    host: ServingHost, app_root: Path, source: JobSource
) -> None:
    elsewhere = Train(folder="probe", compute="nowhere", command=train_command())
    lost = a_pipeline("lost").model_copy(update={"train": elsewhere})
    garbled = PermanentError("garbled.yaml: not valid YAML", code=Code.BAD_PIPELINE)

    with pytest.raises(NotPreparedError) as caught:
        prepare(
            [lost, a_pipeline("whole")],
            settings_for(host, app_root),
            source=source,
            say=lambda line: None,
            broken={"garbled": garbled},
        )

    lines = str(caught.value).splitlines()
    assert lines[0].startswith("pipeline garbled ")
    assert lines[1].startswith("pipeline lost ")
    assert "EDGETRAIN_COMPUTES__NOWHERE__" in lines[1]
    assert len(lines) == 2
    assert (host.home / "serving/whole.json").is_file()


def test_the_tool_prepares_the_good_ones_of_a_folder_and_ends_as_failed(host: ServingHost, app_root: Path) -> None:
    (app_root / "pipelines").mkdir()
    good = a_pipeline("good").model_dump(mode="json", exclude_defaults=True)
    (app_root / "pipelines" / "good.yaml").write_text(json.dumps(good), encoding="utf-8")
    (app_root / "pipelines" / "bad.yaml").write_text("name: [", encoding="utf-8")
    (app_root / "pipelines" / "misnamed.yml").write_text("", encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "cli", "prepare-vm", "--all", "--only", "serving"],
        cwd=ROOT,
        env={**os.environ, **environment_for(host, app_root)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "bad.yaml" in done.stderr
    assert "misnamed.yml" in done.stderr
    assert (host.home / "serving/good.json").is_file()


def environment_for(host: ServingHost, app_root: Path) -> dict[str, str]:
    target = host.target
    ssh = {
        "ADDRESS": target.address,
        "PORT": str(target.port),
        "USERNAME": target.username,
        "PRIVATE_KEY": target.private_key.get_secret_value(),
        "HOST_KEY": target.host_key,
    }
    azure_ml = ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET", "SUBSCRIPTION_ID", "RESOURCE_GROUP", "WORKSPACE")
    return {
        "AzureWebJobsStorage": "UseDevelopmentStorage=true",
        "EDGETRAIN_APP_ROOT": str(app_root),
        "EDGETRAIN_SITES__FACTORY__CONNECTION_STRING": "none",
        "EDGETRAIN_CONTAINER_REGISTRY__URL": "http://127.0.0.1:1",
        **{f"EDGETRAIN_COMPUTES__GPU__{name}": value for name, value in ssh.items()},
        **{f"EDGETRAIN_TARGETS__VM__{name}": value for name, value in ssh.items()},
        **{f"EDGETRAIN_AZURE_ML__{name}": "none" for name in azure_ml},
    }


def test_a_job_that_cannot_be_installed_leaves_what_was_there(
    host: ServingHost, app_root: Path, source: JobSource
) -> None:
    lock = "probe @ file:///nowhere/probe-1.0-py3-none-any.whl --hash=sha256:00\n"
    settings = settings_for(host, app_root)
    prepare([a_pipeline("first")], settings, source=source, serving=False, say=lambda line: None)

    with pytest.raises(NotPreparedError, match="cannot be installed"):
        prepare(
            [a_pipeline("first")],
            settings,
            source=replace(source, lock=lock),
            serving=False,
            say=lambda line: None,
        )

    jobs = host.home / "edgetrain" / "job"
    assert (jobs / "current").readlink() == Path(source.key)
    assert not list(jobs.glob(".building-*"))


def test_a_configuration_that_haproxy_refuses_does_not_stay(host: ServingHost) -> None:
    with connected(host.target) as session:
        slot = ensure_slot(session, "refused", say=lambda line: None)
        text = json.loads((host.home / "serving/refused.json").read_text(encoding="utf-8"))
        session.write_text("serving/refused.json", json.dumps({**text, "bind": "not an address"}))
        config = (host.home / "serving/conf.d/refused.cfg").read_text(encoding="utf-8")

        with pytest.raises(PermanentError, match="reload-haproxy failed"):
            ensure_slot(session, "refused", say=lambda line: None)

        assert (host.home / "serving/conf.d/refused.cfg").read_text(encoding="utf-8") == config
        session.write_text("serving/refused.json", json.dumps(text))
        assert ensure_slot(session, "refused", say=lambda line: None) == slot


def test_what_a_reboot_takes_is_said(host: ServingHost) -> None:
    programs = {
        "systemctl": 'case "$*" in *running*) echo running ;; *restart*) echo disabled ;; *) echo haproxy ;; esac',
        "loginctl": "echo no",
    }
    for name, text in programs.items():
        path = host.home / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o700)
    said: list[str] = []
    try:
        with connected(host.target) as session:
            tell_what_a_reboot_takes(session, say=said.append)
            (host.home / "bin/systemctl").write_text("#!/bin/sh\necho offline; exit 1\n", encoding="utf-8")
            tell_what_a_reboot_takes(session, say=said.append)
    finally:
        for name in programs:
            (host.home / "bin" / name).unlink()
    assert len(said) == 2
    assert "systemctl enable --now podman-restart.service" in said[0]
    assert "no systemd runs there" in said[1]
