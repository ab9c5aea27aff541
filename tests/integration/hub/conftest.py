import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from infra.hub.custom_data import VmPlan, files
from shared.settings import Compute
from tests.support.hub_root import HubRoot, hub_root, missing_for_a_root
from tests.support.serving_host import _greets, free_port, wait_for

POLICY = """\
registries: [registry.example]
pipelines:
  breast-cancer: {site: factory, containers: [breast-cancer], prefixes: [landing/, holdout/]}
"""
TRAINING, SERVING = "edgetrain", "edgetrain-serving"


@dataclass
class PreparedVm:
    """A prepared root with its SSH server. ``offline``: what was said before the VM had a package mirror."""

    root: HubRoot
    keys: Path
    offline: subprocess.CompletedProcess[str]
    first: subprocess.CompletedProcess[str]
    port: int

    def host(self, user: str, key: str) -> Compute:
        shown = self.root.shell("cat /etc/ssh/ssh_host_ed25519_key.pub")
        private = SecretStr((self.keys / key).read_text())
        return Compute(
            address="127.0.0.1", port=self.port, username=user, private_key=private, host_key=shown, home=home_of(user)
        )


def home_of(user: str) -> str:
    return f"/srv/edgetrain/{user}"


def new_key(folder: Path, name: str) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    return (folder / f"{name}.pub").read_text()


@pytest.fixture(scope="session")
def vm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PreparedVm]:
    """Prepared by the files of the custom data; the first time without a network, as it happens."""
    if reason := missing_for_a_root():
        pytest.skip(reason)
    keys = tmp_path_factory.mktemp("keys")
    plan = VmPlan(
        training_key=new_key(keys, "training"),
        serving_key=new_key(keys, "serving"),
        policy=POLICY,
        data_disk="none",
    )
    with hub_root() as root:
        root.lay(files(plan))
        # Only to be quicker: no second tries without a network, no index of manual pages.
        root.at("etc/apt/apt.conf.d/99once").write_text('Acquire::Retries "0";')
        root.at("var/lib/man-db/auto-update").unlink(missing_ok=True)
        offline = root.provision(network=False)
        first = root.provision()
        assert first.returncode == 0, first.stderr
        with ssh_server(root) as port:
            yield PreparedVm(root, keys, offline, first, port)


@contextmanager
def ssh_server(root: HubRoot) -> Iterator[int]:
    """The system's own SSH server with the system's own configuration, on a port of the loopback."""
    port = free_port()
    root.shell("ssh-keygen -A; mkdir -p /run/sshd")
    command = root.command("/usr/sbin/sshd", "-D", "-e", "-o", f"ListenAddress=127.0.0.1:{port}")
    with (root.folder / "sshd.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for(lambda: _greets(port), "sshd")
        yield port
    finally:
        process.terminate()
        process.wait(timeout=120)
