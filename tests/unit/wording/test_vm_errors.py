"""What goes wrong on a VM, by SSH, as the clients say it."""

import io
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import paramiko
import pytest
from cryptography.hazmat.primitives.serialization import PrivateFormat
from pydantic import SecretStr

from shared.clients import ssh_login
from shared.clients.serving_vm import ServingVm
from shared.clients.ssh import Finished, SshSession
from shared.clients.vm_containers import ContainerEngine
from shared.clients.vm_serving.settings import VmSettings
from shared.serving.containers import ContainerSpec
from shared.serving.slots import Colour
from shared.settings import SshHost
from tests.support.golden import compare
from tests.unit.clients import test_ssh_keys as keys
from tests.unit.wording.canned import error_of, raising

DIGEST = f"sha256:{'0' * 64}"
LABEL = "SSH to vm.example:22"
MARK = "m" * 32


class ScriptedVm(SshSession):
    """Answers every command alike."""

    def __init__(self, status: int = 0, stdout: bytes = b"", stderr: str = "") -> None:
        super().__init__(SimpleNamespace(get_transport=lambda: None), LABEL)  # type: ignore[arg-type]
        self.finished = Finished(status, stdout, stderr)

    def run(self, command: Any, *, stdin: bytes = b"", timeout: float = 30.0) -> Finished:
        del stdin, timeout
        if command == ["sh", "-c", command[2] if len(command) > 2 else "", "sh"]:  # which engine there is
            return Finished(0, b"podman", "")
        return self.finished


class Channel:
    """The channel of one command that printed this, and ended with status 0 or 1."""

    def __init__(self, printed: bytes, status: int) -> None:
        self.printed, self.status, self.status_event = printed, status, SimpleNamespace(wait=lambda _: True)

    def recv(self, _: int) -> bytes:
        printed, self.printed = self.printed, b""
        return printed

    def recv_stderr(self, _: int) -> bytes:
        return b""

    def recv_exit_status(self) -> int:
        return self.status

    def ignored(self, *_: object) -> None:
        pass

    settimeout = exec_command = sendall = shutdown_write = close = ignored


def answering(status: int | None, *, begins: bool = True) -> SshSession:
    """A session whose commands end with this status; None: their answer is cut."""
    end = b"" if status is None else f"\n{MARK} {status}\n".encode()
    channel = Channel(f"{MARK}\n".encode() + end if begins else b"This account is not available.", int(not begins))
    transport = SimpleNamespace(is_active=lambda: True, open_session=lambda **_: channel, get_username=lambda: "edge")
    return SshSession(SimpleNamespace(get_transport=lambda: transport), LABEL)  # type: ignore[arg-type]


def locked(status: int) -> Callable[[], None]:
    """Lock a file; the locking program ends with this status instead of holding the lock."""

    def lock() -> None:
        with answering(status).lock("serving/locks/pumps"):
            pass

    return lock


TARGET = VmSettings(
    address="vm.example",
    username="edge",
    private_key=SecretStr(""),
    pull_username="puller",
    pull_password=SecretStr("x"),
)


def an_engine(status: int = 0, stdout: bytes = b"", stderr: str = "") -> ContainerEngine:
    return ContainerEngine(ScriptedVm(status, stdout, stderr), pull_username="", pull_password="")


def a_vm(status: int = 0, stdout: bytes = b"", stderr: str = "") -> ServingVm:
    return ServingVm(ScriptedVm(status, stdout, stderr), TARGET)


def test_the_serving_vm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.clients.ssh_frames.secrets.token_hex", lambda _: MARK)
    monkeypatch.setattr(ssh_login, "ANOTHER_LOGIN", ())
    good = keys.pem(keys.ED25519, PrivateFormat.OpenSSH)
    pinned = keys.public(keys.ED25519)

    def logged_in(error: Exception, *, private_key: str = good, host_key: str = pinned) -> str:
        host = SshHost(address="vm.example", username="edge", private_key=SecretStr(private_key), host_key=host_key)
        client = paramiko.SSHClient()
        monkeypatch.setattr(client, "connect", raising(error))
        return error_of(lambda: ssh_login.log_in(client, host, LABEL, 1.0))

    image = f"registry.example/models/x@{DIGEST}"
    spec = ContainerSpec(name="edgetrain-pumps-blue", image=image, port=20_001, labels={})
    other = paramiko.Ed25519Key.from_private_key(io.StringIO(good))
    failed: dict[str, Any] = {"status": 1, "stderr": "(what it printed)"}
    session = ScriptedVm()
    cases = {
        "it does not answer": logged_in(TimeoutError("timed out")),
        "it hangs up": logged_in(paramiko.SSHException("Error reading SSH protocol banner")),
        "it breaks off": logged_in(paramiko.SSHException("Channel closed.")),
        "it is too slow to log in": logged_in(paramiko.AuthenticationException("Authentication timeout.")),
        "it refuses the key": logged_in(paramiko.AuthenticationException("Authentication failed.")),
        "it shows another host key": logged_in(paramiko.BadHostKeyException("vm.example", other, other)),
        "no usable private key": logged_in(Exception(), private_key="no key"),
        "no usable host key": logged_in(Exception(), host_key="nonsense"),
        "the connection was closed": error_of(lambda: session.open_tcp(20_001)),
        "a command fails": error_of(lambda: ScriptedVm(**failed).write_text("serving/pumps.json", "x")),
        "a file that is no text": error_of(lambda: ScriptedVm(stdout=b"\xff").read_text("serving/pumps.json")),
        "another process holds the lock": error_of(locked(75)),
        "the lock is lost": error_of(locked(0)),
        "a login shell that runs no commands": error_of(lambda: answering(1, begins=False).run(["pull"])),
        "a program does not end": error_of(lambda: answering(124).run(["pull"], timeout=0.0)),
        "a program is killed": error_of(lambda: answering(137).run(["pull"])),
        "an answer is cut": error_of(lambda: answering(None).run(["pull"])),
        "no serving slot": error_of(lambda: a_vm(44).slot("pumps")),
        "a serving slot that cannot be read": error_of(lambda: a_vm(stdout=b"{}").slot("pumps")),
        "no such image": error_of(lambda: a_vm(1, stderr="manifest unknown").pull(image)),
        "the registry refuses the VM": error_of(lambda: a_vm(1, stderr="unauthorized").pull(image)),
        "the image cannot be pulled": error_of(lambda: a_vm(**failed).pull(image)),
        "a port is taken": error_of(lambda: an_engine(1, stderr="address already in use").start(spec)),
        "a container does not start": error_of(lambda: an_engine(**failed).start(spec)),
        "a container cannot be inspected": error_of(lambda: a_vm(stdout=b"[]").container(spec.name)),
        "HAProxy does not answer": error_of(lambda: a_vm(**failed).take_out("pumps", Colour.BLUE)),
        "HAProxy has no backend": error_of(lambda: a_vm(stdout=b"No such proxy.").take_out("pumps", Colour.BLUE)),
        "HAProxy answers otherwise": error_of(lambda: a_vm(stdout=b"odd").take_out("pumps", Colour.BLUE)),
    }

    compare("errors_of_the_serving_vm", "What goes wrong on a VM, by SSH, and whether it may pass.", cases)
