"""A root file system to prepare as the hub's VM: the machine's own Debian, or another, below a layer that goes.

Every command runs in namespaces of its own for mounts, processes and the host's name, so nothing outlives it.
No systemd runs there.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.hub.custom_data import VmFile

_ENTER = """\
set -e
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
mount -t proc proc "$2/root/proc"
mount --bind /dev "$2/root/dev"
echo entered
exec sleep infinity
"""
_SPACES = ("--mount", "--pid", "--uts")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LOCAL = ("env", "-i", f"PATH={_PATH}", "HOME=/root", "LANG=C.UTF-8")


def missing_for_a_root(*besides: str) -> str:
    """Why no such root can be made here; empty when it can. ``besides``: more programs that are needed."""
    if os.geteuid() != 0:
        return "needs root, to make a root file system"
    needed = ("apt-get", "haproxy", "podman", "sshd", "unshare", *besides)
    if missing := [name for name in needed if not _found(name)]:
        return f"needs a Debian with {', '.join(missing)}"
    try:
        with hub_root():
            return ""
    except OSError as error:
        return f"needs an overlay file system: {error}"


def _found(name: str) -> bool:
    return shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is not None


@dataclass(frozen=True)
class HubRoot:
    """``pid``: the process that holds its namespaces; ``upper``: what was changed in it."""

    folder: Path
    pid: int

    @property
    def upper(self) -> Path:
        return self.folder / "upper"

    @property
    def path(self) -> Path:
        """The root as programs in it see it."""
        return Path(f"/proc/{self.pid}/root{self.folder}/root")

    def at(self, path: str) -> Path:
        """A file in it."""
        return self.path / path.lstrip("/")

    def command(self, *words: str, network: bool = True) -> list[str]:
        """What runs a program in there."""
        entered = ["nsenter", "--target", str(self.pid), *_SPACES, "chroot", str(self.folder / "root")]
        return [*([] if network else ["unshare", "--net"]), *entered, *_LOCAL, *words]

    def run(self, *words: str, stdin: str = "", network: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words, network=network),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    def shell(self, text: str) -> str:
        """The output of a script that must succeed."""
        done = self.run("sh", "-euc", text)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def lay(self, files: Sequence[VmFile]) -> None:
        """As cloud-init's write_files does."""
        for each in files:
            path = self.at(each.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(each.content)
            path.chmod(each.mode)

    def settle(self, name: str, value: str) -> None:
        """Change one of the VM's settings, as its operator would."""
        file = self.at("etc/edgetrain/hub.env")
        file.write_text(f"{file.read_text()}{name}='{value}'\n")

    def provision(self, *, network: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run("/usr/local/sbin/edgetrain-provision", network=network)

    def state(self) -> dict[str, tuple[int, int, int, str]]:
        """Everything that was changed in it: mode, owner, time of each file, and where links lead."""
        found = {}
        for path in sorted(self.upper.rglob("*")):
            about = path.lstat()
            folder = path.is_dir() and not path.is_symlink()
            link = str(path.readlink()) if path.is_symlink() else ""
            changed = 0 if folder else about.st_mtime_ns
            found[str(path.relative_to(self.upper))] = (about.st_mode, about.st_uid, changed, link)
        return found


@contextmanager
def hub_root(lower: Path = Path("/")) -> Iterator[HubRoot]:
    """A root above ``lower``, gone at the end of the ``with`` block with everything that runs in it.

    In memory: it may not lie in ``lower`` itself. Raises :class:`OSError` when this machine allows no such thing.
    """
    with tempfile.TemporaryDirectory(prefix="edgetrain-hub-", dir="/dev/shm") as name:
        for part in ("upper", "work", "root"):
            (Path(name) / part).mkdir()
        words = ["unshare", *_SPACES, "--fork", "--kill-child", "sh", "-c", _ENTER, "sh", str(lower), name]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as keeper:
            try:
                assert keeper.stdout is not None
                assert keeper.stderr is not None
                if keeper.stdout.readline() != "entered\n":
                    raise OSError(keeper.stderr.read().strip())
                children = Path(f"/proc/{keeper.pid}/task/{keeper.pid}/children").read_text().split()
                yield HubRoot(Path(name), int(children[0]))
            finally:
                keeper.kill()  # and its namespace with it
