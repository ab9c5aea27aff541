"""What answers at an address: names, ports, certificates and clocks, against small servers on loopback."""

import datetime as dt
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.clients.endpoints import Endpoint, _ahead, reach
from shared.errors import PermanentError
from tests.support.small_servers import DAY, NOW, certificate, dated, served


def refused(look: Callable[[], object]) -> str:
    with pytest.raises(PermanentError) as caught:
        look()
    return caught.value.reason


def test_a_trusted_server_is_reached_with_the_end_of_its_certificate(tmp_path: Path) -> None:
    chain = certificate(tmp_path)
    with served(dated(dt.datetime.now(dt.UTC)), chain) as port:
        found = reach(Endpoint(url=f"https://127.0.0.1:{port}/a", ca_bundle=str(chain)))

    assert found.valid_until == (NOW + 90 * DAY).replace(microsecond=0)
    assert found.ahead is not None
    assert abs(found.ahead) < 60


@pytest.mark.parametrize(
    ("until", "name", "trusted", "said"),
    [
        (NOW - DAY, "127.0.0.1", True, "expired"),
        (NOW + 90 * DAY, "127.0.0.2", True, "mismatch"),
        (NOW + 90 * DAY, "127.0.0.1", False, "self-signed certificate"),
    ],
)
def test_a_certificate_that_is_not_accepted_is_named(
    tmp_path: Path, until: dt.datetime, name: str, *, trusted: bool, said: str
) -> None:
    chain = certificate(tmp_path, until=until, name=name)
    with served(dated(dt.datetime.now(dt.UTC)), chain) as port:
        reason = refused(
            lambda: reach(Endpoint(url=f"https://127.0.0.1:{port}", ca_bundle=str(chain) if trusted else ""))
        )

    assert f"the certificate of 127.0.0.1:{port} is not accepted" in reason
    assert said in reason


def test_a_file_with_authorities_that_is_not_there_is_named(tmp_path: Path) -> None:
    with served(b"", certificate(tmp_path)) as port:
        reason = refused(lambda: reach(Endpoint(url=f"https://127.0.0.1:{port}", ca_bundle=str(tmp_path / "no"))))

    assert "there is no file" in reason


def test_what_speaks_no_tls_is_named() -> None:
    with served(b"SSH-2.0-x\r\n") as port:
        assert "does not speak TLS" in refused(lambda: reach(Endpoint(url=f"sb://127.0.0.1:{port}")))


def test_a_port_where_nothing_answers_and_a_name_that_does_not_resolve() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    assert f"nothing answers at 127.0.0.1:{port}" in refused(lambda: reach(Endpoint(url=f"http://127.0.0.1:{port}")))
    assert "does not resolve" in refused(lambda: reach(Endpoint(url="https://nobody.invalid/x")))
    assert "does not resolve" in refused(lambda: reach(Endpoint(url="https://")))


def test_a_server_at_the_second_address_of_its_name_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(dated(dt.datetime.now(dt.UTC))) as port:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in ("127.0.0.9", "127.0.0.1")]
        monkeypatch.setattr(socket, "getaddrinfo", resolving({"two.example": found}))

        assert reach(Endpoint(url=f"http://two.example:{port}")).address == "127.0.0.1"


def resolving(names: dict[str, Any]) -> Callable[..., Any]:
    """``getaddrinfo`` that knows these names besides."""
    real = socket.getaddrinfo
    return lambda host, *rest, **options: names.get(host) or real(host, *rest, **options)


@pytest.mark.parametrize(("off", "least"), [(600, 590), (-600, -602), (0, 0)])
def test_a_clock_that_differs_is_measured(off: int, least: int) -> None:
    with served(dated(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=off))) as port:
        ahead = reach(Endpoint(url=f"http://127.0.0.1:{port}")).ahead

    assert ahead is not None
    assert abs(ahead - least) <= 12


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 No\r\nDate: yesterday\r\n\r\n", b"no http", b""])
def test_a_server_that_tells_no_time_is_reached_all_the_same(answer: bytes) -> None:
    with served(answer) as port:
        assert reach(Endpoint(url=f"http://127.0.0.1:{port}")).ahead is None


def test_a_server_that_sends_a_little_again_and_again_is_not_listened_to_for_long() -> None:
    ours, theirs = socket.socketpair()
    over = threading.Event()

    def drip() -> None:
        while not over.wait(0.02):
            theirs.send(b"x")

    with ours, theirs:
        ours.settimeout(5)
        thread = threading.Thread(target=drip)
        thread.start()
        began = time.monotonic()
        ahead = _ahead(ours, "a", 0.1)
        took = time.monotonic() - began
        over.set()
        thread.join()

    assert ahead is None
    assert took < 3
