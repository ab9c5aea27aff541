"""What a canary has counted, and what came of its steps."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class CanaryVerdict(StrEnum):
    """What a step of a canary showed of the candidate.

    ``PASSED``: enough requests, and nothing against it. ``INCONCLUSIVE``: too few requests. ``MORE_ERRORS``: it errs
    more often than the stable release. ``FAILING``: most of its answers are errors, and the stable one's are not.
    ``SLOW``: its answers take several times as long.
    """

    PASSED = "passed"
    INCONCLUSIVE = "inconclusive"
    MORE_ERRORS = "more_errors"
    FAILING = "failing"
    SLOW = "slow"

    @property
    def against(self) -> bool:
        """Whether the candidate goes back."""
        return self not in {CanaryVerdict.PASSED, CanaryVerdict.INCONCLUSIVE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Requests, and the errors among them."""

    requests: int = 0
    errors: int = 0

    def plus(self, other: "Tally") -> "Tally":
        """Both together."""
        return Tally(requests=self.requests + other.requests, errors=self.errors + other.errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryEvidence:
    """What a canary has counted so far, on both sides, in all its steps and in the one that it is in.

    ``log_e``: natural logarithms of the evidence that the candidate errs more often, one for each of the ratios that
    :mod:`shared.decisions.delivery.canary` looks for. ``slow``: looks in a row at which it was much slower.
    """

    stable: Tally = field(default_factory=Tally)
    candidate: Tally = field(default_factory=Tally)
    step_stable: Tally = field(default_factory=Tally)
    step_candidate: Tally = field(default_factory=Tally)
    log_e: tuple[float, ...] = ()
    slow: int = 0
    stable_latency_ms: float | None = None
    latency_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryStep:
    """One step of a canary, as it is recorded: its weight in percent, its verdict, and the numbers behind it.

    ``evidence``: 1 says nothing; at 20 the candidate goes back. It is about all steps so far.
    """

    weight: int
    verdict: CanaryVerdict
    requests: int = 0
    errors: int = 0
    stable_requests: int = 0
    stable_errors: int = 0
    evidence: float = 1.0
    latency_ms: float | None = None
    stable_latency_ms: float | None = None
    ended_at: datetime | None = None
