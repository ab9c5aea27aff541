"""Run the stand-in: ``python -m local_stack.azure_ml --state DIR``."""

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

from local_stack.azure_ml.server import Server


def main() -> int:
    """Serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m local_stack.azure_ml", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="folder of the workspace; kept between runs")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 chooses a free one")
    parser.add_argument("--known-hosts", type=Path, help="host keys of compute targets; any is taken without")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    logging.getLogger("paramiko").setLevel(logging.WARNING)
    asyncio.run(_serve(arguments))
    return 0


async def _serve(arguments: argparse.Namespace) -> None:
    server = Server(arguments.state, arguments.port, arguments.known_hosts)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    print(f"azure_ml ready on {await server.start()}", flush=True)
    await stopped.wait()
    await server.stop()


if __name__ == "__main__":
    sys.exit(main())
