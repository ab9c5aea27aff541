"""Run the stand-in: ``python -m local_stack.azure_ml --state DIR``."""

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

from local_stack.azure_ml.execution import Execution
from local_stack.azure_ml.server import Server
from local_stack.azure_ml.workspace import StateInUseError, Workspace
from local_stack.identity.tokens import Issuer
from local_stack.logs import log_to

log = logging.getLogger("azure_ml")


def main() -> int:
    """Serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m local_stack.azure_ml", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="folder of the workspace; kept between runs")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 chooses a free one")
    parser.add_argument("--known-hosts", type=Path, help="host keys of VMs; without, the first one seen is pinned")
    parser.add_argument("--vm-patience", type=float, default=20.0, help="seconds a VM may be out of reach")
    parser.add_argument("--pace", type=float, default=0.5, help="seconds between two looks at a training")
    parser.add_argument("--attach-seconds", type=float, default=1.5, help="until an attached compute is ready")
    parser.add_argument("--issuer", type=Path, help="of local_stack.identity: take its tokens too")
    parser.add_argument(
        "--event-grid", type=Path, help="endpoints.json of local_stack.event_grid: told of the end of runs"
    )
    arguments = parser.parse_args()
    log_to(sys.stderr)
    logging.getLogger("paramiko").setLevel(logging.WARNING)
    try:
        asyncio.run(_serve(arguments))
    except (StateInUseError, OSError) as error:
        log.error("cannot start: %s", error)
        return 2
    return 0


async def _serve(arguments: argparse.Namespace) -> None:
    workspace = Workspace.open(arguments.state)
    workspace.attach_seconds = arguments.attach_seconds
    workspace.issuer = Issuer.open(arguments.issuer) if arguments.issuer else None
    execution = Execution(
        workspace,
        known_hosts=arguments.known_hosts,
        patience=arguments.vm_patience,
        pace=arguments.pace,
    )
    server = Server(workspace, execution, arguments.port, event_grid=arguments.event_grid)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    print(f"azure_ml ready on {await server.start()}", flush=True)
    await stopped.wait()
    await server.stop()


if __name__ == "__main__":
    sys.exit(main())
