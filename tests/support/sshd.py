"""The local stack's VM without containers: OpenSSH on a free port, a home of its own, keys only."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local_stack.stack_hub.vm import Vm
from tests.support.serving_host import _greets, free_port, wait_for


@dataclass
class SshServer:
    """A running sshd; ``stop`` and ``start`` are for tests of a VM that is away."""

    vm: Vm
    process: subprocess.Popen[bytes] | None = None
    address: str = "127.0.0.1"

    @property
    def port(self) -> int:
        return self.vm.port

    @property
    def username(self) -> str:
        return self.vm.username

    @property
    def home(self) -> Path:
        return self.vm.home

    @property
    def private_key_file(self) -> Path:
        return self.vm.client_key

    @property
    def known_hosts_file(self) -> Path:
        return self.vm.known_hosts

    def start(self) -> None:
        with (self.vm.folder / "sshd.log").open("ab") as log:
            self.process = subprocess.Popen(self.vm.command(), stdout=log, stderr=log)
        wait_for(lambda: _greets(self.port), "sshd")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=120)
            self.process = None


@contextmanager
def running_sshd(folder: Path) -> Iterator[SshServer]:
    """An sshd below ``folder`` until the ``with`` block ends."""
    vm = Vm(folder / "vm", folder / "run", free_port())
    vm.configure({}, marker={})
    server = SshServer(vm)
    server.start()
    try:
        yield server
    finally:
        server.stop()
