"""The training and serving VM: OpenSSH's own server on a loopback port, with a home and an environment of its own."""

import os
import pwd
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local_stack.files import private_folder, write_object, write_private
from local_stack.stack_hub.site_keys import ensure_site_key
from local_stack.stack_hub.ssh_keys import ensure_key, known_hosts_line

HOST: Final = "127.0.0.1"
HUB_API_VERSION: Final = "2019-07-07"
SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_HERE: Final = Path(__file__).parent
_VM_FILES: Final = _HERE.resolve().parents[1] / "infra" / "hub" / "vm"
_SFTP_SERVERS: Final = ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server")
_PRIVILEGE_SEPARATION: Final = Path("/run/sshd")


@dataclass(frozen=True, slots=True)
class Vm:
    """The VM below ``folder``; ``runtime`` is its ``/run``."""

    folder: Path
    runtime: Path
    port: int

    @property
    def home(self) -> Path:
        """What a session sees as its home."""
        return self.folder / "home"

    @property
    def etc(self) -> Path:
        """The VM's configuration."""
        return self.folder / "etc"

    @property
    def storage(self) -> Path:
        """Images and containers."""
        return self.folder / "containers"

    @property
    def engine_configuration(self) -> Path:
        """Where the container engine's configuration is written."""
        return self.etc / "containers"

    @property
    def engine_runtime(self) -> Path:
        """Where podman keeps what a reboot forgets; apart, as it is wiped when containers are started anew."""
        return self.runtime / "engine"

    @property
    def client_key(self) -> Path:
        """The private key clients log in with."""
        return self.folder / "keys" / "client"

    @property
    def known_hosts(self) -> Path:
        """Pins the host key, in OpenSSH's form."""
        return self.folder / "keys" / "known_hosts"

    @property
    def username(self) -> str:
        """The user clients log in as: the one who runs the stack, as nobody else could without being root."""
        return pwd.getpwuid(os.geteuid()).pw_name

    def host_key(self) -> str:
        """The public host key that clients pin, ``ssh-ed25519 AAAA...``; generated at the first call."""
        return ensure_key(self.folder / "keys" / "host")

    def receipt_key(self) -> str:
        """The public key (PEM) that receipts of this VM are checked with; generated at the first call."""
        return ensure_site_key(self.home)

    def command(self) -> list[str]:
        """The server in the foreground, logging to stderr. It must be started by its absolute path."""
        program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}") or "/usr/sbin/sshd"
        return [program, "-D", "-e", "-f", str(self.etc / "sshd_config")]

    def configure(self, session_environment: Mapping[str, str], *, marker: Mapping[str, str]) -> None:
        """Write keys, the server's configuration and what a session gets. ``marker`` goes into every session."""
        private_folder(self.home / "bin")
        public = ensure_key(self.client_key)
        write_private(self.etc / "authorized_keys", f"{public} edgetrain\n")
        self.receipt_key()
        write_private(self.known_hosts, known_hosts_line(HOST, self.port, self.host_key()))
        self._install_python()
        environment = {**self.environment(), **session_environment, **marker}
        lines = [f"{name}={shlex.quote(value)}\n" for name, value in environment.items()]
        write_private(self.etc / "environment", "".join(lines))
        session = (_HERE / "session.sh").read_text(encoding="utf-8")
        session = session.replace("'@ENVIRONMENT@'", shlex.quote(str(self.etc / "environment")))
        write_private(self.etc / "session", session, mode=0o700)
        write_private(self.etc / "sshd_config", self._sshd_config(marker))
        if os.geteuid() == 0:
            # The packaged server, started as root, insists on this folder; systemd makes it for the system's own.
            _PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)

    def environment(self) -> dict[str, str]:
        """Who and where one is on the VM."""
        return {
            "HOME": str(self.home),
            "PATH": f"{self.home}/bin:{SYSTEM_PATH}",
            "LANG": "C.UTF-8",
            "USER": self.username,
            "LOGNAME": self.username,
            "XDG_RUNTIME_DIR": os.environ.get("XDG_RUNTIME_DIR", str(self.runtime)),
        }

    def grant_hub_access(self, site: str, connection_string: str) -> None:
        """Give the VM, and nobody else, the credentials by which training reads a site's data."""
        write_object(
            self.home / ".config" / "edgetrain" / "sites" / f"{site}.json",
            {"connection_string": connection_string, "api_version": HUB_API_VERSION},
        )

    def _install_python(self) -> None:
        # A script and not a link: environments made from it then name the real interpreter and its library.
        name = f"python{sys.version_info.major}.{sys.version_info.minor}"
        interpreter = Path(sys.base_prefix) / "bin" / name
        for alias in ("python3", name):
            text = f'#!/bin/sh\nexec {shlex.quote(str(interpreter))} "$@"\n'
            write_private(self.home / "bin" / alias, text, mode=0o700)

    def _sshd_config(self, marker: Mapping[str, str]) -> str:
        sftp = next((path for path in _SFTP_SERVERS if Path(path).exists()), _SFTP_SERVERS[0])
        # Before the session script runs, the login shell already reads files in HOME.
        variables = {"HOME": str(self.home), **marker}
        lines = [
            f"ListenAddress {HOST}:{self.port}",
            f"HostKey {_quoted(self.folder / 'keys' / 'host')}",
            f"AuthorizedKeysFile {_quoted(self.etc / 'authorized_keys')}",
            f"AllowUsers {self.username}",
            "PermitRootLogin prohibit-password",
            "UsePAM no",
            # The files are ours with mode 0600; where the checkout lies, and who may write above it, is not our matter.
            "StrictModes no",
            "PidFile none",
            "LogLevel INFO",
            *(_VM_FILES / "sshd_common.conf").read_text(encoding="utf-8").splitlines(),
            f"SetEnv {' '.join(_assignment(name, value) for name, value in variables.items())}",
            f"ForceCommand {shlex.quote(str(self.etc / 'session'))}",
            f"Subsystem sftp {sftp}",
        ]
        return "\n".join(lines) + "\n"


def _quoted(path: Path) -> str:
    # Percent signs are tokens to sshd (TOKENS in sshd_config(5)).
    return '"' + str(path).replace("%", "%%") + '"'


def _assignment(name: str, value: str) -> str:
    return f'{name}="{value}"' if " " in value else f"{name}={value}"
