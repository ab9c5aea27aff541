"""The Debian packages of the local stack: which are missing, and the command that installs them."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

# Installed packages put daemons here that a login shell's PATH may leave out.
_SYSTEM = "/usr/local/sbin:/usr/sbin:/sbin"
_SYSTEMD = Path("/run/systemd/system")


@dataclass(frozen=True, slots=True)
class Package:
    """A Debian package, the programs by which we see that it is there, and the service it would start by itself."""

    name: str
    programs: tuple[str, ...]
    unit: str = ""
    rootless: bool = False
    """Needed only when the stack is not run by root."""


PACKAGES = (
    Package("podman", ("podman",)),
    Package("runc", ("runc",)),
    Package("containernetworking-plugins", ("/usr/lib/cni/portmap",)),
    Package("iptables", ("iptables",)),
    Package("haproxy", ("haproxy",), unit="haproxy.service"),
    Package("openssh-server", ("sshd", "/usr/lib/openssh/sftp-server"), unit="ssh.service"),
    Package("docker-registry", ("docker-registry",), unit="docker-registry.service"),
    Package("mmdebstrap", ("mmdebstrap",)),
    Package("uidmap", ("newuidmap",), rootless=True),
    Package("slirp4netns", ("slirp4netns",), rootless=True),
    Package("fuse-overlayfs", ("fuse-overlayfs",), rootless=True),
)
FOR_BENCHMARKS = (Package("buildah", ("buildah",)),)
"""What ``make bench`` compares with; nothing else needs it."""
CHROMIUM = "chromium"
FOR_TESTS = (
    Package("chromium", (CHROMIUM,)),
    # With the same letters on every machine, pages are as wide, and pictures of them as well.
    Package("fonts-noto-core", ("/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf",)),
)
"""What tests of pages open them in; nothing else needs it."""
_OF_PODMAN = {"podman", "runc", "containernetworking-plugins", "iptables", "uidmap", "slirp4netns", "fuse-overlayfs"}


def is_installed(program: str) -> bool:
    """Whether a program, by name or absolute path, is there."""
    if program.startswith("/"):
        return Path(program).exists()
    return shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM}") is not None


def missing(
    *, root: bool, docker: bool, installed: Callable[[str], bool] = is_installed, packages: Sequence[Package] = PACKAGES
) -> list[Package]:
    """The packages to install. ``docker``: a Docker engine runs here, which does instead of podman and its parts."""
    wanted = [package for package in packages if not (package.rootless and root)]
    if docker:
        wanted = [package for package in wanted if package.name not in _OF_PODMAN]
    return [package for package in wanted if not all(installed(program) for program in package.programs)]


def docker_runs() -> bool:
    """Whether a Docker engine answers; asked only where podman is not installed."""
    if is_installed("podman") or not is_installed("docker"):
        return False
    return subprocess.run(["docker", "version"], capture_output=True, check=False, timeout=20).returncode == 0


def install_script(packages: Sequence[Package], *, systemd: bool | None = None) -> str:
    """The shell line that installs the packages, for root.

    The packages would start a system-wide SSH server, registry and HAProxy; the stack runs its own, on loopback, so
    these units are masked before they exist. Packages that are installed already are not touched.
    """
    names = " ".join(package.name for package in packages)
    install = f"apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends {names}"
    units = " ".join(package.unit for package in packages if package.unit)
    has_systemd = _SYSTEMD.is_dir() if systemd is None else systemd
    return f"systemctl mask {units} && {install}" if units and has_systemd else install


def privilege() -> list[str] | None:
    """What to put before a command to run it as root without a password; ``None`` if there is no way."""
    if os.geteuid() == 0:
        return []
    if is_installed("sudo"):
        allowed = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
        if allowed.returncode == 0:
            return ["sudo", "-n"]
    return None


def by_hand(script: str) -> str:
    """The one line that a person with a password types."""
    return f"sudo sh -c {shlex.quote(script)}"
