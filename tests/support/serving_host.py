"""A serving VM for tests: the local stack's sshd, podman and HAProxy, a registry beside it, all gone at the end."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests
from pydantic import SecretStr

from local_stack.registry import distribution
from local_stack.stack_hub import engine
from local_stack.stack_hub.containers import Podman, containers_in, forget_bridges, forget_forwards
from local_stack.stack_hub.haproxy import HaProxy
from local_stack.stack_hub.vm import Vm
from shared.clients.vm_serving.settings import VmSettings
from tests.support.podman import short_folder
from tests.support.scoring_image import ImageRegistry

PROGRAMS = ("podman", "haproxy", "docker-registry", "flock")
PULL_PASSWORD = "canary-pull-password"


def missing_programs() -> str:
    """Why a serving VM cannot run here; empty when it can."""
    missing = [name for name in PROGRAMS if not shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")]
    if not Path("/usr/sbin/sshd").exists():
        missing.append("sshd")
    if os.geteuid() != 0:
        missing.append("root, for containers with published ports")
    return f"a serving VM needs {', '.join(missing)}" if missing else ""


@dataclass
class ServingHost:
    """A running VM. ``target`` is what the app's settings would say of it."""

    vm: Vm
    haproxy: HaProxy
    registry: ImageRegistry
    target: VmSettings
    environment: dict[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.vm.home

    def podman(self, *arguments: str) -> str:
        """The output of a podman command on the VM."""
        result = subprocess.run(
            ["podman", *arguments], env=self.environment, capture_output=True, text=True, check=False, timeout=300
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    def containers(self) -> list[str]:
        """Names of all running containers, sorted."""
        return sorted(self.podman("ps", "--format", "{{.Names}}").split())

    def start_haproxy(self) -> None:
        self._start("haproxy", self.haproxy.command())
        wait_for(lambda: requests.get(self.haproxy.health_url, timeout=2).ok, "HAProxy")

    def stop_haproxy(self) -> None:
        self.stop("haproxy")

    def reboot(self, *, start_containers: bool) -> None:
        """What a reboot does to containers and HAProxy; ``start_containers``: podman-restart.service is enabled."""
        self.stop_haproxy()
        podman = Podman(self.vm.storage, self.vm.engine_runtime, {**os.environ, **self.environment})
        if start_containers:
            podman.boot()
        else:
            podman.halt()
            self.vm.engine_runtime.mkdir(parents=True)
        self.start_haproxy()

    def start_sshd(self) -> None:
        self._start("sshd", self.vm.command())
        wait_for(lambda: _greets(self.vm.port), "sshd")

    def _start(self, name: str, command: Sequence[str]) -> None:
        log = (self.vm.folder / f"{name}.log").open("ab")
        with log:
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log)

    def stop(self, name: str) -> None:
        process = self.processes.pop(name, None)
        if process is not None:
            process.terminate()
            process.wait(timeout=120)


@contextmanager
def running_serving_host(folder: Path) -> Iterator[ServingHost]:
    """A VM below ``folder`` (keep its path short: UNIX sockets lie there) until the ``with`` block ends."""
    with ExitStack() as stack:
        registry = stack.enter_context(running_registry(folder / "registry"))
        runtime = stack.enter_context(short_folder())
        vm = Vm(folder / "vm", runtime, free_port())
        haproxy = HaProxy(vm.etc, vm.home, runtime, free_port())
        configuration = vm.etc / "containers"
        engine.configure_podman(configuration, storage=vm.storage, runtime=vm.engine_runtime, registry=registry.address)
        engine_environment = dict(engine.find(configuration).environment)
        vm.configure(engine_environment, marker={})
        haproxy.configure()
        target = VmSettings(
            address="127.0.0.1",
            port=vm.port,
            username=vm.username,
            private_key=SecretStr(vm.client_key.read_text(encoding="utf-8")),
            host_key=vm.host_key(),
            pull_username=registry.username,
            pull_password=SecretStr(registry.password),
            memory="64m",
        )
        host = ServingHost(vm, haproxy, registry, target, {**vm.environment(), **engine_environment})
        stack.callback(_forget_containers, host)
        for name in ("sshd", "haproxy"):
            stack.callback(host.stop, name)
        host.start_sshd()
        host.start_haproxy()
        yield host


@contextmanager
def running_registry(folder: Path) -> Iterator[ImageRegistry]:
    """A registry below ``folder`` until the ``with`` block ends."""
    address = f"127.0.0.1:{free_port()}"
    distribution.configure(folder, address=address, users={"puller": PULL_PASSWORD}, secret="test")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(distribution.command(folder), stdout=log, stderr=log)
    try:
        wait_for(lambda: requests.get(f"http://{address}/v2/", timeout=2).status_code == 401, "registry")
        yield ImageRegistry(address, "puller", PULL_PASSWORD)
    finally:
        process.terminate()
        process.wait(timeout=120)


def _forget_containers(host: ServingHost) -> None:
    known = containers_in(host.vm.storage)
    host.podman("rm", "--all", "--force", "--time", "0")
    forget_forwards(known)
    forget_bridges(engine.networks_folder(host.vm.engine_configuration))
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()]
    for mount in sorted((mount for mount in mounts if mount.startswith(f"{host.vm.folder.parent}/")), reverse=True):
        subprocess.run(["umount", "--lazy", mount], check=False)
    shutil.rmtree(host.vm.storage)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _greets(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        return connection.recv(4) == b"SSH-"


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except (OSError, requests.RequestException):
            pass
        assert time.monotonic() < deadline, f"{what} is not there after {seconds} s"
        time.sleep(0.05)
