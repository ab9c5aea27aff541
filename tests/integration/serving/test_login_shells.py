"""VMs whose login shell prints, is another one, or runs nothing; a real sshd and real shells."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from local_stack.azure_ml.computes import Vm as AttachedVm
from local_stack.azure_ml.vm_session import RefusedError, VmLink
from shared.clients.serving_vm import ServingVm
from shared.clients.ssh import connected
from shared.clients.vm_serving.settings import VmSettings
from shared.errors import Code, PermanentError, TransientError
from shared.serving.slots import Colour, Deployment, Slot
from tests.support.slots import switched_to
from tests.support.sshd import SshServer, running_sshd

PORTS = {Colour.BLUE: 20002, Colour.GREEN: 20003}
EMPTY = Slot(pipeline="p", bind="127.0.0.1", frontend_port=20001, ports=PORTS)
SLOT = switched_to(EMPTY, Deployment(run_id="r", image="i"), at=datetime(2026, 5, 1, tzinfo=UTC))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with running_sshd(tmp_path_factory.mktemp("vm")) as running:
        yield running


@pytest.fixture(autouse=True)
def silent(server: SshServer) -> Iterator[None]:
    session = server.vm.etc / "session"
    before = session.read_text(encoding="utf-8")
    yield
    session.write_text(before, encoding="utf-8")
    (server.home / ".bashrc").unlink(missing_ok=True)


@pytest.fixture
def target(server: SshServer) -> VmSettings:
    return VmSettings(
        address=server.address,
        port=server.port,
        username=server.username,
        private_key=SecretStr(server.private_key_file.read_text(encoding="utf-8")),
        host_key=server.vm.host_key(),
    )


def log_in_by(server: SshServer, shell: str) -> None:
    """Let another shell read the commands of sessions."""
    session = server.vm.etc / "session"
    text = session.read_text(encoding="utf-8")
    assert "/bin/bash -c" in text
    session.write_text(text.replace("/bin/bash -c", f"{shell} -c"), encoding="utf-8")


def works(target: VmSettings) -> None:
    """Everything that a roll-out asks of a session."""
    with connected(target) as session:
        vm = ServingVm(session, target)
        with vm.locked("p"):
            vm.save_slot(SLOT)
            assert vm.slot("p") == SLOT
            vm.write_config(SLOT)
            with (
                connected(target) as second,
                pytest.raises(TransientError, match="the lock"),
                second.lock("serving/locks/p", wait=1),
            ):
                pass
        with vm.locked("p"):
            pass
        assert session.read_text("serving/none.json") is None
        finished = session.run(["sh", "-c", 'cat; echo "$1" >&2; exit 3', "sh", "it's $(x) !y\n\\z"], stdin=b"a\0b\n")
        assert (finished.status, finished.stdout, finished.said) == (3, b"a\0b\n", "it's $(x) !y \\z")


@pytest.mark.parametrize(
    "bashrc",
    [
        'echo "Welcome to the VM. Modules loaded."',
        "printf 'no line end'; echo warning >&2",
        "echo held; printf '[]'",
        "set -x",
    ],
)
def test_a_shell_that_prints_changes_nothing(server: SshServer, target: VmSettings, bashrc: str) -> None:
    (server.home / ".bashrc").write_text(f"{bashrc}\n", encoding="utf-8")
    works(target)


@pytest.mark.parametrize("shell", ["sh", "bash", "tcsh", "fish", "zsh"])
def test_any_login_shell_works(server: SshServer, target: VmSettings, shell: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    log_in_by(server, program)
    works(target)


def test_a_login_shell_that_runs_nothing_is_named(server: SshServer, target: VmSettings) -> None:
    log_in_by(server, "/usr/sbin/nologin")

    def lock(vm: ServingVm) -> None:
        with vm.locked("p"):
            pass

    def read(vm: ServingVm) -> None:
        vm.slot("p")

    for step in (lock, read):
        with connected(target) as session, pytest.raises(PermanentError, match="login shell of user") as caught:
            step(ServingVm(session, target))
        assert caught.value.code is Code.TARGET_NOT_PREPARED
        assert server.username in caught.value.reason
        assert "status 1 and printed: This account " in caught.value.reason


def test_start_up_files_that_end_the_shell_are_named(server: SshServer, target: VmSettings) -> None:
    (server.home / ".bashrc").write_text("echo 'see you'; exit 0\n", encoding="utf-8")
    with connected(target) as session, pytest.raises(PermanentError, match="start-up files") as caught:
        session.read_text("serving/p.json")
    assert "status 0 and printed: see you;" in caught.value.reason


def test_an_answer_without_its_end_is_no_answer(target: VmSettings) -> None:
    with (
        connected(target) as session,
        pytest.raises(TransientError, match="connection ended"),
    ):
        session.script("echo half; kill -9 $(cut -d ' ' -f 4 /proc/$PPID/stat)")


def test_a_killed_program_is_not_one_that_took_too_long(target: VmSettings) -> None:
    with connected(target) as session:
        with pytest.raises(TransientError, match="sh was killed"):
            session.script("kill -9 $$")
        with pytest.raises(TransientError, match="within 1 s"):
            session.run(["sleep", "30"], timeout=1)


def test_trouble_with_a_lock_is_not_somebody_who_holds_it(server: SshServer, target: VmSettings) -> None:
    (server.home / "file").touch()
    with connected(target) as session, pytest.raises(TransientError) as caught, session.lock("file/p"):
        pass
    assert "another process" not in str(caught.value)
    assert "file/p" in str(caught.value)


def test_the_stand_in_of_azure_ml_names_a_shell_that_prints(server: SshServer, tmp_path: Path) -> None:
    attached = AttachedVm("vm", server.address, server.port, server.username, server.private_key_file)
    link = VmLink(lambda: attached, known_hosts=server.known_hosts_file, own_hosts=tmp_path / "hosts")
    try:
        assert link.call(lambda vm: vm.run("printf here")) == "here"
        (server.home / ".bashrc").write_text("echo Welcome\n", encoding="utf-8")
        # The connection is there; only its next command meets the shell that prints.
        assert link.call(lambda vm: vm.run("printf here")) == "here"
        link.close()
        with pytest.raises(RefusedError, match=r"SFTP.*~/\.bashrc"):
            link.call(lambda vm: vm.run("true"))
    finally:
        link.close()
