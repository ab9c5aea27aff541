"""Verify a candidate before it gets traffic: its health check, and its answer to the stored smoke sample."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from shared.errors import TransientError
from shared.messages import CandidateStep, Done
from shared.serving.containers import SMOKE_PATH, Container
from shared.serving.endings import Signs, candidate_failed, why_it_does_not_score, why_it_ended, why_it_is_not_healthy
from shared.serving.smoke import SmokeSample, difference, parse_smoke

POLL_SECONDS = 0.5


class Vm(Protocol):
    """The operations on a VM that verifying a candidate needs."""

    def container(self, name: str) -> Container | None:
        """The state of a container; None when there is none."""

    def health(self, port: int) -> int | None:
        """The HTTP status of the scoring server's health check on that loopback port; None when nothing answers."""

    def last_log(self, name: str) -> str:
        """The end of a container's log, on one line."""

    def last_exit(self, name: str) -> int | None:
        """The exit code with which a container ended last; None when it is unknown."""

    def smoke_text(self, name: str) -> str | None:
        """The text of the smoke sample inside a container; None when it has none."""

    def score(self, port: int, request: Any) -> tuple[int, Any]:
        """Send one scoring request; returns HTTP status and JSON value."""


class Vms(Protocol):
    """Opens connections to VMs."""

    def open(self, target: str) -> AbstractContextManager[Vm]:
        """A connection to the VM of a target, for a ``with`` block."""


def verify_candidate(
    step: CandidateStep,
    *,
    vms: Vms,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> Done:
    """Wait for health, at most ``rollout.health_seconds``, then compare the answer to the smoke sample.

    Raises :class:`PermanentError` (``CANDIDATE_FAILED``) when the container has died, is not healthy in time, or
    answers something else; the reason names the cause, with the end of the container's log where that helps. Changes
    nothing on the VM.
    """
    with vms.open(step.rollout.target) as vm:
        _await_health(step, vm, sleep, monotonic)
        sample = _smoke_sample(step, vm)
        answer = _answer_to(sample, step, vm)
        found = difference(sample.response, answer, tolerance=sample.tolerance)
        if found is not None:
            raise candidate_failed(step, f"answers the smoke sample differently than in training: {found}")
    return Done()


def _answer_to(sample: SmokeSample, step: CandidateStep, vm: Vm) -> Any:
    try:
        status, answer = vm.score(step.candidate.port, sample.request)
    except TransientError:
        # Either the SSH connection broke, or scoring ends the candidate: a retry would end it again.
        signs = _signs(step, vm)
        if signs.out_of_memory:
            raise candidate_failed(step, why_it_does_not_score(signs, status=None)) from None
        raise
    if status != 200:
        raise candidate_failed(step, why_it_does_not_score(_signs(step, vm), status=status))
    return answer


def _await_health(step: CandidateStep, vm: Vm, sleep: Callable[[float], None], monotonic: Callable[[], float]) -> None:
    started = monotonic()
    while True:
        # Check the container each time too: one that has died would otherwise cost the whole time limit.
        _require_alive(step, vm)
        status = vm.health(step.candidate.port)
        waited = monotonic() - started
        if status == 200:
            return
        if waited >= step.rollout.health_seconds:
            seconds = step.rollout.health_seconds
            raise candidate_failed(step, why_it_is_not_healthy(_signs(step, vm), status=status, seconds=seconds))
        sleep(POLL_SECONDS)


def _require_alive(step: CandidateStep, vm: Vm) -> None:
    container = vm.container(step.candidate.name)
    if container is None or not container.belongs_to(step.rollout):
        raise candidate_failed(step, "was removed or replaced by another roll-out; start the run again")
    if step.candidate.already_live:
        return  # it may have been restarted in its life; what counts is that it answers
    if not container.alive:
        raise candidate_failed(step, why_it_ended(_signs(step, vm)))


def _smoke_sample(step: CandidateStep, vm: Vm) -> SmokeSample:
    text = vm.smoke_text(step.candidate.name)
    if text is None:
        raise candidate_failed(step, f"has no {SMOKE_PATH}; the training job must write smoke.json beside its model")
    try:
        return parse_smoke(text)
    except ValueError as error:
        raise candidate_failed(step, f"has a smoke.json that cannot be used: {error}") from error


def _signs(step: CandidateStep, vm: Vm) -> Signs:
    name = step.candidate.name
    container = vm.container(name)
    exit_code: int | None = None
    if container is not None and not container.alive:
        exit_code = container.exit_code if container.status != "running" else vm.last_exit(name)
    return Signs(container=container, exit_code=exit_code, log=vm.last_log(name), target=step.rollout.target)
