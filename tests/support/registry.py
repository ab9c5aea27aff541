"""A real registry (Distribution) for a test: a free loopback port, ready when it answers, stopped by its process id."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import bcrypt
import requests
import yaml

from shared.clients.container_registry import ContainerRegistryClient
from shared.clients.registry_login import PasswordLogin
from tests.support.azurite import _free_port as free_port

PROGRAM = "docker-registry"
USERNAME = "edgetrain"
START_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class RunningRegistry:
    """``data`` is where its files lie."""

    url: str
    data: Path
    username: str = ""
    password: str = field(default="", repr=False)

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    def client(self) -> ContainerRegistryClient:
        login = PasswordLogin(self.url, self.username, self.password) if self.username else None
        return ContainerRegistryClient(self.url, login)


@contextmanager
def running_registry(
    directory: Path, *, password: str | None = None, port: int | None = None
) -> Iterator[RunningRegistry]:
    """Run Distribution with its files below ``directory``; with a password, only ``USERNAME`` with it may come in."""
    directory.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    config, log = directory / "config.yml", directory / "registry.log"
    config.write_text(yaml.safe_dump(_config(directory, port, password)), encoding="utf-8")
    with log.open("wb") as output:
        process = subprocess.Popen([PROGRAM, "serve", str(config)], stdout=output, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(process, url, log)
        yield RunningRegistry(url, directory / "data", USERNAME if password else "", password or "")
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _config(directory: Path, port: int, password: str | None) -> dict[str, object]:
    config: dict[str, object] = {
        "version": "0.1",
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(directory / "data")}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port}", "relativeurls": True},
    }
    if password is not None:
        # It checks the password anew at every request, so the cost is the least that bcrypt knows.
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode("ascii")
        users = directory / "htpasswd"
        users.write_text(f"{USERNAME}:{hashed}\n", encoding="ascii")
        config["auth"] = {"htpasswd": {"realm": "local", "path": str(users)}}
    return config


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if requests.get(f"{url}/v2/", timeout=5).status_code in {200, 401}:
                return
        except requests.ConnectionError:
            pass
        if process.poll() is not None:
            raise RuntimeError(f"{PROGRAM} ended with status {process.returncode}: {log.read_bytes()[-2000:]!r}")
        time.sleep(0.02)
    raise TimeoutError(f"{PROGRAM} was not ready within {START_SECONDS:g} s: {log.read_bytes()[-2000:]!r}")
