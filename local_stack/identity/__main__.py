"""Run the stand-in: ``python -m local_stack.identity --state DIR --port N``."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from local_stack.identity.server import TOKEN_SECONDS, TokenEndpoint
from local_stack.logs import log_to

log = logging.getLogger("identity")


def main() -> int:
    """Serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m local_stack.identity", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="folder of keys and identities; kept between runs")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 chooses a free one")
    parser.add_argument("--seconds", type=int, default=TOKEN_SECONDS, help="how long a token is good")
    parser.add_argument("--resource", action="append", default=[], help="issue tokens for this too; may be repeated")
    given = parser.parse_args()
    log_to(sys.stderr)
    try:
        asyncio.run(_serve(TokenEndpoint(given.state, seconds=given.seconds, resources=given.resource), given.port))
    except OSError as error:
        log.error("cannot start: %s", error)
        return 2
    return 0


async def _serve(endpoint: TokenEndpoint, port: int) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    url = await endpoint.start(port)
    print(f"ready url={url} pid={os.getpid()}", flush=True)
    await stopped.wait()
    await endpoint.stop()


if __name__ == "__main__":
    sys.exit(main())
