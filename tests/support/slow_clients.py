"""Clients that hold a request open for as long as they like, and one that measures what that does to the others."""

import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import urlsplit

import requests

_HEADERS = "POST /score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"


def connect(url: str, source: str = "127.0.0.1") -> socket.socket:
    """A connection to the server of a URL, from a loopback address."""
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20, source_address=(source, 0))


@contextmanager
def slow_clients(url: str, count: int) -> Iterator[list[socket.socket]]:
    """So many requests to ``/score`` whose bodies trickle in, a byte each at a time."""
    stop = threading.Event()
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(url)) for _ in range(count)]
        for client in clients:
            client.sendall(_HEADERS.encode())

        def trickle() -> None:
            while not stop.wait(0.2):
                for client in clients:
                    with suppress(OSError):  # the server had enough of it
                        client.sendall(b" ")

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            yield clients
        finally:
            stop.set()
            thread.join()


def answered(clients: list[socket.socket]) -> int:
    """How many of them have been answered, or hung up on."""
    return len(select.select(clients, [], [], 0)[0])


def longest_wait(url: str, body: object, times: int = 20) -> float:
    """Seconds that the slowest of some requests took; every one must be answered 200."""
    waits = []
    for _ in range(times):
        started = time.monotonic()
        reply = requests.post(f"{url}/score", json=body, timeout=30)
        waits.append(time.monotonic() - started)
        assert reply.status_code == 200, reply.text
    return max(waits)


def assert_others_are_served(url: str, body: object, *, slow: int = 50) -> None:
    """A fast client does not wait for others that are slow: it is done long before the first of them is hung up on."""
    alone = longest_wait(url, body)
    with slow_clients(url, slow) as clients:
        beside = longest_wait(url, body, times=5)
        # All of them still hold what they could get hold of.
        assert answered(clients) == 0
        assert beside < alone + 8
