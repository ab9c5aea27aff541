"""The VM as its clients meet it: SSH, HAProxy, the registry, containers across a reboot."""

import http.server
import io
import json
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko
import pytest
import requests

from local_stack.supervisor import Stack
from tests.support.documents import code_in
from tests.support.serving_host import free_port


@contextmanager
def session(stack: Stack) -> Iterator[paramiko.SSHClient]:
    vm = stack.endpoints["vm"]
    with paramiko.SSHClient() as client:
        client.load_host_keys(vm["known_hosts_file"])
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        client.connect(
            vm["address"],
            vm["port"],
            vm["username"],
            key_filename=vm["private_key_file"],
            allow_agent=False,
            look_for_keys=False,
        )
        yield client


def run(client: paramiko.SSHClient, command: str) -> tuple[int, str, str]:
    _, out, err = client.exec_command(command, timeout=60)
    text, errors = out.read().decode(), err.read().decode()
    return out.channel.recv_exit_status(), text, errors


def test_a_session_has_the_vms_home_path_and_python(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    home = stack.endpoints["vm"]["home"]

    with session(stack) as client:
        status, out, _ = run(client, 'pwd; echo "$HOME"; command -v python3; python3 -V; echo "$PATH"; exit 4')

    assert status == 4
    where, home_by_shell, python, version, path = out.splitlines()
    assert where == home_by_shell == home
    assert python == f"{home}/bin/python3"
    assert version.startswith("Python 3.11")
    assert path.startswith(f"{home}/bin:")
    assert "venv" not in path


def test_sftp_lands_in_the_vms_home(stack: Stack) -> None:
    with session(stack) as client, client.open_sftp() as sftp:
        sftp.putfo(io.BytesIO(b"hello"), "landed.txt")
        assert sftp.normalize(".") == stack.endpoints["vm"]["home"]

    assert (Path(stack.endpoints["vm"]["home"]) / "landed.txt").read_bytes() == b"hello"


def test_standard_input_reaches_the_command(stack: Stack) -> None:
    with session(stack) as client:
        stdin, out, _ = client.exec_command("wc -c", timeout=60)
        stdin.write(b"x" * 200_000)
        stdin.channel.shutdown_write()

        assert out.read().strip() == b"200000"


def test_passwords_are_not_taken(stack: Stack) -> None:
    vm = stack.endpoints["vm"]
    with paramiko.SSHClient() as client:
        client.load_host_keys(vm["known_hosts_file"])
        with pytest.raises(paramiko.BadAuthenticationType) as caught:
            client.connect(
                vm["address"], vm["port"], vm["username"], password="x", allow_agent=False, look_for_keys=False
            )

    assert caught.value.allowed_types == ["publickey"]


def test_another_key_is_not_taken(stack: Stack) -> None:
    vm = stack.endpoints["vm"]
    with paramiko.SSHClient() as client:
        client.load_host_keys(vm["known_hosts_file"])
        with pytest.raises(paramiko.AuthenticationException):
            client.connect(
                vm["address"],
                vm["port"],
                vm["username"],
                pkey=paramiko.ECDSAKey.generate(),
                allow_agent=False,
                look_for_keys=False,
            )


def test_the_host_key_is_the_one_that_clients_pin(stack: Stack) -> None:
    vm = stack.endpoints["vm"]
    with session(stack) as client:
        transport = client.get_transport()
        assert transport is not None
        shown = transport.get_remote_server_key()

    assert vm["host_key"] == f"{shown.get_name()} {shown.get_base64()}"
    assert Path(vm["known_hosts_file"]).read_text() == f"[127.0.0.1]:{vm['port']} {vm['host_key']}\n"


def test_a_vm_that_is_stopped_refuses_connections_and_comes_back_the_same(stack: Stack) -> None:
    before = stack.endpoints["vm"]
    stack.stop_service("vm")
    try:
        with pytest.raises(paramiko.ssh_exception.NoValidConnectionsError), session(stack):
            pass
    finally:
        stack.start_service("vm")

    assert stack.endpoints["vm"] == before
    with session(stack) as client:
        assert run(client, "true")[0] == 0


@contextmanager
def a_web_server(answer: bytes) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_haproxy_takes_a_pipelines_file_on_reload_and_refuses_a_broken_one(stack: Stack) -> None:
    pipelines = Path(stack.endpoints["vm"]["home"]) / "serving" / "conf.d"
    socket = pipelines.parent / "haproxy.sock"
    file = pipelines / "iris.cfg"
    with a_web_server(b"one") as one, a_web_server(b"two") as two, session(stack) as client:
        front = free_port()
        text = (
            f"frontend iris\n  bind 127.0.0.1:{front}\n  default_backend iris\nbackend iris\n  server blue 127.0.0.1:"
        )
        file.write_text(f"{text}{one}\n")
        assert run(client, "./bin/reload-haproxy") == (0, "", "")
        assert requests.get(f"http://127.0.0.1:{front}", timeout=60).content == b"one"
        assert socket.is_socket()  # the link leads to the worker's socket

        file.write_text("frontend iris\n  no such word\n")
        status, _, error = run(client, "reload-haproxy")
        assert status == 1
        assert "conf.d/iris.cfg:2" in error
        assert requests.get(f"http://127.0.0.1:{front}", timeout=60).content == b"one"

        metrics = free_port()
        exporter = code_in("docs/telemetry.md", "haproxy").replace("8405", str(metrics))
        file.write_text(f"{text}{two}\n{exporter}")
        assert run(client, "reload-haproxy")[0] == 0
        assert requests.get(f"http://127.0.0.1:{front}", timeout=60).content == b"two"
        told = requests.get(f"http://127.0.0.1:{metrics}/metrics", timeout=60).text
        assert 'haproxy_backend_http_responses_total{proxy="iris",code="2xx"}' in told

        file.unlink()
        assert run(client, "reload-haproxy")[0] == 0
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://127.0.0.1:{front}", timeout=60)


def test_the_registry_wants_its_password(stack: Stack) -> None:
    registry = stack.endpoints["container_registry"]
    login = (registry["username"], registry["password"])
    url = f"{registry['url']}/v2/"

    assert requests.get(url, timeout=60).status_code == 401
    assert requests.get(url, auth=(registry["username"], "wrong"), timeout=60).status_code == 401
    assert requests.get(url, auth=login, timeout=60).status_code == 200
    started = requests.post(f"{url}models/iris/blobs/uploads/", auth=login, timeout=60)
    assert started.status_code == 202
    assert started.headers["Location"].startswith("/v2/models/iris/")


def test_the_vms_user_of_the_registry_may_read_and_write_nothing(stack: Stack) -> None:
    registry = stack.endpoints["container_registry"]
    url = f"{registry['url']}/v2"
    reader = (registry["pull_username"], registry["pull_password"])
    writer = (registry["username"], registry["password"])

    assert requests.get(f"{url}/", auth=reader, timeout=60).status_code == 200
    assert requests.get(f"{url}/", auth=(reader[0], "wrong"), timeout=60).status_code == 401
    for method, path in (
        ("POST", "models/iris/blobs/uploads/"),
        ("PUT", "models/iris/manifests/latest"),
        ("DELETE", "models/iris/manifests/sha256:" + "0" * 64),
        ("PATCH", "models/iris/blobs/uploads/1"),
    ):
        refused = requests.request(method, f"{url}/{path}", auth=reader, timeout=60)
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (403, "DENIED")
    assert requests.post(f"{url}/models/iris/blobs/uploads/", auth=writer, timeout=60).status_code == 202


def test_the_vm_forwards_to_its_own_loopback_only(stack: Stack) -> None:
    registry_port = int(stack.endpoints["container_registry"]["url"].rpartition(":")[2])
    with session(stack) as client:
        transport = client.get_transport()
        assert transport is not None
        transport.open_channel("direct-tcpip", ("127.0.0.1", registry_port), ("127.0.0.1", 0), timeout=60).close()
        for elsewhere in ("localhost.localdomain", "10.0.0.1", "169.254.169.254", "127.0.0.2"):
            with pytest.raises(paramiko.ChannelException) as refused:
                transport.open_channel("direct-tcpip", (elsewhere, registry_port), ("127.0.0.1", 0), timeout=60)
            assert refused.value.code == paramiko.common.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        with pytest.raises(paramiko.SSHException):
            transport.request_port_forward("127.0.0.1", 0)


def test_the_vms_engine_logs_in_to_the_registry_and_has_a_storage_of_its_own(stack: Stack) -> None:
    registry = stack.endpoints["container_registry"]
    with session(stack) as client:
        stdin, out, _ = client.exec_command(
            f"podman login --username {registry['username']} --password-stdin {registry['host']}", timeout=60
        )
        stdin.write(registry["password"])
        stdin.channel.shutdown_write()
        assert b"Login Succeeded" in out.read()
        status, info, _ = run(client, "podman info --format json")

    assert status == 0
    assert json.loads(info)["store"]["graphRoot"].startswith(str(stack.state))


@pytest.fixture(scope="session")
def a_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A static program that waits for ever, to be the whole content of an image."""
    if not shutil.which("gcc"):
        pytest.skip("needs gcc, to make an image out of one static program")
    folder = tmp_path_factory.mktemp("program")
    (folder / "wait.c").write_text(
        "#include <signal.h>\n#include <unistd.h>\n"
        "static void end(int n) { _exit(0); }\n"
        "int main(void) { signal(SIGTERM, end); for (;;) pause(); }\n"
    )
    subprocess.run(["gcc", "-static", "-o", folder / "wait", folder / "wait.c"], check=True)
    with tarfile.open(folder / "image.tar", "w") as image:
        image.add(folder / "wait", "wait")
    return folder / "image.tar"


def test_containers_run_and_come_back_after_a_reboot_of_the_vm(stack: Stack, a_program: Path) -> None:
    with session(stack) as client:
        assert run(client, f"podman import -q {a_program} localhost/wait")[0] == 0
        for name, policy in (("stays", "always"), ("leaves", "no")):
            status, _, error = run(client, f"podman run -d --name {name} --restart {policy} localhost/wait /wait")
            assert status == 0, error
    try:
        stack.restart("containers")
        with session(stack) as client:
            _, running, _ = run(client, "podman ps --format '{{.Names}}'")
        assert running.split() == ["stays"]
    finally:
        with session(stack) as client:
            run(client, "podman rm --all --force --time 0")
