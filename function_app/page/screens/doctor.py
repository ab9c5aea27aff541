"""The doctor: what is right and what is wrong with everything that the app needs, with what mends it.

Checks take seconds, so the page itself only says that they are being made, and fetches what they found once. Nothing
makes them again but a person: the screen is not refreshed. Bounded: the page asks the ledger nothing; of the checks,
docs/doctor.md says what each looks at.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from function_app.api.doctor import doctor
from function_app.api.hub_threads import Other, by_a_doctor, in_time
from function_app.api.models import DoctorQuery
from function_app.api.reading import query_of
from function_app.composition import Services
from function_app.page.commands import Advice, advice_in
from function_app.page.late import try_again
from function_app.page.sentences import pieces_of
from function_app.page.serving import Asked
from shared.doctor import Finding, State
from shared.errors import TransientError

PATIENCE: Final = 180.0
"""Seconds: those that an examination has, and those that it waits for another one. The platform cuts at 230."""
RUN: Final = "run"
"""Parameter of the address by which the checks are made."""
_ORDER: Final = (State.WRONG, State.UNKNOWN, State.SKIPPED, State.OK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A finding, with the command that mends it where there is one. ``english``: so is what mends it."""

    said: Finding
    advice: Advice
    english: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The findings of one state."""

    state: State
    findings: tuple[Found, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Doctor:
    """``looked``: whether the checks were made; ``address``: where they are. ``refused``: why they were not."""

    site: str
    sites: tuple[str, ...]
    looked: bool
    address: str
    refused: str
    groups: tuple[Group, ...]
    patience: float = PATIENCE


async def view(asked: Asked, services: Services) -> Doctor:
    """The page before the checks, or what they found."""
    from function_app.doctor.examination import known_sites

    given = asked.query.get("site", "")
    query = query_of(DoctorQuery, {"site": given} if given else {})
    looked, refused = asked.query.get(RUN) == "1", ""
    findings: tuple[Finding, ...] = ()
    if looked:
        try:
            asked_for = by_a_doctor(doctor, services, query)
            findings = (await in_time(asked_for, PATIENCE, who=Other.DOCTOR)).findings
        except TransientError as error:
            refused = try_again(error)
    return Doctor(
        site=given,
        sites=tuple(known_sites(services)),
        looked=looked,
        address="/ui/doctor?" + urlencode({RUN: "1"} | ({"site": given} if given else {})),
        refused=refused,
        groups=groups_of(findings, asked.words.language),
    )


def groups_of(findings: Sequence[Finding], language: str) -> tuple[Group, ...]:
    """The findings by their state, what is wrong first; each in the order of the report."""
    return tuple(
        Group(state=state, findings=tuple(_found(each, language) for each in findings if each.state is state))
        for state in _ORDER
    )


def _found(finding: Finding, language: str) -> Found:
    """What mends it is said in the language where all of it is known there, with the very same command."""
    english, pieces = advice_in(finding.remedy), pieces_of(finding.remedy, language)
    advice = advice_in("".join(each.said for each in pieces))
    if any(each.english for each in pieces) or advice.command != english.command:
        return Found(said=finding, advice=english, english=True)
    return Found(said=finding, advice=advice, english=False)
