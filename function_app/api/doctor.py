"""The doctor: every check, asked by an operator."""

from collections import Counter
from dataclasses import dataclass, field

from function_app.api.models import DoctorQuery
from function_app.composition import Services
from function_app.problems import RefusedError
from shared.doctor import Finding, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Doctor:
    """The findings, in the order of docs/doctor.md. ``healthy``: nothing is wrong; ``states``: how many of each."""

    healthy: bool
    states: dict[State, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def doctor(services: Services, query: DoctorQuery) -> Doctor:
    """Run every check, or those of a site, with the secrets as they are now.

    A check that is refused says so and is not tried again, so that rotated secrets are read anew before the first.
    """
    from function_app.doctor.examination import Wanted, examine, known_sites

    services.renewed(services.generation)
    if query.site and (known := known_sites(services)) and query.site not in known:
        detail = f"there is no site {query.site!r}; known: {', '.join(known)}"
        raise RefusedError(404, "unknown_site", detail)
    return report_of(examine(services, Wanted(site=query.site or "")))


def report_of(findings: tuple[Finding, ...]) -> Doctor:
    """The findings with their sums."""
    counts = Counter(each.state for each in findings)
    states = {state: counts[state] for state in State}
    return Doctor(healthy=not counts[State.WRONG], states=states, findings=findings)
