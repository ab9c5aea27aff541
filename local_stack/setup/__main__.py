"""Install what the local stack needs and this machine lacks: ``python -m local_stack.setup``.

Exit status 0: everything is there. 1: an installation failed. 2: root is needed; the one line to run is printed.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from cli.terminal import heed_interrupts
from local_stack.setup import node, packages


def main() -> int:
    """Check everything; install what is missing; say so only when there is something to say."""
    heed_interrupts()
    parser = argparse.ArgumentParser(prog="python -m local_stack.setup", description=__doc__)
    parser.add_argument("--benchmarks", action="store_true", help="also what only the benchmarks compare with")
    parser.add_argument("--tests", action="store_true", help="also what only the tests need: a browser for pages")
    arguments = parser.parse_args()
    chosen: tuple[packages.Package, ...] = packages.PACKAGES
    if arguments.benchmarks:
        chosen += packages.FOR_BENCHMARKS
    if arguments.tests:
        chosen += packages.FOR_TESTS
    return (
        _packages(chosen)
        or _node("Azurite", node.FOLDER)
        or (_node("what only tests need", node.FOR_TESTS) if arguments.tests else 0)
    )


def _packages(chosen: Sequence[packages.Package]) -> int:
    wanted = packages.missing(root=os.geteuid() == 0, docker=packages.docker_runs(), packages=chosen)
    if not wanted:
        return 0
    names = ", ".join(package.name for package in wanted)
    script = packages.install_script(wanted)
    command = packages.privilege()
    if command is None:
        print(f"setup: missing Debian packages: {names}")
        print(f"Run this once, then try again:\n\n  {packages.by_hand(script)}\n")
        return 2
    print(f"setup: Debian packages: {names}", flush=True)
    began = time.monotonic()
    if subprocess.run([*command, "sh", "-c", script], stdout=subprocess.DEVNULL, check=False).returncode:
        print(f"setup: apt failed; try it by hand:\n\n  {packages.by_hand(script)}\n", file=sys.stderr)
        return 1
    print(f"setup: Debian packages are installed ({time.monotonic() - began:.0f} s)", flush=True)
    return 0


def _node(what: str, folder: Path) -> int:
    if node.is_current(folder):
        return 0
    print(f"setup: {what} from npm", flush=True)
    began = time.monotonic()
    try:
        node.install(folder)
    except node.NodeError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    print(f"setup: {what} from npm is installed ({time.monotonic() - began:.0f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
