"""HAProxy on the VM: the part of its configuration that belongs to the machine.

Pipelines add theirs as one file each in ``serving/conf.d`` below the VM's home and call ``bin/reload-haproxy``. HAProxy
runs as master and worker, so a reload starts a new worker on the same sockets and lets the old one finish its requests.
"""

import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local_stack.files import private_folder, write_private

HOST: Final = "127.0.0.1"
HEALTH_PATH: Final = "/healthz"
RELOAD_COMMAND: Final = "reload-haproxy"
_VM_FILES: Final = Path(__file__).resolve().parents[2] / "infra" / "hub" / "vm"
"""What the VM on a hub is prepared with."""


@dataclass(frozen=True, slots=True)
class HaProxy:
    """HAProxy for the VM with the given home; ``runtime`` holds its sockets."""

    etc: Path
    home: Path
    runtime: Path
    health_port: int

    @property
    def main_file(self) -> Path:
        """The machine's part of the configuration."""
        return self.etc / "haproxy.cfg"

    @property
    def pipelines(self) -> Path:
        """The folder of which every ``*.cfg`` is read, in order of name."""
        return self.home / "serving" / "conf.d"

    @property
    def admin_socket(self) -> Path:
        """The runtime API of the worker: enable and disable servers, show statistics.

        On the VM it is ``serving/haproxy.sock`` below the home, a link, for a socket's own path must be short.
        """
        return self.runtime / "haproxy.sock"

    @property
    def master_socket(self) -> Path:
        """The API of the master process, which reloads."""
        return self.runtime / "haproxy-master.sock"

    @property
    def health_url(self) -> str:
        """Answers 200 when HAProxy itself runs, whatever the pipelines do."""
        return f"http://{HOST}:{self.health_port}{HEALTH_PATH}"

    def command(self) -> list[str]:
        """Master and worker in the foreground."""
        return [_program(), "-W", "-db", "-S", f"{self.master_socket},mode,600", *self._files()]

    def configure(self) -> None:
        """Write the machine's part of the configuration and the reload command."""
        private_folder(self.pipelines)
        private_folder(self.runtime)
        self._link_admin_socket()
        write_private(self.main_file, self._main())
        write_private(self.home / "bin" / RELOAD_COMMAND, self._reload(), mode=0o700)

    def _link_admin_socket(self) -> None:
        link = self.home / "serving" / "haproxy.sock"
        if link != self.admin_socket:
            link.unlink(missing_ok=True)
            link.symlink_to(self.admin_socket)

    def _files(self) -> list[str]:
        return ["-f", str(self.main_file), "-f", str(self.pipelines)]

    def _main(self) -> str:
        places = {"@ADMIN_SOCKET@": str(self.admin_socket), "@HEALTH@": f"{HOST}:{self.health_port}"}
        return _filled("haproxy.cfg", places)

    def _reload(self) -> str:
        places = {
            "@PYTHON@": sys.executable,
            "@PROGRAM@": str(_VM_FILES / "reload_haproxy.py"),
            "@MASTER_SOCKET@": str(self.master_socket),
            "@HAPROXY@": _program(),
            "@MAIN@": str(self.main_file),
            "@PIPELINES@": str(self.pipelines),
        }
        return _filled(RELOAD_COMMAND, {place: shlex.quote(value) for place, value in places.items()})


def _program() -> str:
    return shutil.which("haproxy") or "/usr/sbin/haproxy"


def _filled(name: str, places: Mapping[str, str]) -> str:
    """A file of the hub's VM with its places filled in."""
    text = (_VM_FILES / name).read_text(encoding="utf-8")
    for place, value in places.items():
        text = text.replace(place, value)
    return text
