"""A fresh Debian, with its own cloud-init and the job's real libraries. Takes minutes and a mirror."""

import subprocess
from pathlib import Path

import pytest

from cli.job_installation import job_source
from infra.hub.custom_data import Download, VmPlan, custom_data
from infra.hub.job_bundle import write_bundle
from tests.integration.hub.conftest import POLICY, TRAINING, home_of, new_key
from tests.support.cloud_init import boot, reach_what_the_machine_reaches, seed
from tests.support.hub_root import hub_root, missing_for_a_root

pytestmark = pytest.mark.on_demand
ROOT = Path(__file__).resolve().parents[3]
INCLUDED = "ca-certificates,cloud-init,locales,openssh-server,python3,systemd-sysv"  # what an image for Azure has


def test_cloud_init_lays_the_files_and_the_vm_prepares_itself_with_the_job(tmp_path: Path) -> None:
    if reason := missing_for_a_root("mmdebstrap"):
        pytest.skip(reason)
    debian = tmp_path / "debian"
    made = ["mmdebstrap", "--variant=apt", "--skip=check/empty", "--dpkgopt=force-unsafe-io", f"--include={INCLUDED}"]
    subprocess.run([*made, "bookworm", str(debian)], check=True, capture_output=True, timeout=1200)
    with hub_root(debian) as root:
        bundle = write_bundle(job_source(ROOT), root.at("job.tar"))
        plan = VmPlan(
            training_key=new_key(tmp_path, "training"),
            serving_key=new_key(tmp_path, "serving"),
            policy=POLICY,
            data_disk="none",
            job=Download(url="file:///job.tar", sha256=bundle.sha256),
            job_key=bundle.key,
        )
        seed(root, custom_data(plan))
        boot(root)
        reach_what_the_machine_reaches(root)

        prepared = root.provision()
        assert prepared.returncode == 0, prepared.stderr
        assert f"installed the job {bundle.key}" in prepared.stdout
        job = f"{home_of(TRAINING)}/edgetrain/job/current/bin/python -I -m site_agent.job"
        shown = root.shell(f"runuser -u {TRAINING} -- {job} key; runuser -u {TRAINING} -- {job} --help")
        assert "BEGIN PUBLIC KEY" in shown
        units = "haproxy-edgetrain edgetrain-provision haproxy"
        assert root.shell(f"systemctl is-enabled {units} || true").split() == ["enabled", "enabled", "masked"]
        assert "ready, 0 changes" in root.provision().stdout
