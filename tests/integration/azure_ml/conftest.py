import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.azure_ml import sdk as calls
from tests.integration.azure_ml.sdk import Sdk
from tests.integration.azure_ml.stand_in import StandIn
from tests.support.sshd import SshServer, running_sshd

TERMINAL = {"Completed", "Failed", "Canceled"}
PATIENCE_SECONDS = 60.0
IN_NO_TIME = ("--attach-seconds", "0")  # the SDK looks every five seconds


@dataclass
class Lab:
    """A stand-in, a VM that is attached to it as ``vm``, and the SDK."""

    azure_ml: StandIn
    vm: SshServer
    sdk: Sdk

    def submit(self, run_id: str, folder: Path, *arguments: str, **how: Any) -> Any:
        return self.sdk(calls.submit, run_id, folder, *arguments, python=sys.executable, **how)

    def attach(self, name: str, vm: SshServer, *, port: int | None = None) -> Any:
        return self.sdk(calls.attach, name, vm.address, port or vm.port, vm.username, vm.private_key_file)

    def reach(self, run_id: str, *statuses: str) -> None:
        """Wait until the run has one of the statuses."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (status := self.sdk(calls.status, run_id)) not in statuses:
            assert status not in TERMINAL, self.sdk(calls.facts, run_id)
            assert time.monotonic() < deadline, f"{run_id} is still {status}"
            time.sleep(0.1)

    def end(self, run_id: str) -> dict[str, Any]:
        """What became of the run."""
        self.reach(run_id, *TERMINAL)
        found: dict[str, Any] = self.sdk(calls.facts, run_id)
        return found

    def cut_off_vm(self) -> None:
        """Stop the VM's sshd and break the connections it has; what runs on the VM goes on."""
        assert self.vm.process is not None
        pid = self.vm.process.pid
        connections = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
        self.vm.stop()
        for connection in connections:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(connection), signal.SIGKILL)

    def leftovers(self) -> list[str]:
        folder = self.vm.home / "azureml"
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


@pytest.fixture(scope="package")
def vm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    if not Path("/usr/sbin/sshd").exists():
        pytest.skip("needs OpenSSH's server: apt-get install openssh-server")
    with running_sshd(tmp_path_factory.mktemp("vm")) as server:
        yield server
        for process in server.home.glob("azureml/*/process"):  # of tests that did not come to their end
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(process.read_text(encoding="utf-8").split()[0]), signal.SIGKILL)


@contextmanager
def running_lab(folder: Path, vm: SshServer) -> Iterator[Lab]:
    home = folder / "home"
    home.mkdir()
    azure_ml = StandIn(
        folder, ("--known-hosts", str(vm.known_hosts_file), "--vm-patience", "2", "--pace", "0.1", *IN_NO_TIME)
    )
    with ExitStack() as stack:
        azure_ml.start()
        stack.callback(azure_ml.stop)
        sdk = Sdk(azure_ml.endpoints, home)
        stack.callback(sdk.close)
        lab = Lab(azure_ml, vm, sdk)
        lab.attach("vm", vm)
        yield lab
        assert sdk(calls.strangers) == []


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory, vm: SshServer) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("azure-ml"), vm) as opened:
        yield opened


@pytest.fixture
def own_lab(tmp_path: Path, vm: SshServer) -> Iterator[Lab]:
    """One whose stand-in a test may kill, and whose VM it may cut off."""
    with running_lab(tmp_path, vm) as opened:
        yield opened
        if vm.process is None:
            vm.start()


@pytest.fixture
def source(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a source folder with this ``job.py``."""

    def make(script: str) -> Path:
        folder = tmp_path / "source"
        folder.mkdir(exist_ok=True)
        (folder / "job.py").write_text(script, encoding="utf-8")
        return folder

    return make
