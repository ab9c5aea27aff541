"""The VM's containers across a stop and a start of the VM, as ``podman-restart.service`` handles them at a boot.

Start: clear what an unclean end left, start every container whose restart policy is ``always``, write the ready file.
SIGTERM: stop all containers in good order. Run as ``python -m local_stack.stack_hub.containers --engine NAME ...``.
"""

import argparse
import json
import logging
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from local_stack.files import private_folder
from local_stack.logs import log_to
from local_stack.stack_hub.engine import OWNER_LABEL, networks_folder

_STOP_SECONDS = 5
_ID_LENGTH = 64  # of a container, in hexadecimal digits
_log = logging.getLogger("containers")


class Podman:
    """Podman on a storage of its own: every container it knows is ours."""

    def __init__(self, storage: Path, runtime: Path, environment: Mapping[str, str]) -> None:
        self._storage = storage
        self._runtime = runtime
        self._environment = environment

    def boot(self) -> None:
        """Do what a reboot of the machine would have done, then start what is meant to run always."""
        self.halt()
        private_folder(self._runtime)
        if self._has_containers():
            self._run("start", "--all", "--filter", "restart-policy=always")

    def halt(self) -> None:
        """Stop what still runs after an unclean end, and forget all that a reboot would forget."""
        if self._runtime.exists() and self._has_containers():
            # Processes and port forwards are taken back while podman still knows of them.
            self.stop()
        for mount in mounts_below(self._storage, self._runtime):
            _run(["umount", "--lazy", mount])
        shutil.rmtree(self._runtime, ignore_errors=True)

    def stop(self) -> None:
        """Stop every container; their storage stays."""
        self._run("stop", "--all", "--ignore", "--time", str(_STOP_SECONDS))
        self._run("container", "cleanup", "--all")
        forget_forwards(containers_in(self._storage))
        forget_bridges(networks_folder(Path(self._environment["CONTAINERS_CONF"]).parent))

    def _has_containers(self) -> bool:
        return (self._storage / "overlay-containers").exists()

    def _run(self, *arguments: str) -> None:
        _run(["podman", *arguments], self._environment)


class Docker:
    """Docker's daemon, shared with the rest of the machine: containers with our label are ours."""

    def boot(self) -> None:
        """Start what was stopped with the stack."""
        self._each("start")

    def stop(self) -> None:
        """Stop our containers; their storage stays."""
        self._each("stop", "--time", str(_STOP_SECONDS))

    def _each(self, *action: str) -> None:
        listing = subprocess.run(
            ["docker", "ps", "--all", "--quiet", "--filter", f"label={OWNER_LABEL}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if ids := listing.stdout.split():
            _run(["docker", *action, *ids])


def forget_bridges(networks: Path) -> None:
    """Take back what a machine forgets when it goes down: bridges of containers, and the firewall's rules for them."""
    for file in networks.glob("edgetrain-*.conflist"):
        bridge = json.loads(file.read_text(encoding="utf-8"))["plugins"][0]["bridge"]
        rule = ["INPUT", "-i", bridge, "-m", "conntrack", "--ctstate", "NEW", "-j", "REJECT"]
        for firewall in filter(shutil.which, ("iptables", "ip6tables")):
            while subprocess.run([firewall, "-w", "-D", *rule], capture_output=True, check=False).returncode == 0:
                pass
        subprocess.run(["ip", "link", "delete", bridge], capture_output=True, check=False)


def containers_in(storage: Path) -> set[str]:
    """The ids of the containers that podman has in a storage."""
    kept = storage / "overlay-containers"
    folders = kept.iterdir() if kept.is_dir() else ()
    return {folder.name for folder in folders if len(folder.name) == _ID_LENGTH}


def forget_forwards(containers: Collection[str]) -> None:
    """Take back the firewall's rules that send what comes for a port to one of these containers.

    Podman does that itself, but for containers whose engine was killed: their rules would stay until the machine goes
    down, and whoever gets such a port later would never be reached.
    """
    if not containers or shutil.which("iptables") is None:
        return
    table = ["iptables", "-w", "-t", "nat"]
    listed = subprocess.run([*table, "-S"], capture_output=True, text=True, check=False).stdout
    for line in listed.splitlines():
        words = shlex.split(line)
        if words[0] != "-A" or not any(each in line for each in containers):
            continue
        subprocess.run([*table, "-D", *words[1:]], capture_output=True, check=False)
        chain = words[-1]  # one of the container's own, which only this rule leads to
        for forget in ("-F", "-X"):
            subprocess.run([*table, forget, chain], capture_output=True, check=False)


def _run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    # A container that does not start or stop is logged; the VM comes up all the same.
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    _log.log(
        logging.WARNING if result.returncode else logging.INFO, "%s: exit %d", " ".join(command), result.returncode
    )
    for line in filter(None, [*result.stdout.splitlines(), *result.stderr.splitlines()]):
        _log.info("  %s", line)


def mounts_below(*folders: Path) -> list[str]:
    """Mount points below the folders, innermost first (``mountinfo`` in proc(5), where blanks are octal escapes)."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    points = [line.split()[4].replace("\\040", " ") for line in lines]
    ours = [point for point in points if any(Path(point).is_relative_to(folder) for folder in folders)]
    return sorted(ours, key=len, reverse=True)


def main() -> None:
    """Parse the command line, boot, wait for SIGTERM, stop."""
    parser = argparse.ArgumentParser(description="starts and stops the VM's containers with the VM")
    parser.add_argument("--engine", choices=["podman", "docker"], required=True)
    parser.add_argument("--storage", type=Path, required=True)
    parser.add_argument("--runtime", type=Path, required=True)
    parser.add_argument("--ready", type=Path, required=True)
    arguments = parser.parse_args()
    log_to(sys.stderr)
    # Blocked from the first moment: a SIGTERM that comes while containers start is taken when they have started.
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    podman = arguments.engine == "podman"
    engine = Podman(arguments.storage, arguments.runtime, os.environ) if podman else Docker()
    engine.boot()
    arguments.ready.touch()
    signal.sigwait(signals)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    engine.stop()


if __name__ == "__main__":
    main()
