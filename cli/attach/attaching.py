"""Attach a VM to the workspace, with the client that the app itself attaches with, and wait until it is there."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from cli.attach.computes import AttachSettings
from cli.client.errors import NotReachableError
from shared.clients.azure_ml import AzureMlWorkspace
from shared.clients.azure_ml.compute import Turns, attach_compute, attached, renew_compute
from shared.clients.identity import signed_in
from shared.errors import NotAllowedError, PermanentError, TransientError
from shared.settings import Compute

_PAUSE: Final = 2.0
_NOBODY_ELSE: Final = "while this runs, let no training begin, which would attach too"


class Outcome(StrEnum):
    """What came of one VM."""

    ATTACHED = "attached"
    ATTACHED_BEFORE = "attached_before"
    MOVED = "moved"
    RENEWED = "renewed"
    NOT_ATTACHED = "not_attached"


@dataclass(frozen=True, slots=True)
class Attached:
    """``before``: the address that the compute target had, when it was another one."""

    outcome: Outcome
    before: str = ""


class _OneProcess:
    """Turns where no ledger is named: nobody else is kept from attaching at the same moment."""

    @contextmanager
    def alone(self, what: str, *, seconds: float) -> Iterator[None]:  # noqa: ARG002 - as the protocol has it
        yield


@dataclass(frozen=True, slots=True)
class _TurnsAsFarAsAllowed:
    """The turns of a ledger that whoever is signed in may perhaps only read."""

    turns: Turns
    say: Callable[[str], None]

    @contextmanager
    def alone(self, what: str, *, seconds: float) -> Iterator[None]:
        with ExitStack() as stack:
            try:
                stack.enter_context(self.turns.alone(what, seconds=seconds))
            except NotAllowedError:
                self.say(f"you may not write into the ledger: {_NOBODY_ELSE}")
            except PermanentError as error:
                self.say(f"{error.reason}: {_NOBODY_ELSE}")
            yield


@contextmanager
def turns_of(settings: AttachSettings, say: Callable[[str], None]) -> Iterator[Turns]:
    """The turns that the app's processes take, too."""
    if not settings.has_host_storage:
        say(f"AzureWebJobsStorage is not set: {_NOBODY_ELSE}")
        yield _OneProcess()
        return
    from shared.clients.host_storage import StorageAccess
    from shared.clients.ledger import Ledger

    ledger = Ledger(StorageAccess(settings.host_storage, signed_in), settings.ledger_prefix)
    try:
        yield _TurnsAsFarAsAllowed(ledger.turns, say)
    finally:
        ledger.close()


def workspace_of(settings: AttachSettings) -> Any:
    """The SDK's workspace; as whoever is signed in where the settings have no client secret."""
    return AzureMlWorkspace(settings.azure_ml, signed_in).open()


def attach_one(
    workspace: Any,
    name: str,
    compute: Compute,
    turns: Turns,
    *,
    seconds: float,
    say: Callable[[str], None],
    renew: bool = False,
) -> Attached:
    """Attach a VM unless it is attached; ``renew``: attach it all the same, once.

    Raises :class:`NotReachableError` when it takes longer.
    """
    wanted = f"{compute.address}:{compute.port}"
    known = attached(workspace, name)
    before = "" if known is None else f"{known.address}:{known.port}"
    steps: list[Callable[[Any, str, Compute, Turns], None]] = [attach_compute]
    if renew and before:
        steps.insert(0, renew_compute)
    deadline, told = time.monotonic() + seconds, ""
    while steps:
        try:
            steps[0](workspace, name, compute, turns)
        except TransientError as error:
            if time.monotonic() + _PAUSE > deadline:
                raise NotReachableError(str(error), remedy="run this again: what is under way goes on") from error
            if str(error) != told:
                told = str(error)
                say(told)
            time.sleep(_PAUSE)
        else:
            steps.pop(0)
    if before and before != wanted:
        return Attached(Outcome.MOVED, before)
    if not before:
        return Attached(Outcome.ATTACHED)
    return Attached(Outcome.RENEWED if renew else Outcome.ATTACHED_BEFORE)
