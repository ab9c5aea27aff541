"""Ports that are chosen once and kept, so that a later start gives the same addresses."""

import random
import socket
from collections.abc import Callable, Iterable
from pathlib import Path

from local_stack.files import read_object, write_object

HOST = "127.0.0.1"
# Below Linux's ephemeral range (32768 and up), so that no outgoing connection takes a kept port between two starts.
FIRST, LAST = 20_000, 32_700
_TRIES = 1_000


class NoFreePortError(Exception):
    """Every port that was tried is in use."""


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as listener:
        # As servers do: a connection of the previous run in TIME_WAIT is no obstacle.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
        return True


def choose(
    names: Iterable[str], kept: dict[str, int], *, free: Callable[[int], bool], draw: Callable[[], int]
) -> dict[str, int]:
    """A free port per name, all different: the kept one where it is still free, else a new one.

    Names that only ``kept`` has stay reserved, as they belong to services that are not started this time.
    """
    chosen = dict(kept)
    for name in names:
        if name in kept and free(kept[name]):
            continue
        others = {port for other, port in chosen.items() if other != name}
        for _ in range(_TRIES):
            port = draw()
            if port not in others and free(port):
                chosen[name] = port
                break
        else:
            raise NoFreePortError(
                f"no free port for {name} between {FIRST} and {LAST}; stop programs that listen there"
            )
    return chosen


def allocate(file: Path, names: Iterable[str]) -> dict[str, int]:
    """The port of each name, kept in ``file``. Call it while nothing of this stack runs."""
    kept = {name: port for name, port in read_object(file).items() if isinstance(port, int)}
    ports = choose(names, kept, free=is_free, draw=lambda: random.SystemRandom().randint(FIRST, LAST))
    write_object(file, ports)
    return ports
