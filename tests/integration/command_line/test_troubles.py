"""Nothing that a user, a network or a server can do ends a command in a traceback."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.client import transport
from function_app.api import models as m
from tests.integration.command_line.conftest import KEY, edgetrain
from tests.support import app_answers as app
from tests.support.answering import SIGN_IN, Answering, Reply
from tests.support.service_process import ROOT

EDGETRAIN = [sys.executable, "-m", "cli"]
RUNS = {"GET /api/runs": app.answered(app.page(app.promoted(), app.failed()))}


@pytest.fixture
def surroundings(served: Answering) -> dict[str, str]:
    """The environment of a command in a process of its own."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}


@contextmanager
def a_socket_that(answer: bytes) -> Iterator[str]:
    """A server that sends these bytes to whoever connects, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize(
    ("reply", "status", "part"),
    [
        (SIGN_IN, 3, "another page"),
        (Reply(status=302, headers={"Location": "https://login.example/x?secret=1"}), 3, "https://login.example"),
        (Reply(status=401, content_type=""), 1, "refuses the key"),
        (Reply(status=403, body=b"<html>", content_type="text/html"), 1, "refuses this machine"),
        (Reply(status=404, content_type="text/html"), 3, "404"),
        (Reply(status=502, body=b"bad gateway", content_type="text/plain"), 3, "502"),
        (Reply(body=b'{"runs": NaN}'), 3, "not the app's answer"),
        (Reply(body=b"[" * 100_000), 3, "not the app's answer"),
        (Reply(body=b'{"runs": 3}'), 1, "runs"),
        (Reply(body=b"null"), 1, "not understood"),
        (Reply(body=b"{}", cut=10), 3, "answers as an app does"),
        (app.refused(503, "try_again_later", "the ledger does not answer"), 1, "the ledger does not answer"),
        (Reply(status=400, body=b'{"detail": ["x"]}', content_type="application/problem+json"), 1, "x"),
    ],
    ids=lambda value: str(value)[:40] if not isinstance(value, Reply) else f"{value.status} {value.content_type}",
)
def test_whatever_answers_is_said_in_a_sentence(served: Answering, reply: Reply, status: int, part: str) -> None:
    served.answer = lambda _method, _path: reply

    shown, raw = edgetrain("runs"), edgetrain("runs", "--json")

    assert (shown.status, raw.status) == (status, status)
    assert part in shown.err
    assert "secret" not in shown.err
    assert KEY not in shown.err + shown.out + raw.out
    assert json.loads(raw.out)["detail"]


def test_an_app_that_lacks_the_operation_is_told_from_no_app(served: Answering) -> None:
    served.answer = app.routes({})

    ended = edgetrain("runs")

    assert ended.status == 1
    assert "older than this command line" in ended.err


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000])
def test_a_port_of_something_else(served: Answering, answer: bytes) -> None:
    with a_socket_that(answer) as url:
        ended = edgetrain("runs", "--url", url)

    assert ended.status == 3
    assert url in ended.err


def test_nothing_listens(served: Answering) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"

    ended = edgetrain("runs", "--url", url)

    assert ended.status == 3
    assert "Connection refused" in ended.err


def test_a_server_that_is_too_slow(served: Answering) -> None:
    enough = threading.Event()

    def later(_method: str, _path: str) -> Reply:
        enough.wait(30)
        return Reply()

    served.answer = later
    try:
        ended = edgetrain("runs", "--timeout", "0.3")
    finally:
        enough.set()

    assert ended.status == 3
    assert "--timeout" in ended.err


def test_an_answer_without_end_is_cut(served: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "LARGEST", 1024)
    served.answer = lambda _method, _path: Reply(body=b"[" + b"1," * 10_000)

    assert edgetrain("runs").status == 3


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "ftp://x",
        "http://plant.example",
        "https://user:pw@plant.example",
        "https://x:99999",
        "https://[",
        "https://a b",
    ],
)
def test_addresses_that_are_none(served: Answering, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGETRAIN_URL", url)

    ended = edgetrain("runs")

    assert ended.status == 2
    assert "pw" not in ended.err


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "schlüssel"])
def test_keys_that_are_none(served: Answering, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGETRAIN_KEY", key)

    ended = edgetrain("runs")

    assert ended.status == 2
    assert key not in ended.err


def test_a_key_goes_to_no_other_address(served: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGETRAIN_URL", "https://plant.example")

    edgetrain("runs", "--url", served.url)

    assert "x-functions-key" not in served.sent[0][0]


def test_a_reader_that_has_seen_enough(served: Answering, surroundings: dict[str, str]) -> None:
    many = app.page(*(app.promoted(run_id=f"run-{number}", reason="x" * 900) for number in range(500)))
    served.answer = app.routes({"GET /api/runs": app.answered(many)})

    piped = subprocess.run(
        f"{sys.executable} -m cli runs --limit 500 | head -c 10",
        shell=True,
        capture_output=True,
        env=surroundings,
        check=False,
    )

    assert len(piped.stdout) == 10
    assert piped.stderr == b""


@pytest.mark.parametrize("redirect", [">&-", "2>&-", ">/dev/full", "2>/dev/full", "<&- >&- 2>&-"])
@pytest.mark.parametrize("command", ["runs --json", "run nowhere"])
def test_closed_and_full_outputs(served: Answering, surroundings: dict[str, str], redirect: str, command: str) -> None:
    served.answer = app.routes(RUNS)

    ended = subprocess.run(
        f"{sys.executable} -m cli {command} {redirect}", shell=True, capture_output=True, env=surroundings, check=False
    )

    assert ended.returncode in {0, 1, 2}
    assert b"Traceback" not in ended.stderr
    assert b"Exception ignored" not in ended.stderr
    if command.endswith("--json") and redirect.startswith("2"):
        assert len(json.loads(ended.stdout)["runs"]) == 2, "what is not for standard output does not get there"


@pytest.mark.parametrize(("typed", "status", "sent"), [("y\n", 0, 2), ("n\n", 1, 1), ("\n", 1, 1), ("\x04", 1, 1)])
def test_a_person_is_asked(served: Answering, surroundings: dict[str, str], typed: str, status: int, sent: int) -> None:
    said = app.answered(m.Cancelled(run_id=app.RUNNING, sentence="it is being cancelled"))
    served.answer = lambda method, _path: said if method == "POST" else app.answered(app.running())
    person, terminal = pty.openpty()
    try:
        os.write(person, typed.encode())
        ended = subprocess.run(
            [*EDGETRAIN, "cancel", app.RUNNING], env=surroundings, stdin=terminal, capture_output=True, check=False
        )
    finally:
        os.close(person)
        os.close(terminal)

    assert ended.returncode == status, ended
    assert len(served.asked) == sent
    assert b"go on? [y/N]" in ended.stderr


@pytest.mark.parametrize("command", ["cd gone && rmdir ../gone && {}", "env -u HOME {}"])
def test_without_a_folder_or_a_home(
    served: Answering, surroundings: dict[str, str], tmp_path: Path, command: str
) -> None:
    served.answer = app.routes(RUNS)
    (tmp_path / "gone").mkdir()
    for arguments in ("runs", "upload x nowhere.csv --yes", "login --list", "logs x"):
        line = command.format(f"{sys.executable} -m cli {arguments}").replace("cd gone", "mkdir -p gone && cd gone")
        ended = subprocess.run(line, shell=True, capture_output=True, env=surroundings, cwd=tmp_path, check=False)
        assert ended.returncode in {0, 1, 2}
        assert b"Traceback" not in ended.stderr, ended.stderr


def test_ctrl_c_while_it_waits(served: Answering, surroundings: dict[str, str]) -> None:
    looked = threading.Event()

    def answer(_method: str, _path: str) -> Reply:
        if len(served.asked) > 1:
            looked.set()
        return app.answered(app.running())

    served.answer = answer
    process = subprocess.Popen(
        [*EDGETRAIN, "run", app.RUNNING, "--watch"],
        env=surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert looked.wait(60)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert out == ""
    assert f"edgetrain run {app.RUNNING} --watch" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_texts_that_the_terminal_cannot_show(served: Answering, surroundings: dict[str, str], encoding: str) -> None:
    odd = app.page(app.failed(reason="Mühle 数据 \ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16")))
    served.answer = app.routes({"GET /api/runs": app.answered(odd)})

    ended = subprocess.run(
        [*EDGETRAIN, "runs"], env={**surroundings, "PYTHONIOENCODING": encoding}, capture_output=True, check=False
    )

    assert ended.returncode == 0
    assert ("Mühle 数据" if encoding == "utf-8" else "\\u6570").encode(encoding) in ended.stdout


def test_arguments_that_are_no_text(served: Answering, surroundings: dict[str, str]) -> None:
    served.answer = app.routes({"GET /api/why": app.refused(400, "bad_request", "blob must be UTF-8")})

    for command in (
        [b"run", b"\xff\xfe"],
        [b"why", b"\xff", b"\xc3"],
        [b"start", b"\xff", b"--yes", b"--reason", b"\xff"],
    ):
        ended = subprocess.run(
            [*map(os.fsencode, EDGETRAIN), *command], env=surroundings, capture_output=True, check=False
        )
        assert ended.returncode in {1, 2}, ended
        assert b"Traceback" not in ended.stderr


def test_completion_offers_names_and_never_fails(
    served: Answering, surroundings: dict[str, str], tmp_path: Path
) -> None:
    served.answer = app.routes({"GET /api/pipelines": app.answered(app.every_pipeline()), **RUNS})

    def completed(*words: str) -> list[str]:
        asked = {
            "_EDGETRAIN_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(words),
            "COMP_CWORD": str(len(words) - 1),
        }
        code = "from cli.app import app; app(prog_name='edgetrain')"
        ended = subprocess.run(
            [sys.executable, "-c", code], env=surroundings | asked, capture_output=True, text=True, check=False
        )
        assert ended.stderr == ""
        return ended.stdout.split()

    assert "runs" in completed("edgetrain", "ru")
    assert completed("edgetrain", "start", "bre") == [app.PIPELINE]
    assert app.PROMOTED in completed("edgetrain", "run", "breast")
    surroundings["EDGETRAIN_URL"] = "http://127.0.0.1:1"
    assert completed("edgetrain", "start", "bre") == []
