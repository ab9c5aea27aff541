"""Run the stand-in: ``python -m local_stack.azure_arm --state DIR --runtime DIR --registry HOST:PORT``."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from local_stack.azure_arm.account import Account, StateInUseError
from local_stack.azure_arm.balancer import Balancer
from local_stack.azure_arm.engine import Containers
from local_stack.azure_arm.environment import Environment
from local_stack.azure_arm.server import Server
from local_stack.azure_arm.state import State
from local_stack.files import private_folder
from local_stack.identity.tokens import Issuer
from local_stack.logs import log_to
from local_stack.stack_hub import engine
from local_stack.stack_hub.containers import Podman

log = logging.getLogger("azure_arm")


def main() -> int:
    """Serve until SIGTERM or Ctrl-C; then containers stop too, and the next start brings them back."""
    parser = argparse.ArgumentParser(prog="python -m local_stack.azure_arm", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="folder of the account; kept between runs")
    parser.add_argument("--runtime", type=Path, required=True, help="folder for sockets; a short path")
    parser.add_argument("--registry", required=True, help="host:port that images may be pulled from without TLS")
    parser.add_argument("--layers", type=Path, help="a storage of unpacked layers that is read besides its own")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 chooses a free one")
    parser.add_argument("--provision-seconds", type=float, default=0.5, help="the least that an operation takes")
    parser.add_argument("--issuer", type=Path, help="of local_stack.identity: take its tokens too")
    arguments = parser.parse_args()
    log_to(sys.stderr)
    try:
        asyncio.run(_serve(arguments))
    except (StateInUseError, engine.NoEngineError, OSError) as error:
        log.error("cannot start: %s", error)
        return 2
    return 0


async def _serve(arguments: argparse.Namespace) -> None:
    issuer = Issuer.open(arguments.issuer) if arguments.issuer else None
    account = Account.open(arguments.state.resolve(), issuer)
    configuration, runtime = account.folder / "engine", private_folder(arguments.runtime.resolve())
    storage = account.folder / "containers"
    places = {"storage": storage, "runtime": runtime / "engine", "layers": arguments.layers}
    engine.configure_podman(configuration, **places, registry=arguments.registry)
    found = engine.find(configuration)
    podman = Podman(storage, runtime / "engine", {**os.environ, **found.environment})
    if found.name == "podman":
        await asyncio.to_thread(podman.boot)
    environment = Environment(
        account,
        State.load(account.folder / "state.json"),
        Containers(found, os.environ),
        Balancer(account.folder / "haproxy", runtime),
        arguments.provision_seconds,
    )
    server = Server(environment, arguments.port)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    print(f"azure_arm ready on {await server.start()}", flush=True)
    await stopped.wait()
    await server.stop()
    if found.name == "podman":
        await asyncio.to_thread(podman.stop)


if __name__ == "__main__":
    sys.exit(main())
