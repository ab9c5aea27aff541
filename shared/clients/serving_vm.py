"""A VM that serves models: the operations of the roll-out activities, over SSH, container engine and HAProxy."""

import json
from contextlib import AbstractContextManager
from typing import Any, Final

from shared.clients.ssh import SshSession
from shared.clients.vm_containers import ContainerEngine, LoopbackHttp
from shared.clients.vm_haproxy import HaproxyRuntime
from shared.clients.vm_networks import ensure_network, remove_network
from shared.clients.vm_serving.settings import VmSettings
from shared.errors import Code, PermanentError
from shared.serving.containers import Container, ContainerSpec
from shared.serving.slots import Colour, Slot, parse_slot, slot_path, slot_text

HEALTH_TIMEOUT: Final = 5.0
SCORE_TIMEOUT: Final = 60.0
BRING_IN_SECONDS: Final = 15.0
DRAIN_SECONDS: Final = 10.0


class ServingVm:
    """One connection to a serving VM. Everything is addressed by pipeline, colour or container name."""

    def __init__(self, session: SshSession, target: VmSettings) -> None:
        self._session = session
        self._target = target
        self._engine = ContainerEngine(
            session,
            pull_username=target.pull_username,
            pull_password=target.pull_password.get_secret_value(),
        )
        self._http = LoopbackHttp(session)
        self._haproxy = HaproxyRuntime(session)

    def locked(self, pipeline: str) -> AbstractContextManager[None]:
        """Hold the pipeline's lock on this VM for a ``with`` block, so that no other roll-out of it runs."""
        return self._session.lock(f"serving/locks/{pipeline}")

    def has_slot(self, pipeline: str) -> bool:
        """Whether the VM was prepared for the pipeline."""
        return self._session.read_text(slot_path(pipeline)) is not None

    def slot(self, pipeline: str) -> Slot:
        """The pipeline's slot; raises :class:`PermanentError` naming the command that makes one."""
        text = self._session.read_text(slot_path(pipeline))
        remedy = f"run: edgetrain prepare-vm --pipeline {pipeline}"
        if text is None:
            reason = f"{self._session.label}: the VM has no serving slot for pipeline {pipeline}; {remedy}"
            raise PermanentError(reason, code=Code.TARGET_NOT_PREPARED)
        try:
            return parse_slot(text)
        except ValueError as error:
            reason = f"{self._session.label}: ~/{slot_path(pipeline)} cannot be read ({error}); remove it and {remedy}"
            raise PermanentError(reason, code=Code.TARGET_NOT_PREPARED) from error

    def save_slot(self, slot: Slot) -> None:
        """Replace the slot file atomically: from then on, this is what serves."""
        self._session.write_text(slot_path(slot.pipeline), slot_text(slot))

    def endpoint(self, slot: Slot) -> str:
        """The address at which clients score."""
        address = f"[{self._target.address}]" if ":" in self._target.address else self._target.address
        return f"http://{address}:{slot.frontend_port}"

    def container(self, name: str) -> Container | None:
        """The engine's state of a container; None when there is none."""
        return self._engine.inspect(name)

    def pull(self, image: str) -> None:
        """Pull an image onto the VM."""
        self._engine.pull(image)

    def run_container(self, spec: ContainerSpec) -> None:
        """Start a container in a network of its own; its image must be on the VM."""
        ensure_network(self._session, self._engine.name, spec.network, spec.port)
        self._engine.start(spec)

    def start_again(self, spec: ContainerSpec) -> None:
        """Start a container that stands still, as after a reboot; where that does not work, it is made anew."""
        ensure_network(self._session, self._engine.name, spec.network, spec.port)
        if not self._engine.start_again(spec.name):
            self._engine.remove(spec.name)
            self._engine.start(spec)

    def remove_container(self, name: str) -> None:
        """Stop and remove a container; no error when there is none."""
        self._engine.remove(name)

    def remove_network(self, name: str, port: int) -> None:
        """Remove a container's network, once the container is gone; no error when there is none."""
        remove_network(self._session, self._engine.name, name, port)

    def has_image(self, image: str) -> bool:
        """Whether an image is on the VM."""
        return self._engine.has_image(image)

    def remove_image(self, image: str) -> bool:
        """Remove an image that nothing uses; whether it is not there any more."""
        return self._engine.remove_image(image)

    def last_log(self, name: str) -> str:
        """The end of a container's log, on one line."""
        return self._engine.last_log(name)

    def last_exit(self, name: str) -> int | None:
        """The exit code with which a container ended last; None when it is unknown."""
        return self._engine.last_exit(name)

    def smoke_text(self, name: str) -> str | None:
        """The text of the smoke sample inside a container; None when it has none."""
        return self._engine.smoke_text(name)

    def health(self, port: int) -> int | None:
        """The status with which the scoring server on that port answers its health check; None when nothing does."""
        return self._http.get_status(port, "/", timeout=HEALTH_TIMEOUT)

    def score(self, port: int, request: Any) -> tuple[int, Any]:
        """The status and the JSON value (None if it is none) of one scoring request."""
        status, body = self._http.post_json(port, "/score", json.dumps(request).encode(), timeout=SCORE_TIMEOUT)
        try:
            return status, json.loads(body)
        except (ValueError, RecursionError):
            return status, None

    def bring_in(self, pipeline: str, colour: Colour) -> bool:
        """Let HAProxy send traffic to a colour; False when its health check did not pass in time."""
        return self._haproxy.bring_in(pipeline, colour, seconds=BRING_IN_SECONDS)

    def take_out(self, pipeline: str, colour: Colour) -> None:
        """Let HAProxy send no new requests to a colour, and wait for those under way to end."""
        self._haproxy.take_out(pipeline, colour, seconds=DRAIN_SECONDS)

    @property
    def haproxy(self) -> HaproxyRuntime:
        """HAProxy on this VM."""
        return self._haproxy

    @property
    def session(self) -> SshSession:
        """The connection."""
        return self._session

    def write_config(self, slot: Slot) -> None:
        """Write the slot's choice into HAProxy's configuration, so that it survives a restart."""
        self._haproxy.write_config(slot)
