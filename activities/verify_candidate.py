"""Verify a candidate before it gets traffic: it is healthy, and it answers the stored sample as in training."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from shared.errors import Code, PermanentError
from shared.messages import CandidateStep, Verification
from shared.serving.containers import SMOKE_PATH, Container
from shared.serving.smoke import SmokeSample, difference, parse_smoke

POLL_SECONDS = 0.5


class Vm(Protocol):
    """What verifying a candidate needs of a VM."""

    def container(self, name: str) -> Container | None:
        """What is known of a container."""

    def healthy(self, port: int) -> bool:
        """Whether the scoring server on that port of the VM's loopback answers its health check."""

    def last_log(self, name: str) -> str:
        """The end of what a container wrote, shortened."""

    def smoke_text(self, name: str) -> str | None:
        """The text of the smoke sample in a container; None when it has none."""

    def score(self, port: int, request: Any) -> tuple[int, Any]:
        """Status and JSON value of one scoring request."""


class Vms(Protocol):
    """Where VMs come from."""

    def open(self, target: str) -> AbstractContextManager[Vm]:
        """A connection to the VM of a target."""


def verify_candidate(
    step: CandidateStep,
    *,
    vms: Vms,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> Verification:
    """Wait for health, at most ``rollout.health_seconds``, then compare the answer to the smoke sample.

    Raises :class:`PermanentError` (``CANDIDATE_FAILED``) as soon as the container has died, when it is not healthy in
    time, and when it answers something else; the reason carries the end of its log. Changes nothing on the VM.
    """
    with vms.open(step.rollout.target) as vm:
        seconds = _await_health(step, vm, sleep, monotonic)
        sample = _smoke_sample(step, vm)
        status, answer = vm.score(step.candidate.port, sample.request)
        if status != 200:
            raise _failed(step, f"answered {status} to the smoke sample", vm)
        found = difference(sample.response, answer, tolerance=sample.tolerance)
        if found is not None:
            raise _failed(step, f"answers the smoke sample otherwise than in training: {found}")
        return Verification(seconds=round(seconds, 3), detail=f"healthy after {seconds:.1f} s, the smoke sample agrees")


def _await_health(step: CandidateStep, vm: Vm, sleep: Callable[[float], None], monotonic: Callable[[], float]) -> float:
    started = monotonic()
    while True:
        # The container is looked at each time too: one that died would make the wait for its health a long one.
        _require_alive(step, vm)
        healthy = vm.healthy(step.candidate.port)
        waited = monotonic() - started
        if healthy:
            return waited
        if waited >= step.rollout.health_seconds:
            raise _failed(step, f"was not healthy within {step.rollout.health_seconds:.0f} s", vm)
        sleep(POLL_SECONDS)


def _require_alive(step: CandidateStep, vm: Vm) -> None:
    container = vm.container(step.candidate.name)
    if container is None or not container.belongs_to(step.rollout):
        raise _failed(step, "was removed or replaced by another roll-out; start the run's roll-out again")
    if step.candidate.already_live:
        return  # it may have been restarted in its life; what counts is that it answers
    if not container.alive:
        ending = "restarts again and again" if container.restarts else f"exit code {container.exit_code}"
        raise _failed(step, f"died at start ({ending})", vm)


def _smoke_sample(step: CandidateStep, vm: Vm) -> SmokeSample:
    text = vm.smoke_text(step.candidate.name)
    if text is None:
        raise _failed(step, f"has no {SMOKE_PATH}; the training job must write smoke.json beside its model")
    try:
        return parse_smoke(text)
    except ValueError as error:
        raise _failed(step, f"has a smoke.json that cannot be used: {error}") from error


def _failed(step: CandidateStep, what: str, vm: Vm | None = None) -> PermanentError:
    reason = f"candidate {step.candidate.name} of run {step.rollout.run_id} on {step.rollout.target} {what}"
    if vm is not None:
        log = vm.last_log(step.candidate.name)
        told = f"; its log ends: {log}" if log else ""
        reason = f"{reason}{told}; correct the pipeline's score.py or its requirements"
    return PermanentError(reason, code=Code.CANDIDATE_FAILED)
