"""Checks of everything a running system needs: what each looks at, the runner, and what was found."""

from shared.doctor.checks import Check, Seen, ok, skipped, unknown, wrong
from shared.doctor.findings import Finding, Kind, State, Subject
from shared.doctor.runner import Look, looks, run
from shared.doctor.secrecy import Hidden

__all__ = [
    "Check",
    "Finding",
    "Hidden",
    "Kind",
    "Look",
    "Seen",
    "State",
    "Subject",
    "looks",
    "ok",
    "run",
    "skipped",
    "unknown",
    "wrong",
]
