"""Ports that are chosen once and kept, so that a later start gives the same addresses.

Some time passes until a service listens on its port. Until the stack ends its ports are promised to it: no other stack
of this machine is given one of them. A promise is a Unix socket of the abstract kind, named by the port (unix(7)): it
ends with its process, however that ends.
"""

import random
import socket
import struct
from collections.abc import Callable, Iterable
from pathlib import Path

from local_stack.files import read_object, write_object

HOST = "127.0.0.1"
# Below Linux's ephemeral range (32768 and up), so that no outgoing connection takes a kept port between two starts, and
# above the ports that serving slots of VMs are given.
FIRST, LAST = 30_000, 32_700
_TRIES = 1_000
_LOOPBACK_SECONDS = 2.0


_promised: dict[int, tuple[Path, socket.socket]] = {}
"""By this process: whose each is, and what keeps it from others."""


class NoFreePortError(Exception):
    """Every port that was tried is in use."""


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now, and would get what is sent there.

    A port can be free and lead elsewhere all the same: containers that were killed with their engine leave rules in the
    firewall that send what comes for their ports to addresses where nobody is any more. And it can be promised.
    """
    if (promise := _promise(port)) is None:
        return False
    promise.close()
    return _is_reachable(port)


def _promise(port: int) -> socket.socket | None:
    promise = socket.socket(socket.AF_UNIX)
    try:
        promise.bind(f"\0edgetrain-port-{port}")
    except OSError:
        promise.close()
        return None
    return promise


def _is_reachable(port: int) -> bool:
    with socket.socket() as listener, socket.socket() as caller:
        # As servers do: a connection of the previous run in TIME_WAIT is no obstacle.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        caller.settimeout(_LOOPBACK_SECONDS)
        listener.settimeout(_LOOPBACK_SECONDS)
        # Ends with a reset, so that the port is not kept busy for a minute by a connection that is over.
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        try:
            listener.bind((HOST, port))
            listener.listen()
            caller.connect((HOST, port))
            accepted, _ = listener.accept()
            caller.close()
            accepted.close()
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
    """The port of each name, kept in ``file``, and promised to it until :func:`give_back`.

    Call it while nothing of this stack runs.
    """
    give_back(file)
    kept = {name: port for name, port in read_object(file).items() if isinstance(port, int)}

    def free(port: int) -> bool:
        if (promise := _promise(port)) is None:
            return False
        if not _is_reachable(port):
            promise.close()
            return False
        _promised[port] = (file, promise)
        return True

    ports = choose(names, kept, free=free, draw=lambda: random.SystemRandom().randint(FIRST, LAST))
    write_object(file, ports)
    return ports


def give_back(file: Path) -> None:
    """End the promises to the stack with this file."""
    for port, (owner, promise) in list(_promised.items()):
        if owner == file:
            promise.close()
            del _promised[port]
