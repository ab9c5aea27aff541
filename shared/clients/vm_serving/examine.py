"""What is seen of a release on a VM: its container, its health check, and its answer to the smoke sample.

The sample is scored once in each life of a container, and the outcome is remembered beside the slot: observing a
target often costs its clients nothing.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.clients.serving_vm import ServingVm
from shared.errors import TransientError
from shared.messages.serving import PlannedRelease, ReleaseState
from shared.serving.containers import SMOKE_PATH, Container, container_name
from shared.serving.endings import Signs, why_it_does_not_score, why_it_ended, why_it_is_not_healthy
from shared.serving.slots import Colour, Slot
from shared.serving.smoke import difference, parse_smoke


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """How a release is; the fields are those of :class:`shared.messages.serving.ObservedRelease`."""

    state: ReleaseState
    trouble: str = ""
    final: bool = False
    since: datetime | None = None


class Examiner:
    """Looks at the releases of one slot."""

    def __init__(self, vm: ServingVm, slot: Slot, *, target: str, now: Callable[[], datetime]) -> None:
        self._vm = vm
        self._slot = slot
        self._target = target
        self._now = now
        self._path = f"serving/checked/{slot.pipeline}.json"
        self._checked: dict[str, str] | None = None

    def examine(self, colour: Colour) -> Finding:
        """How the release at a colour is; changes nothing that a client could notice."""
        release = self._slot.places[colour]
        name = container_name(self._slot.pipeline, colour)
        container = self._vm.container(name)
        if container is None or not container.holds(release):
            what = "is gone" if container is None else "was replaced by another one"
            return Finding(
                state=ReleaseState.GONE, trouble=self._sentence(colour, f"is not there: its container {what}")
            )
        return self._of(colour, release, container)

    def _of(self, colour: Colour, release: PlannedRelease, container: Container) -> Finding:
        ended = self._ended(colour, release, container)
        if ended is not None:
            return ended
        status = self._vm.health(self._slot.ports[colour])
        remembered = self._remembered().get(container.life)
        if status == 200:
            trouble = self._smoke(colour, container) if remembered is None else remembered
            if trouble is None:
                return Finding(state=ReleaseState.STARTING, since=container.started_at)
            if trouble:
                return self._unhealthy(container, trouble, final=True)
            return Finding(state=ReleaseState.HEALTHY, since=container.started_at)
        signs = self._signs(colour, container)
        seconds = 0.0
        if container.started_at is not None:
            seconds = max(0.0, (self._now() - container.started_at).total_seconds())
        trouble = self._sentence(colour, why_it_is_not_healthy(signs, status=status, seconds=seconds))
        if remembered is None and status is None and not signs.out_of_memory:
            return Finding(state=ReleaseState.STARTING, trouble=trouble, since=container.started_at)
        return self._unhealthy(container, trouble, final=remembered is None and signs.out_of_memory)

    def _ended(self, colour: Colour, release: PlannedRelease, container: Container) -> Finding | None:
        """What an ended container means; None for one that runs, or that serves and came back by itself."""
        served = release.weight > 0 or any(switch.run_id == release.run_id for switch in self._slot.switches)
        if container.alive or (container.status == "running" and served):
            return None
        if container.status in {"created", "configured", "initialized", "starting"}:
            return Finding(state=ReleaseState.STARTING)
        if not container.died:
            trouble = self._sentence(colour, "was stopped on the VM, not by the app; it is started again when applied")
            return self._unhealthy(container, trouble, final=False)
        trouble = self._sentence(colour, why_it_ended(self._signs(colour, container)))
        return self._unhealthy(container, trouble, final=release.weight == 0)

    def _smoke(self, colour: Colour, container: Container) -> str | None:
        """Why the answer to the sample is not right; empty when it is, None when that cannot be told yet."""
        name = container_name(self._slot.pipeline, colour)
        text = self._vm.smoke_text(name)
        if text is None:
            what = f"has no {SMOKE_PATH}; the training job must write smoke.json beside its model"
            return self._remember(container, self._sentence(colour, what))
        try:
            sample = parse_smoke(text)
        except ValueError as error:
            return self._remember(container, self._sentence(colour, f"has a smoke.json that cannot be used: {error}"))
        status, answer = self._answer(colour, sample.request)
        if status is None:
            # Either the connection broke, or scoring ends the container: then the next look finds it out of memory.
            after = self._vm.container(name)
            signs = self._signs(colour, after or container)
            said = self._sentence(colour, why_it_does_not_score(signs, status=None))
            return said if signs.out_of_memory else None
        if status != 200:
            said = why_it_does_not_score(self._signs(colour, container), status=status)
            return self._remember(container, self._sentence(colour, said))
        found = difference(sample.response, answer, tolerance=sample.tolerance)
        if found is None:
            return self._remember(container, "")
        what = f"answers the smoke sample differently than in training: {found}"
        return self._remember(container, self._sentence(colour, what))

    def _answer(self, colour: Colour, request: Any) -> tuple[int | None, Any]:
        try:
            return self._vm.score(self._slot.ports[colour], request)
        except TransientError:
            return None, None

    def _signs(self, colour: Colour, container: Container) -> Signs:
        name = container_name(self._slot.pipeline, colour)
        exit_code: int | None = None
        if not container.alive:
            exit_code = container.exit_code if container.status != "running" else self._vm.last_exit(name)
        log = self._vm.last_log(name)
        return Signs(container=container, exit_code=exit_code, log=log)

    def _sentence(self, colour: Colour, what: str) -> str:
        release = self._slot.places[colour]
        role = "release" if release.weight > 0 else "candidate"
        return f"{role} {container_name(self._slot.pipeline, colour)} of run {release.run_id} on {self._target} {what}"

    def _unhealthy(self, container: Container, trouble: str, *, final: bool) -> Finding:
        return Finding(state=ReleaseState.UNHEALTHY, trouble=trouble, final=final, since=container.started_at)

    def _remembered(self) -> dict[str, str]:
        if self._checked is None:
            text = self._vm.session.read_text(self._path)
            try:
                raw = json.loads(text or "{}")
            except ValueError:
                raw = {}
            self._checked = {str(key): str(value) for key, value in raw.items()} if isinstance(raw, dict) else {}
        return self._checked

    def _remember(self, container: Container, trouble: str) -> str:
        """Remember the outcome for this life of the container; the newest few are enough."""
        kept = list(self._remembered().items())[-5:]
        self._checked = {**dict(kept), container.life: trouble}
        self._vm.session.write_text(self._path, json.dumps(self._checked, indent=2) + "\n")
        return trouble
