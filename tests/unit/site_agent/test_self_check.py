"""What the job says of its own VM, by the files that lie there."""

import base64
import fcntl
import hashlib
import io
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from site_agent.job.guard.signing import make_key
from site_agent.job.installation import Installation
from site_agent.job.self_check import self_check

POLICY = """\
registries: [registry.example]
pipelines:
  digits: {site: factory, containers: [digits], prefixes: [landing/, holdout/]}
limits: {memory: 4g}
"""
PAIR = "puller:a-password"
PIPELINE: dict[str, Any] = {
    "site": "factory",
    "container": "digits",
    "prefix": "landing/",
    "holdout": "holdout/rows.csv",
    "model_format": "safe",
    "seconds": 60,
    "resources": {"memory": "1g", "cpus": 1, "gpus": 0, "disk": "1g"},
}
CONNECTION = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YWFh;BlobEndpoint=http://127.0.0.1:9/a;"
# Podman that has no containers.
ENGINE = "#!/bin/sh\nexit 0\n"


@pytest.fixture
def vm(tmp_path: Path) -> Installation:
    files = {
        "policy.yaml": POLICY,
        "sites/factory.json": json.dumps({"connection_string": CONNECTION}),
        "registries.json": json.dumps(
            {"auths": {"registry.example": {"auth": base64.b64encode(PAIR.encode()).decode()}}}
        ),
        "bin/podman": ENGINE,
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o700 if name == "bin/podman" else 0o600)
    (tmp_path / "site.pem").write_bytes(make_key())
    (tmp_path / "site.pem").chmod(0o600)
    return Installation(
        version="0123456789abcdef",
        home=tmp_path,
        policy=tmp_path / "policy.yaml",
        state=tmp_path / "state",
        sites=tmp_path / "sites",
        signing_key=tmp_path / "site.pem",
        path=f"{tmp_path}/bin:{os.environ['PATH']}",
        registry_auth=tmp_path / "registries.json",
    )


def answer(vm: Installation, *, credentials: str = PAIR, **changes: Any) -> dict[str, Any]:
    question = {
        "registry": "registry.example",
        "credentials": hashlib.sha256(credentials.encode()).hexdigest() if credentials else "",
        "pipelines": {"digits": PIPELINE | changes},
    }
    if not credentials:
        del question["credentials"]
    told: dict[str, Any] = json.loads(self_check(io.BytesIO(json.dumps(question).encode()), vm))
    return told


def test_a_vm_that_is_ready_but_for_the_hub(vm: Installation) -> None:
    told = answer(vm)

    assert told["version"] == "0123456789abcdef"
    assert told["policy"]["state"] == told["registry"]["state"] == told["left"]["state"] == "ok"
    assert told["key"]["said"].startswith("-----BEGIN PUBLIC KEY-----\n")
    assert told["credentials"]["factory"]["state"] == "ok"
    assert told["data"]["digits"]["state"] == "unknown", "nobody answers there"
    assert told["free"] > 0
    assert "password" not in json.dumps(told)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"container": "other"}, "containers"),
        ({"site": "elsewhere"}, "site"),
        ({"prefix": "secret/"}, "prefixes"),
        ({"holdout": "secret/rows.csv"}, "prefixes"),
        ({"model_format": "pickle"}, "pickles"),
        ({"resources": {"memory": "8g", "cpus": 1, "gpus": 0, "disk": "1g"}}, "memory"),
    ],
)
def test_what_the_policy_refuses_is_named(vm: Installation, changes: dict[str, Any], words: str) -> None:
    told = answer(vm, **changes)

    assert told["policy"]["state"] == "wrong"
    assert words in told["policy"]["said"]


def test_a_pipeline_without_a_prefix_is_decided_by_each_run(vm: Installation) -> None:
    assert answer(vm, prefix="")["policy"]["state"] == "ok"


def test_files_that_are_missing_or_open_to_others(vm: Installation) -> None:
    (vm.sites / "factory.json").chmod(0o644)
    vm.signing_key.chmod(0o644)
    assert vm.registry_auth is not None
    vm.registry_auth.chmod(0o644)
    vm.policy.unlink()

    told = answer(vm)

    assert {told[each]["state"] for each in ("policy", "key", "registry")} == {"wrong"}
    assert told["credentials"]["factory"]["state"] == "wrong"
    assert told["data"]["digits"]["state"] == "skipped"


@pytest.mark.parametrize(
    ("text", "credentials", "state"),
    [
        (None, PAIR, "wrong"),
        ("{}", PAIR, "wrong"),
        ('{"auths": {}}', PAIR, "wrong"),
        ('{"auths": {}}', "", "ok"),
        ("same", "another:password", "wrong"),
        ("same", "", "wrong"),
    ],
)
def test_credentials_that_differ(vm: Installation, text: str | None, credentials: str, state: str) -> None:
    assert vm.registry_auth is not None
    if text is None:
        vm.registry_auth.unlink()
    elif text != "same":
        vm.registry_auth.write_text(text, encoding="utf-8")

    assert answer(vm, credentials=credentials)["registry"]["state"] == state


def test_a_vm_that_pulls_without_credentials(vm: Installation) -> None:
    assert answer(replace(vm, registry_auth=None), credentials="")["registry"]["state"] == "ok"


def test_what_dead_jobs_left_is_told_and_what_lives_is_not(vm: Installation) -> None:
    vm.runs.mkdir(parents=True)
    (vm.runs / "alive.lock").touch()
    (vm.runs / "dead.lock").touch()
    (vm.runs / "older").mkdir()
    with (vm.runs / "alive.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        told = answer(vm)

    assert told["left"] == {"state": "wrong", "said": "2: dead, older"}


def test_an_engine_that_does_not_work_is_no_finding_about_what_is_left(vm: Installation) -> None:
    (vm.home / "bin" / "podman").write_text("#!/bin/sh\necho broken >&2\nexit 125\n", encoding="utf-8")

    assert answer(vm)["left"]["state"] == "unknown"


@pytest.mark.parametrize(
    "question", [b"", b"[]", b"{}", b'{"registry": 1}', b"\xff", b'{"registry": "r", "pipelines": 1}']
)
def test_a_question_that_is_none(vm: Installation, question: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of any text
        self_check(io.BytesIO(question), vm)
