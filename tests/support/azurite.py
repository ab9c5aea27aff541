"""A real Azurite for a test: free loopback ports, ready when it says so, stopped by its process id."""

import os
import secrets
import signal
import socket
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

Service = Literal["blob", "queue", "table"]

PACKAGE = Path(__file__).resolve().parents[2] / "local_stack" / "node_modules" / "azurite"
PORTS_TRIED = 5
START_SECONDS = 180.0  # Node loads several hundred modules; generous, because test machines are busy
_READY = (b"successfully listens on", b"successfully started on")  # blob and queue say the one, table the other
_ENDPOINT_NAMES: Mapping[Service, str] = {"blob": "BlobEndpoint", "queue": "QueueEndpoint", "table": "TableEndpoint"}


def a_storage_key() -> str:
    """A fresh account key in the form that Azure Storage uses."""
    return b64encode(secrets.token_bytes(64)).decode("ascii")


@contextmanager
def running_azurite(
    directory: Path,
    *,
    services: Sequence[Service] = ("blob", "table"),
    accounts: Mapping[str, str] | None = None,
    tls: tuple[Path, Path] | None = None,
) -> Iterator[dict[str, str]]:
    """Run Azurite with its files below ``directory``; yields account name -> connection string.

    ``accounts`` maps names to keys; by default one account ``testaccount`` with a fresh key. ``tls``: certificates and
    key; then it takes tokens too (``--oauth basic``: audience, issuer and time are checked, not the signature).
    """
    keys = dict(accounts) if accounts is not None else {"testaccount": a_storage_key()}
    with ExitStack() as stack:
        addresses = {service: stack.enter_context(_running(service, directory, keys, tls)) for service in services}
        yield {name: _connection_string(name, key, addresses) for name, key in keys.items()}


@contextmanager
def _running(
    service: Service, directory: Path, keys: Mapping[str, str], tls: tuple[Path, Path] | None
) -> Iterator[str]:
    program = PACKAGE / "dist" / "src" / service / "main.js"
    if not program.is_file():
        raise FileNotFoundError("Azurite is not installed: run `npm ci` in local_stack/")
    directory.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"AZURITE_ACCOUNTS": ";".join(f"{name}:{key}" for name, key in keys.items())}
    log = directory / f"{service}.log"
    for _ in range(PORTS_TRIED):
        port = _free_port()  # given port 0, the table service never says which one it got
        command = ["node", str(program), "--location", str(directory / service), f"--{service}Host", "127.0.0.1"]
        command += [f"--{service}Port", str(port), "--disableTelemetry", "--skipApiVersionCheck"]
        command += ["--oauth", "basic", "--cert", str(tls[0]), "--key", str(tls[1])] if tls else []
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        if not _lost_its_port(process, log):
            break
    try:
        _wait_until_ready(process, log)  # at once, unless every port was lost
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)  # on SIGTERM, some of its programs end without saving
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:  # it waits for open connections to end
            process.kill()
            process.wait()


def _lost_its_port(process: subprocess.Popen[bytes], log: Path) -> bool:
    """Whether another process took the port before Azurite listened on it; returns once that is known."""
    try:
        _wait_until_ready(process, log)
    except RuntimeError:
        if b"EADDRINUSE" in log.read_bytes():
            return True
        raise
    except BaseException:  # a time-out, or Ctrl-C: nobody else ends it yet
        process.kill()
        process.wait()
        raise
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        text = log.read_bytes()
        if any(sentence in text for sentence in _READY):
            return
        if process.poll() is not None:
            raise RuntimeError(f"Azurite ended with status {process.returncode}: {text[-2000:]!r}")
        time.sleep(0.02)
    raise TimeoutError(f"Azurite was not ready within {START_SECONDS:g} s: {log.read_bytes()[-2000:]!r}")


def _connection_string(account: str, key: str, addresses: Mapping[Service, str]) -> str:
    endpoints = ";".join(f"{_ENDPOINT_NAMES[service]}={url}/{account}" for service, url in addresses.items())
    scheme = next(iter(addresses.values())).partition(":")[0]
    return f"DefaultEndpointsProtocol={scheme};AccountName={account};AccountKey={key};{endpoints};"
