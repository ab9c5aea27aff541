"""``python -m local_stack.service_bus --state DIR``: run the broker until SIGTERM or Ctrl-C."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from local_stack.identity.tokens import Issuer
from local_stack.logs import log_to
from local_stack.service_bus.config import ConfigError, Entities
from local_stack.service_bus.server import HOST, ServiceBus
from local_stack.sqlite_files import StateFileError

log = logging.getLogger("service_bus")

_DEFAULT_ENTITIES: Final = Path(__file__).with_name("entities.json")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the broker; exit code 2 when its configuration, state or port does not allow it to start."""
    parser = argparse.ArgumentParser(prog="python -m local_stack.service_bus", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="folder for the journal, the key, endpoints.json")
    parser.add_argument("--config", type=Path, default=_DEFAULT_ENTITIES, help="entities, in the emulator's shape")
    parser.add_argument("--port", type=int, default=5672, help="port on 127.0.0.1; 0 picks a free one")
    parser.add_argument("--log-level", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
    parser.add_argument("--issuer", type=Path, help="of local_stack.identity: take its tokens too")
    parser.add_argument("--namespace", default="", help="a loopback address of its own: TLS there too, at port 5671")
    given = parser.parse_args(arguments)
    log_to(sys.stderr, given.log_level)
    try:
        asyncio.run(_serve(given))
    except (ConfigError, StateFileError, OSError) as error:
        log.error("cannot start: %s", error)
        return 2
    return 0


async def _serve(given: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    issuer = Issuer.open(given.issuer) if given.issuer else None
    broker = ServiceBus(given.state, Entities.read(given.config), issuer=issuer, namespace=given.namespace)
    bound = await broker.start(given.port)
    print(f"ready url=sb://{HOST}:{bound} pid={os.getpid()}", flush=True)
    await stop.wait()
    log.info("stopping")
    await broker.stop()


if __name__ == "__main__":
    sys.exit(main())
