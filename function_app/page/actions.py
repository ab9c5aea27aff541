"""The table of what people do on the page, one row each: which operation of the API it is, and what its form asks.

The API's own function does it, with the API's validation and roles; nothing here decides anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from function_app.api.operations import OPERATIONS, Operation
from shared.decisions.access.roles import Role, suffices

PARAMETER: Final = "p."
"""What the name of a field begins with that overrides a parameter of the pipeline."""
ONCE: Final = "once"
"""The field that a form has from the beginning, so that sending the same twice asks once."""
TOKEN: Final = "token"  # noqa: S105 - the name of a field
_BY_NAME: Final = {operation.name: operation for operation in OPERATIONS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something people do: a form at ``/ui/actions/<name>``.

    ``operation``: what the API calls it. ``subject``: to what, in the address, as the operation's path has it; ``may``:
    what else the address may say, fields of the body. ``asks``: fields of the body that people fill in; ``must``: those
    that may not be empty. ``named``: who uses a key types a name. ``danger``: it takes something away. ``repeated``:
    the API's code for something that was done already, which is what a second click on the same button is told.
    """

    name: str
    operation: str
    subject: tuple[str, ...]
    asks: tuple[str, ...]
    may: tuple[str, ...] = ()
    must: tuple[str, ...] = ()
    named: bool = False
    danger: bool = False
    repeated: str = ""

    @property
    def row(self) -> Operation:
        """Its row in the API's table."""
        return _BY_NAME[self.operation]

    @property
    def role(self) -> Role:
        """The role that it needs."""
        role = self.row.role
        if role is None:
            raise LookupError(f"{self.operation} needs no role")
        return role


ACTS: Final[Mapping[str, Act]] = {
    act.name: act
    for act in (
        Act(name="start", operation="start_run", subject=("name",), asks=("by", "reason"), may=("force",)),
        Act(
            name="approve",
            operation="approve_run",
            subject=("run_id",),
            may=("target",),
            asks=("by", "reason"),
            named=True,
        ),
        Act(
            name="reject",
            operation="reject_run",
            subject=("run_id",),
            may=("target",),
            asks=("by", "reason"),
            must=("reason",),
            named=True,
            danger=True,
        ),
        Act(name="cancel", operation="cancel_run", subject=("run_id",), asks=("by", "reason"), danger=True),
        Act(name="resume", operation="resume_run", subject=("run_id",), asks=("by", "reason")),
        Act(
            name="roll-back",
            operation="roll_back",
            subject=("target", "name"),
            may=("instead_of",),
            asks=("to", "by", "reason"),
            must=("reason",),
            danger=True,
        ),
        Act(
            name="release",
            operation="release",
            subject=("name",),
            asks=("fingerprint", "by"),
            repeated="unknown_quarantine",
        ),
        Act(
            name="retire",
            operation="retire_pipeline",
            subject=("name",),
            asks=("by", "reason"),
            must=("reason",),
            danger=True,
        ),
        Act(
            name="reinstate",
            operation="reinstate_pipeline",
            subject=("name",),
            asks=("by", "reason"),
            repeated="not_retired",
        ),
    )
}


def may(roles: frozenset[Role], name: str) -> bool:
    """Whether these roles are enough for it."""
    return suffices(roles, ACTS[name].role)


def address(name: str, subject: Mapping[str, str]) -> str:
    """The address of its form."""
    return f"/ui/actions/{name}?{urlencode({key: value for key, value in subject.items() if value})}"


def purpose(act: Act, subject: Mapping[str, str]) -> str:
    """What a token is good for: this, to that, and nothing else."""
    return f"{act.name}?{urlencode(sorted(subject.items()))}"
