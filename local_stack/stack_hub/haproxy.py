"""HAProxy on the VM: the part of its configuration that belongs to the machine.

Pipelines add theirs as one file each in ``serving/conf.d`` below the VM's home and call ``bin/reload-haproxy``. HAProxy
runs as master and worker, so a reload starts a new worker on the same sockets and lets the old one finish its requests.
"""

import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local_stack.files import private_folder, write_private
from shared.serving.haproxy import BUFFER_BYTES

HOST: Final = "127.0.0.1"
HEALTH_PATH: Final = "/healthz"
RELOAD_COMMAND: Final = "reload-haproxy"
_RELOAD_PROGRAM: Final = Path(__file__).with_name("haproxy_reload.py")


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
        program = shutil.which("haproxy") or "/usr/sbin/haproxy"
        return [program, "-W", "-db", "-S", f"{self.master_socket},mode,600", *self._files()]

    def configure(self) -> None:
        """Write the machine's part of the configuration and the reload command."""
        private_folder(self.pipelines)
        private_folder(self.runtime)
        self._link_admin_socket()
        write_private(self.main_file, self._main())
        check = [shutil.which("haproxy") or "/usr/sbin/haproxy", "-c", *self._files()]
        reload = [sys.executable, "-I", str(_RELOAD_PROGRAM), str(self.master_socket), "--", *check]
        comment = "# Checks HAProxy's configuration, then loads it without losing a request."
        write_private(
            self.home / "bin" / RELOAD_COMMAND, f"#!/bin/sh\n{comment}\nexec {shlex.join(reload)}\n", mode=0o700
        )

    def _link_admin_socket(self) -> None:
        link = self.home / "serving" / "haproxy.sock"
        if link != self.admin_socket:
            link.unlink(missing_ok=True)
            link.symlink_to(self.admin_socket)

    def _files(self) -> list[str]:
        return ["-f", str(self.main_file), "-f", str(self.pipelines)]

    def _main(self) -> str:
        return "\n".join(
            [
                "global",
                "  log stderr format raw daemon notice",
                f'  stats socket "{self.admin_socket}" level admin mode 600 expose-fd listeners',
                "  hard-stop-after 30s",
                "  maxconn 1000",
                # Requests are taken in whole before a model sees them.
                f"  tune.bufsize {BUFFER_BYTES}",
                "",
                "defaults",
                "  mode http",
                "  log global",
                "  option dontlognull",
                "  timeout connect 2s",
                "  timeout http-request 10s",
                "  timeout client 60s",
                "  timeout server 60s",
                "",
                "frontend edgetrain_health",
                f"  bind {HOST}:{self.health_port}",
                f"  monitor-uri {HEALTH_PATH}",
                "",
            ]
        )
