"""What anybody on this machine could be told by a program that is not sealed."""

import contextlib
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from local_stack.leak_search import Canaries, Search


@dataclass
class Listeners:
    """What anybody on this machine could be told: by TCP, UDP and an abstract socket."""

    tcp: socket.socket
    udp: socket.socket
    unix: socket.socket
    name: str
    heard: list[bytes] = field(default_factory=list)

    @property
    def places(self) -> dict[str, Any]:
        """Where they are, for an attack to know."""
        return {"tcp": self.tcp.getsockname()[1], "udp": self.udp.getsockname()[1], "unix": self.name}

    def _listen(self, one: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                self.heard.append(one.recvfrom(65536)[0])

    def _accept(self, one: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = one.accept()
                with client:
                    client.settimeout(5)
                    with contextlib.suppress(OSError):
                        while content := client.recv(65536):
                            self.heard.append(content)
                            client.sendall(b"HTTP/1.0 200 OK\r\n\r\n")

    def start(self) -> None:
        for work, one in ((self._accept, self.tcp), (self._listen, self.udp), (self._accept, self.unix)):
            threading.Thread(target=work, args=(one,), daemon=True).start()


@contextmanager
def listening() -> Iterator[Listeners]:
    """Listeners on all addresses of this machine until the end of the ``with`` block."""
    name = f"\0edgetrain-{secrets.token_hex(6)}"
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(name)
    unix.listen()
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    listeners = Listeners(socket.create_server(("127.0.0.1", 0)), udp, unix, name)
    listeners.start()
    try:
        yield listeners
    finally:
        for each in (listeners.tcp, listeners.udp, listeners.unix):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def told(heard: list[bytes], canaries: Canaries) -> list[str]:
    search = Search(canaries)
    for content in heard:
        search.content("what a listener heard", content)
    return search.found
