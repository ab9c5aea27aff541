"""The SSH session against a real sshd."""

import socket
import subprocess
import threading
import time
from contextlib import ExitStack
from types import SimpleNamespace

import paramiko
import pytest
from pydantic import SecretStr

from shared.clients import ssh_login
from shared.clients.ssh import connected
from shared.clients.vm_containers import LoopbackHttp
from shared.clients.vm_serving.settings import VmSettings
from shared.errors import Code, PermanentError, TransientError
from tests.support.answering import Reply, answering
from tests.support.serving_host import ServingHost, free_port


def other(target: VmSettings, **changes: object) -> VmSettings:
    return target.model_copy(update=changes)


def test_commands(host: ServingHost) -> None:
    with connected(host.target) as session:
        echoed = session.run(["sh", "-c", 'cat; echo "$1" >&2; exit 3', "sh", "it's; $(dangerous)"], stdin=b"a\0b")
        assert (echoed.status, echoed.stdout, echoed.said) == (3, b"a\0b", "it's; $(dangerous)")
        assert session.run(["pwd"]).stdout.decode().strip() == str(host.home)
        big = session.run(["head", "-c", "1000000", "/dev/zero"])
        assert len(big.stdout) == 1_000_000
        # A program that does not read its input has its own say.
        assert session.run(["sh", "-c", "echo no >&2; exit 4"], stdin=b"x" * 5_000_000).said == "no"


def test_a_command_that_hangs_ends(host: ServingHost) -> None:
    with connected(host.target) as session:
        started = time.monotonic()
        with pytest.raises(TransientError, match="within 1 s"):
            session.run(["sleep", "217"], timeout=1)
        assert time.monotonic() - started < 60
        assert session.run(["true"]).status == 0
    assert not subprocess.run(["pgrep", "-f", "^sleep 217$"], capture_output=True, text=True, check=False).stdout


def test_files(host: ServingHost) -> None:
    with connected(host.target) as session:
        assert session.read_text("files/a.txt") is None
        session.write_text("files/a.txt", "grüß\n" * 50_000)
        session.write_text("files/a.txt", "two\n")
        assert session.read_text("files/a.txt") == "two\n"
        (host.home / "files" / "b.txt").write_bytes(b"\xff\xfe")
        with pytest.raises(PermanentError, match=r"files/b.txt .*UTF-8"):
            session.read_text("files/b.txt")
        (host.home / "files" / "b.txt").unlink()
        with pytest.raises(TransientError, match="writing /proc/nothing"):
            session.write_text("/proc/nothing", "x")
    written = host.home / "files" / "a.txt"
    assert written.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in written.parent.iterdir()] == ["a.txt"]


def test_a_lock_excludes_and_dies_with_its_holder(host: ServingHost) -> None:
    with connected(host.target) as first, connected(host.target) as second:
        with first.lock("locks/l"):
            with pytest.raises(TransientError, match="the lock"), second.lock("locks/l", wait=1):
                pass
            waiting = threading.Timer(0.5, first.close)  # as when the process is killed: nothing is said, the link ends
            waiting.start()
            with second.lock("locks/l", wait=60):
                waiting.join()
        with second.lock("locks/l", wait=20):
            pass


def test_another_host_key_is_refused(host: ServingHost) -> None:
    for key in (paramiko.RSAKey.generate(2048), paramiko.ECDSAKey.generate()):
        pinned = f"{key.get_name()} {key.get_base64()}"
        with pytest.raises(PermanentError, match="host key") as caught:
            _connect(other(host.target, host_key=pinned))
        assert caught.value.code is Code.BAD_CONFIGURATION
    ours, _, base64 = host.target.host_key.partition(" ")
    swapped = base64[:-6] + ("A" * 6 if base64[-6:] != "A" * 6 else "B" * 6)
    with pytest.raises(PermanentError, match="host key"):
        _connect(other(host.target, host_key=f"{ours} {swapped}"))


@pytest.mark.parametrize("pinned", ["", "ssh-ed25519", "ssh-ed25519 not/base64", "nonsense AAAA"])
def test_without_a_pinned_key_nothing_is_tried(host: ServingHost, pinned: str) -> None:
    with pytest.raises(PermanentError, match="HOST_KEY"):
        _connect(other(host.target, host_key=pinned))


def test_wrong_keys(host: ServingHost) -> None:
    with pytest.raises(PermanentError, match="PRIVATE_KEY") as caught:
        _connect(other(host.target, private_key=SecretStr("canary-no-key")))
    assert "canary" not in str(caught.value)
    stranger = host.vm.folder / "keys" / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(stranger)], check=True)
    with pytest.raises(PermanentError, match="refuses the key"):
        _connect(other(host.target, private_key=SecretStr(stranger.read_text(encoding="utf-8"))))


def test_nobody_answers(host: ServingHost) -> None:
    port = free_port()
    with pytest.raises(TransientError, match=f"127.0.0.1:{port}"):
        _connect(other(host.target, port=port))


def test_a_login_that_a_busy_vm_hangs_up_on_is_tried_again(host: ServingHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a hundred connections of which nobody knows yet who they are, sshd takes no more: its ``MaxStartups``."""
    address, waits = (host.target.address, host.target.port), list[float]()
    with ExitStack() as idle:

        def waited(seconds: float) -> None:
            waits.append(seconds)
            idle.close()
            time.sleep(seconds)

        for _ in range(100):
            idle.enter_context(socket.create_connection(address)).recv(4)  # its name: sshd has begun to wait for ours
        monkeypatch.setattr(ssh_login, "AT_ONCE", 60.0)  # a busy machine takes its time for that
        monkeypatch.setattr(ssh_login, "ANOTHER_LOGIN", ())
        with pytest.raises(TransientError, match=r"hung up on the login.*MaxStartups"):
            _connect(host.target)
        # Until sshd lets one in, a hundred of its processes must have ended.
        monkeypatch.setattr(ssh_login, "ANOTHER_LOGIN", (0.5, *[2.0] * 60))
        monkeypatch.setattr(ssh_login, "time", SimpleNamespace(monotonic=time.monotonic, sleep=waited))
        _connect(host.target)
    assert waits[0] == 0.5


def test_the_link_breaks(host: ServingHost) -> None:
    with connected(host.target) as session:
        breaking = threading.Timer(0.3, session.close)
        breaking.start()
        with pytest.raises(TransientError):
            session.run(["sleep", "3"])
        breaking.join()
        with pytest.raises(TransientError):
            session.run(["true"])


def _connect(target: VmSettings) -> None:
    with connected(target) as session:
        session.run(["true"])


@pytest.mark.parametrize("reply", [Reply(body=b"0.12", cut=3), Reply(body=b"1" * 1_048_577)])
def test_an_answer_that_is_cut_or_too_long_is_no_answer(host: ServingHost, reply: Reply) -> None:
    """``0.12`` is JSON too: cut, it would pass for what the model answers."""
    with answering() as server, connected(host.target) as session:
        server.answer = lambda _method, _path: reply
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(TransientError, match=f"POST /score on port {port}: "):
            LoopbackHttp(session).post_json(port, "/score", b"{}", timeout=60)


def test_a_whole_answer_is_taken(host: ServingHost) -> None:
    with answering() as server, connected(host.target) as session:
        server.answer = lambda _method, _path: Reply(body=b"0.12345")
        port = int(server.url.rpartition(":")[2])
        assert LoopbackHttp(session).post_json(port, "/score", b"{}", timeout=60) == (200, b"0.12345")
