"""The container engine of a VM, over SSH: podman where it is installed, else docker."""

import io
import tarfile
from contextlib import closing
from functools import cached_property
from http.client import HTTPConnection, HTTPException
from typing import BinaryIO, Final, cast

import paramiko

from shared.clients.ssh import Finished, SshSession
from shared.clients.ssh_frames import printable
from shared.clients.ssh_login import trouble_on_vm
from shared.errors import Code, PermanentError, TransientError
from shared.serving.containers import SMOKE_PATH, Container, ContainerSpec, parse_inspect, run_arguments
from shared.telemetry import trace_headers

PULL_SECONDS: Final = 600.0  # a first dependency layer is some hundred megabytes
LONGEST_RUNROOT: Final = 50
"""Characters; with more, podman does not hear of a container's end and waits 20 s for it (podman 4.3 warns of it)."""
_REPLY_LIMIT: Final = 1024 * 1024
_LOG_LIMIT: Final = 4_000

_FIND_ENGINE: Final = """\
for engine in podman docker; do
    command -v "$engine" >/dev/null 2>&1 && exec echo "$engine"
done
echo "neither podman nor docker is installed" >&2
exit 1
"""

# The password comes on stdin, and goes into a folder that is gone when the script ends: it is never an argument, and
# nobody who logs in to the VM later can pull with it. The second trap is for shells such as dash, which a signal, as of
# a pull that takes too long, ends without the first. $1 engine, $2 image, $3 registry, $4 user (empty: no login).
_PULL: Final = """\
umask 077
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
trap 'exit 143' HUP INT TERM
printf '{}' > "$folder/auth.json"
export REGISTRY_AUTH_FILE="$folder/auth.json" DOCKER_CONFIG="$folder"
if [ -n "$4" ]; then
    "$1" login --username "$4" --password-stdin "$3" >/dev/null || exit 1
fi
"$1" pull --quiet "$2" >/dev/null
"""


# An engine forgets an exit code when it starts the container again; its events keep it. $1 engine, $2 container.
_LAST_EXIT: Final = """\
case "$1" in
podman) "$1" events --stream=false --since 1h --filter "container=$2" --filter event=died \
    --format '{{.ContainerExitCode}}' ;;
*) "$1" events --since 1h --until "$(date +%s)" --filter "container=$2" --filter event=die \
    --format '{{index .Actor.Attributes "exitCode"}}' ;;
esac | tail -n 1
"""
_PORT_TAKEN: Final = ("address already in use", "port is already allocated")


class ContainerEngine:
    """Runs, inspects and removes containers on the VM of an SSH session."""

    def __init__(self, session: SshSession, *, pull_username: str, pull_password: str) -> None:
        self._session = session
        self._pull_username = pull_username
        self._pull_password = pull_password

    @cached_property
    def name(self) -> str:
        """``podman`` or ``docker``; raises ``PermanentError`` when neither is installed."""
        found = self._session.script(_FIND_ENGINE)
        if found.status != 0:
            reason = f"{self._session.label}: {found.said}; install podman on the VM"
            raise PermanentError(reason, code=Code.TARGET_NOT_PREPARED)
        return found.stdout.decode().strip()

    def _call(self, *arguments: str, timeout: float = 60.0) -> Finished:
        return self._session.run([self.name, *arguments], timeout=timeout)

    def inspect(self, name: str) -> Container | None:
        """The state of the container of that name; None when there is none."""
        result = self._call("container", "inspect", name)
        if result.status != 0:
            if "no such container" in result.stderr.lower():
                return None
            self._session.expect(result, f"inspecting container {name}")
        try:
            return parse_inspect(result.stdout.decode("utf-8"))
        except ValueError as error:
            raise trouble_on_vm(f"{self._session.label}: inspecting container {name}: {error}") from error

    def pull(self, image: str) -> None:
        """Bring an image (by digest) onto the VM, unless it is there.

        Raises :class:`PermanentError` when the registry does not have it or refuses the credentials.
        """
        if self.has_image(image):
            return
        registry = image.split("/", 1)[0]
        result = self._session.script(
            _PULL,
            *(self.name, image, registry, self._pull_username),
            stdin=self._pull_password.encode("utf-8"),
            timeout=PULL_SECONDS,
        )
        if result.status == 0:
            return
        said = result.stderr.lower()
        if "manifest unknown" in said or "name unknown" in said:
            reason = f"{self._session.label}: the registry has no image {image}; build it again"
            raise PermanentError(reason, code=Code.REGISTRY_REFUSED)
        if "unauthorized" in said or "invalid username/password" in said or "authentication required" in said:
            reason = (
                f"{self._session.label}: registry {registry} refuses user {self._pull_username!r}; "
                "correct PULL_USERNAME and PULL_PASSWORD of this target in the app settings"
            )
            raise PermanentError(reason, code=Code.REGISTRY_REFUSED)
        self._session.expect(result, f"pulling {image}")

    def start(self, spec: ContainerSpec) -> None:
        """Start a container in the background; its image must be on the VM."""
        started = self._call(*run_arguments(spec, engine=self.name), timeout=120.0)
        if started.status != 0 and any(words in started.stderr.lower() for words in _PORT_TAKEN):
            raise TransientError(
                f"{self._session.label}: container {spec.name} cannot get its port {spec.port}, because another "
                "program on the VM uses it; stop that program (ss -ltnp there names it)"
            )
        self._session.expect(started, f"starting container {spec.name}")

    def start_again(self, name: str) -> bool:
        """Start a container that is there and does not run, as after a reboot; False when that does not work."""
        return self._call("start", name, timeout=120.0).status == 0

    def remove_image(self, image: str) -> bool:
        """Remove an image that nothing uses; whether it is not there any more. One that is in use is left."""
        return self._call("image", "rm", image).status == 0 or not self.has_image(image)

    def has_image(self, image: str) -> bool:
        """Whether an image is on the VM."""
        return self._call("image", "inspect", "--format", "{{.Id}}", image).status == 0

    def remove(self, name: str) -> None:
        """Stop and remove a container that gets no traffic any more. No error when there is none.

        Also one that podman was killed over while it made it: it has its name, and is shown to nobody who asks for it.
        """
        removed = self._call("rm", "--force", name)
        if self.inspect(name) is not None:
            self._session.expect(removed, f"removing container {name}")
            raise trouble_on_vm(f"{self._session.label}: container {name} is still there after its removal")

    def last_log(self, name: str, *, lines: int = 20) -> str:
        """The end of what a container wrote, its lines joined by bars; empty when that is not known."""
        result = self._call("logs", "--tail", str(lines), name)
        if result.status != 0:
            return ""
        written = (result.stdout.decode("utf-8", "replace") + result.stderr).strip().splitlines()
        return printable(" | ".join(written).encode(), _LOG_LIMIT)

    def last_exit(self, name: str) -> int | None:
        """The exit code with which a container ended last; None when it did not within an hour, or it is unknown."""
        result = self._session.script(_LAST_EXIT, self.name, name)
        code = result.stdout.strip()
        return int(code) if result.status == 0 and code.isdigit() else None

    def smoke_text(self, name: str) -> str | None:
        """The text of the smoke sample in a container, or None when its image has none."""
        result = self._call("cp", f"{name}:{SMOKE_PATH}", "-")
        if result.status != 0:
            if any(
                words in result.stderr.lower() for words in ("could not find", "could not be found", "no such file")
            ):
                return None
            self._session.expect(result, f"reading the smoke sample of {name}")
        try:
            with tarfile.open(fileobj=io.BytesIO(result.stdout)) as archive:
                for member in archive:
                    if member.isfile() and (content := archive.extractfile(member)) is not None:
                        return content.read().decode("utf-8")
        except (tarfile.TarError, UnicodeDecodeError):
            return None
        return None


class LoopbackHttp:
    """HTTP to the VM's loopback through the SSH connection: nothing needs an open port, or curl on the VM."""

    def __init__(self, session: SshSession) -> None:
        self._session = session

    def get_status(self, port: int, path: str, *, timeout: float) -> int | None:
        """The status of a GET, or None while nothing there speaks HTTP."""
        try:
            return self._exchange(port, "GET", path, None, timeout)[0]
        except TransientError:
            return None

    def post_json(self, port: int, path: str, body: bytes, *, timeout: float) -> tuple[int, bytes]:
        """Status and body of a POST; raises :class:`TransientError` when no answer comes."""
        return self._exchange(port, "POST", path, body, timeout)

    def _exchange(self, port: int, method: str, path: str, body: bytes | None, timeout: float) -> tuple[int, bytes]:
        headers = {"Host": "localhost", "Connection": "close", **trace_headers()}
        if body is not None:
            headers["Content-Type"] = "application/json"
        with closing(self._session.open_tcp(port, timeout=timeout)) as channel:
            connection = HTTPConnection("localhost", port)
            connection.sock = _Stream(channel)
            try:
                connection.request(method, path, body=body, headers=headers)
                response = connection.getresponse()
                reply = response.read(_REPLY_LIMIT)
                if response.length:  # the library does not mind a connection that ends before the promised length
                    raise HTTPException(f"its answer was cut, or has more than {_REPLY_LIMIT} bytes")
                return response.status, reply
            except (OSError, EOFError, HTTPException) as error:
                cause = " ".join(str(error).split()) or type(error).__name__
                raise trouble_on_vm(f"{self._session.label}: {method} {path} on port {port}: {cause[:500]}") from error


class _Stream:
    """A channel in the part of a socket, as ``http.client`` uses one.

    It closes the socket before it reads the body, for which a socket stays open behind its file. A channel would not,
    so closing is left to the channel's owner.
    """

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel

    def sendall(self, data: bytes) -> None:
        self._channel.sendall(data)

    def makefile(self, mode: str) -> BinaryIO:
        return cast(BinaryIO, self._channel.makefile(mode))

    def close(self) -> None:
        pass
