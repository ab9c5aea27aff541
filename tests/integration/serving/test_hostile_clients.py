"""Clients that are slow, many or large, at a real HAProxy before a server that takes one request at a time."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests

from shared.serving.haproxy import BODY_LIMIT, CONNECTIONS_PER_SOURCE
from tests.support.serving_host import wait_for
from tests.support.serving_place import Place
from tests.support.slow_clients import assert_others_are_served, connect, slow_clients

BODY = {"data": [1, 2.5]}
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def fragile(place: Place) -> Iterator[Place]:
    place.fulfil(place.release(1, 100, one_at_a_time=True))
    yield place
    name = f"edgetrain-{place.pipeline}-blue"
    assert place.host.podman("inspect", name, "--format", "{{.RestartCount}}").strip() == "0", place.host.podman(
        "logs", name
    )


def test_fifty_slow_clients_do_not_hold_up_a_fast_one(fragile: Place) -> None:
    assert_others_are_served(fragile.url, BODY)


def test_a_large_body_is_refused_and_the_others_are_served(fragile: Place) -> None:
    with slow_clients(fragile.url, 5):
        for size in (60_000_000, BODY_LIMIT + 1):
            large = requests.post(f"{fragile.url}/score", data=b" " * size, timeout=30)
            assert large.status_code == 413
            assert f"{BODY_LIMIT} bytes" in large.json()["error"]
            assert requests.post(f"{fragile.url}/score", json=BODY, timeout=30).status_code == 200

        endless = requests.post(f"{fragile.url}/score", data=(b" " * 65_536 for _ in range(100)), timeout=30)
        assert endless.status_code == 413


def test_the_largest_body_that_is_promised_arrives_whole(fragile: Place) -> None:
    text = b'{"data": [1, 2.5]}'
    reply = requests.post(f"{fragile.url}/score", data=text + b" " * (BODY_LIMIT - len(text)), timeout=30)
    assert (reply.status_code, reply.json()["sum"]) == (200, 3.5)


def test_one_address_cannot_take_all_connections(fragile: Place) -> None:
    with ExitStack() as stack:
        mine = [stack.enter_context(connect(fragile.url)) for _ in range(CONNECTIONS_PER_SOURCE)]
        one_more = stack.enter_context(connect(fragile.url))
        wait_for(lambda: _status(one_more) == 429, "a refusal")
        others = stack.enter_context(connect(fragile.url, source="127.0.0.2"))
        assert _status(others) == 200
        # Who lets go is served again.
        for connection in mine:
            connection.close()
        wait_for(lambda: requests.get(fragile.url, timeout=5).status_code == 200, "an answer")


def _status(connection: socket.socket) -> int:
    connection.sendall(GET)
    return int(connection.recv(4096).split()[1])
