"""Run the stand-in: ``python -m local_stack.event_grid --state DIR --port N [--config FILE]``."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from local_stack.event_grid.models import Config, ConfigError
from local_stack.event_grid.server import EventGrid
from local_stack.identity.tokens import Issuer
from local_stack.logs import log_to
from local_stack.sqlite_files import StateFileError

log = logging.getLogger("event_grid")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C; exit code 2 when the configuration, the state or the port do not allow a start."""
    parser = argparse.ArgumentParser(prog="python -m local_stack.event_grid", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="folder of queue and keys; kept between runs")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 chooses a free one")
    parser.add_argument("--config", type=Path, help="topics and subscriptions, see README.md")
    parser.add_argument("--retry-scale", type=_scale, default=1.0, help="part of the service's waits, e.g. 0.01")
    parser.add_argument("--issuer", type=Path, help="of local_stack.identity: take its tokens too")
    parser.add_argument("--tls-port", type=int, default=0, help="on 127.0.0.1, with an issuer; 0 chooses a free one")
    given = parser.parse_args(arguments)
    log_to(sys.stderr)
    try:
        config = Config.read(given.config) if given.config else Config()
        issuer = Issuer.open(given.issuer) if given.issuer else None
        grid = EventGrid(given.state, config, scale=given.retry_scale, issuer=issuer)
        asyncio.run(_serve(grid, given.port, given.tls_port))
    except (ConfigError, StateFileError, OSError) as error:
        log.error("cannot start: %s", error)
        return 2
    return 0


async def _serve(grid: EventGrid, port: int, tls_port: int) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    url = await grid.start(port, tls_port)
    print(f"ready url={url} pid={os.getpid()}", flush=True)
    await stopped.wait()
    await grid.stop()


def _scale(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError("must be above 0 and at most 1")
    return value


if __name__ == "__main__":
    sys.exit(main())
