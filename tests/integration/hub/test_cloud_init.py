"""cloud-init reads the VM's custom data: run for real above the machine's own Debian, at a first boot and a second."""

import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from infra.hub.custom_data import Download, VmPlan, custom_data, files
from tests.integration.hub.conftest import POLICY, new_key
from tests.support.cloud_init import HOSTNAME, OWN_FOLDERS, boot, seed, why_not_installed
from tests.support.hub_root import HubRoot, hub_root, missing_for_a_root

pytestmark = pytest.mark.long
SIGNATURE = "sig=canary-of-a-signature"
AS_NOBODY = ("runuser", "-u", "nobody", "--")
CALLS = "/run/systemctl.calls"
RECORDER = f'#!/bin/sh\necho "$*" >> {CALLS}\nexec /usr/bin/systemctl "$@"\n'


@dataclass(frozen=True)
class BootedVm:
    """``document``: the custom data that it booted with once."""

    root: HubRoot
    plan: VmPlan
    document: str

    def calls(self) -> list[str]:
        """What was asked of systemd since these were read before."""
        return self.root.shell(f"cat {CALLS} 2>/dev/null || true; rm -f {CALLS}").splitlines()


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BootedVm]:
    if reason := missing_for_a_root():
        pytest.skip(reason)
    keys = tmp_path_factory.mktemp("keys")
    plan = VmPlan(
        training_key=new_key(keys, "training"),
        serving_key=new_key(keys, "serving"),
        policy=POLICY,
        job=Download(url=f"https://hub.example/job.tar?{SIGNATURE}", sha256="0" * 64),
        job_key="key",
    )
    document = custom_data(plan)
    with hub_root() as root:
        if reason := why_not_installed(root):
            pytest.skip(reason)
        recorder = root.at("usr/local/sbin/systemctl")
        recorder.write_text(RECORDER)
        recorder.chmod(0o755)
        seed(root, document)
        boot(root)
        yield BootedVm(root, plan, document)


def test_every_file_is_there_with_its_mode_owner_and_content(booted: BootedVm) -> None:
    for each in files(booted.plan):
        file = booted.root.at(each.path)
        about = file.lstat()
        assert stat.S_ISREG(about.st_mode), each.path
        assert (stat.S_IMODE(about.st_mode), about.st_uid, about.st_gid) == (each.mode, 0, 0), each.path
        assert file.read_bytes() == each.content, each.path


def test_nobody_but_root_reads_the_signature_of_the_job(booted: BootedVm) -> None:
    laid = {each["path"]: each["content"] for each in yaml.safe_load(booted.document)["write_files"]}
    secrets = [SIGNATURE.encode(), laid["/etc/edgetrain/hub.env"].encode()]  # plain, and as the document has it
    regular = [name for name, (mode, *_) in booted.root.state().items() if stat.S_ISREG(mode)]
    holding = [name for name in regular if holds(booted.root.upper / name, secrets)]
    assert {"etc/edgetrain/hub.env", "var/lib/cloud/seed/nocloud/user-data"} <= set(holding)
    readable = [name for name in holding if booted.root.run(*AS_NOBODY, "cat", f"/{name}").returncode == 0]
    assert readable == []


def test_the_service_is_enabled_and_started(booted: BootedVm) -> None:
    ours = [call for call in booted.calls() if call == "daemon-reload" or "edgetrain" in call]
    unit = "edgetrain-provision.service"
    assert ours == ["daemon-reload", f"enable {unit}", f"start {unit}"]
    assert booted.root.shell(f"systemctl is-enabled {unit}") == "enabled\n"
    verified = booted.root.run("systemd-analyze", "verify", f"/etc/systemd/system/{unit}")
    assert verified.returncode == 0, verified.stderr
    assert unit not in verified.stderr


def test_ssh_takes_no_passwords_from_the_first_boot_on(booted: BootedVm) -> None:
    booted.root.shell("mkdir -p /run/sshd")
    assert "passwordauthentication no" in booted.root.shell("sshd -T").splitlines()


def test_the_name_is_the_vms_alone(booted: BootedVm) -> None:
    assert booted.root.shell("cat /etc/hostname; uname -n").split() == [HOSTNAME, HOSTNAME]


def test_a_second_boot_changes_nothing(booted: BootedVm) -> None:
    booted.root.settle("DATA_DISK", "none")  # as its operator may have done
    booted.calls()
    before = lasting(booted.root)

    boot(booted.root)

    assert lasting(booted.root) == before
    assert [call for call in booted.calls() if "edgetrain" in call] == []


def holds(file: Path, secrets: Sequence[bytes]) -> bool:
    content = file.read_bytes()
    return any(secret in content for secret in secrets)


def lasting(root: HubRoot) -> dict[str, tuple[int, int, int, str]]:
    """What was changed in it outside of the places where cloud-init notes each boot."""
    return {
        name: about
        for name, about in root.state().items()
        if not any(f"{name}/".startswith(f"{folder}/") for folder in OWN_FOLDERS)
    }
