"""The managed environment: carries out what was accepted, and says how revisions are."""

import asyncio
import logging
import random
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any, Final

from local_stack.azure_arm.account import Account, now_text
from local_stack.azure_arm.balancer import Balancer
from local_stack.azure_arm.engine import Condition, Containers, PullError
from local_stack.azure_arm.rules import resources_of
from local_stack.azure_arm.state import App, Operation, Revision, State
from local_stack.supervisor import ports

log = logging.getLogger("azure_arm")
_BAD_IMAGE: Final = "InvalidParameterValueInContainerTemplate"


@dataclass(slots=True)
class Environment:
    """Apps, their containers and their ingress. ``provision_seconds``: the least that an operation takes."""

    account: Account
    state: State
    containers: Containers
    balancer: Balancer
    provision_seconds: float
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _serving: asyncio.Lock = field(default_factory=asyncio.Lock)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    def resume(self) -> None:
        """Go on after a start: what was under way has to be done again, what ran was started by the engine."""
        places: list[App | Revision] = [*self.state.apps.values(), *self._revisions()]
        for place in places:
            if not ports.is_free(place.port):  # somebody took it meanwhile
                place.port = self.free_port()
        self.balancer.start(self.state.apps.values())
        for app in self.state.apps.values():
            if app.operation:
                self._begin(self._provision(app, app.operation, undo=lambda: None))
        for revision in self._revisions():
            if revision.active and revision.provisioning == "Provisioned":
                self._begin(self._start_if_it_is_not(revision))

    async def stop(self) -> None:
        """Leave operations as they are; the next start goes on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self.balancer.stop)
        self.state.save()

    def free_port(self) -> int:
        """A port for an app or a revision, which nobody else has."""
        taken = self.state.ports()
        draw = random.SystemRandom().randint
        for _ in range(1000):
            port = draw(ports.FIRST, ports.LAST)
            if port not in taken and ports.is_free(port):
                return port
        raise OSError("no free port")

    def new_revision(self, name: str, template: dict[str, Any], target_port: int) -> Revision:
        """A revision that has to be provisioned yet."""
        own, inner = self.free_port(), self.free_port()
        return Revision(name, template, target_port, now_text(), own, inner)

    def begin_provisioning(self, app: App, undo: Callable[[], None]) -> str:
        """Carry out the app's new body; the operation's id. ``undo`` takes a body back that could not be had."""
        operation = secrets.token_hex(16)
        self.state.operations[operation] = Operation()
        app.operation, app.provisioning = operation, "InProgress"
        self.state.save()
        self._begin(self._provision(app, operation, undo))
        return operation

    def begin_removal(self, app: App) -> str:
        """Delete an app and all that it runs; the operation's id."""
        operation = secrets.token_hex(16)
        self.state.operations[operation] = Operation()
        app.operation, app.provisioning = operation, "Deleting"

        async def remove() -> None:
            names = [revision.container for revision in app.revisions.values()]
            for name in app.revisions:
                shutil.rmtree(self.account.folder / "volumes" / name, ignore_errors=True)
            self.state.apps.pop(app.name, None)
            await self.serve()
            for name in names:
                await asyncio.to_thread(self.containers.remove, name)
            self._finish(app, operation)

        self._begin(remove())
        return operation

    def begin_switch(self, revision: Revision) -> None:
        """Start or stop a revision's container, and serve accordingly."""

        async def switch() -> None:
            async with self._locks.setdefault(revision.name, asyncio.Lock()):  # one after the other, the last word wins
                if revision.active:
                    await asyncio.to_thread(self._run, revision)
                    await self.serve()
                else:
                    await self.serve()
                    await asyncio.to_thread(self.containers.remove, revision.container)

        revision.seen = revision.healthy = False
        self._begin(switch())

    async def serve(self) -> None:
        """Bring the ingress in line with the state."""
        async with self._serving:
            await asyncio.to_thread(self.balancer.bring_in_line, list(self.state.apps.values()))
            self.state.save()

    async def condition(self, revision: Revision) -> Condition | None:
        """How the revision's container is; its health is brought up to date from the balancer's checks."""
        seen = (await asyncio.to_thread(self.balancer.look)).get(revision.name)
        if seen is not None and seen.healthy is not None:
            revision.seen, revision.healthy = True, seen.healthy
        if not revision.active:
            return None
        return await asyncio.to_thread(self.containers.condition, revision.container)

    async def _provision(self, app: App, operation: str, undo: Callable[[], None]) -> None:
        await asyncio.sleep(self.provision_seconds)
        waiting = [revision for revision in app.revisions.values() if revision.provisioning == "Provisioning"]
        try:
            for revision in waiting:
                await asyncio.to_thread(self._pull, app, revision)
                await asyncio.to_thread(self._write_volumes, app, revision)
                await asyncio.to_thread(self._run, revision)
                revision.provisioning = "Provisioned"
        except PullError as error:
            image = waiting[0].template["containers"][0]["image"]
            for revision in waiting:
                app.revisions.pop(revision.name, None)
            undo()
            message = (
                "The following field(s) are either invalid or missing. Field "
                f"'template.containers.{waiting[0].template['containers'][0]['name']}.image' is invalid with details: "
                f"'Invalid value: \"{image}\": {error}';."
            )
            self._finish(app, operation, code=_BAD_IMAGE, message=message)
            return
        except (OSError, TimeoutExpired) as error:
            waiting[0].provisioning, waiting[0].error = "Failed", str(error)
            self._finish(app, operation, code="ContainerAppOperationError", message=f"Failed to provision: {error}")
            return
        await self.serve()
        self._finish(app, operation)

    def _revisions(self) -> list[Revision]:
        return [revision for app in self.state.apps.values() for revision in app.revisions.values()]

    async def _start_if_it_is_not(self, revision: Revision) -> None:
        condition = await asyncio.to_thread(self.containers.condition, revision.container)
        if condition is None or not condition.running:
            self.begin_switch(revision)

    def _pull(self, app: App, revision: Revision) -> None:
        image = revision.template["containers"][0]["image"]
        self.containers.pull(image, self._login(app, image.split("/", 1)[0]))

    def _login(self, app: App, server: str) -> tuple[str, str] | None:
        for registry in app.configuration.get("registries") or ():
            if registry.get("server") == server and registry.get("username"):
                return registry["username"], app.secrets.get(registry.get("passwordSecretRef", ""), "")
        return None

    def _run(self, revision: Revision) -> None:
        container = revision.template["containers"][0]
        self.containers.remove(revision.container)
        if not ports.is_free(revision.container_port):
            revision.container_port = self.free_port()
        env = {entry["name"]: str(entry.get("value", "")) for entry in container.get("env") or ()}
        self.containers.start(
            revision.container,
            container["image"],
            port=revision.container_port,
            target_port=revision.target_port,
            limits=resources_of(container),
            env=env,
            mounts={
                mount["mountPath"]: self._volume(revision, mount["volumeName"])
                for mount in container.get("volumeMounts") or ()
            },
        )

    def _volume(self, revision: Revision, name: str) -> Path:
        return self.account.folder / "volumes" / revision.name / name

    def _write_volumes(self, app: App, revision: Revision) -> None:
        """Files of volumes that are made from secrets; the user of the container reads them."""
        for volume in revision.template.get("volumes") or ():
            folder = self._volume(revision, volume["name"])
            folder.mkdir(parents=True, exist_ok=True)
            for item in volume.get("secrets") or ():
                (folder / item["path"]).write_text(app.secrets.get(item["secretRef"], ""), encoding="utf-8")

    def _finish(self, app: App, operation: str, *, code: str = "", message: str = "") -> None:
        done = self.state.operations[operation]
        done.status, done.code, done.message = ("Failed" if code else "Succeeded"), code, message
        app.operation, app.provisioning = "", done.status
        self.state.save()

    def _begin(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("an operation failed", exc_info=error)
