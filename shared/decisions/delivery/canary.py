"""Is the candidate worse than the stable release? Judged by evidence that may be looked at as often as one likes. Pure.

Both get requests at the same time, so whatever disturbs both says nothing. The evidence is an *e-process*: for a block
of requests, the likelihood of what both sides answered if the candidate's odds of an error are so many times the stable
one's, divided by the likelihood if there is no difference, at the rate that both have together. If there is none, its
expectation is at most 1, for any error rate and any number of looks; so it reaches ``1/ALPHA`` with a probability of at
most ``ALPHA`` (Ville's inequality). The stable release's rate is estimated from the blocks before.

Turner, Ly, Grünwald: Generic E-variables for exact sequential k-sample tests that allow for optional stopping, 2024.
https://doi.org/10.1016/j.jspi.2023.106116
"""

import math
from collections.abc import Sequence
from datetime import datetime

from shared.messages.canary import CanaryEvidence, CanaryStep, CanaryVerdict, Tally

ALPHA = 0.05
"""How often a candidate that is as good as the stable release goes back at most, over the whole canary."""
ODDS_RATIOS = (2.0, 4.0, 10.0)
"""How much worse the odds of an error are that is looked for; their evidence is averaged, which keeps the bound."""

GROSS_REQUESTS, GROSS_ERRORS, FINE = 10, 0.5, 0.1
"""Without waiting for evidence: of so many requests half failed, while of the stable one's at most a tenth did."""
SLOWER, SLOWER_MS, SLOW_LOOKS = 4.0, 100.0, 3
"""Much slower: so many times the latency, and so much more, at so many looks in a row."""

_BEFORE_ANY = Tally(requests=10)
_RATE_BEFORE_ANY = 0.02
_MOST = 700.0  # exp() of more overflows


def counted_since(before: Tally, now: Tally) -> Tally:
    """What was counted between two readings of a counter. With fewer requests than before it began anew at zero.

    Errors alone may become fewer: an answer that is counted while it is still being sent (``shared.serving.haproxy``).
    """
    if now.requests < before.requests:
        return _sane(now)
    return _sane(Tally(requests=now.requests - before.requests, errors=max(0, now.errors - before.errors)))


def with_block(
    evidence: CanaryEvidence,
    stable: Tally,
    candidate: Tally,
    *,
    stable_latency_ms: float | None = None,
    latency_ms: float | None = None,
) -> CanaryEvidence:
    """The evidence after both sides have answered some more requests at the same time."""
    before = evidence.log_e or (0.0,) * len(ODDS_RATIOS)
    rate = _rate(evidence.stable)
    log_e = tuple(
        min(_MOST, sum_so_far + _gain(stable, candidate, rate, _worse(rate, ratio)))
        for sum_so_far, ratio in zip(before, ODDS_RATIOS, strict=True)
    )
    slower = candidate.requests > 0 and stable.requests > 0 and _is_slow(stable_latency_ms, latency_ms)
    return CanaryEvidence(
        stable=evidence.stable.plus(stable),
        candidate=evidence.candidate.plus(candidate),
        step_stable=evidence.step_stable.plus(stable),
        step_candidate=evidence.step_candidate.plus(candidate),
        log_e=log_e,
        slow=evidence.slow + 1 if slower else evidence.slow if candidate.requests == 0 else 0,
        stable_latency_ms=evidence.stable_latency_ms if stable_latency_ms is None else stable_latency_ms,
        latency_ms=evidence.latency_ms if latency_ms is None else latency_ms,
    )


def against(evidence: CanaryEvidence) -> CanaryVerdict | None:
    """Why the candidate must go back now; None while nothing speaks against it."""
    if is_failing(evidence.candidate) and evidence.stable.errors <= FINE * evidence.stable.requests:
        return CanaryVerdict.FAILING
    if e_value(evidence) >= 1 / ALPHA:
        return CanaryVerdict.MORE_ERRORS
    return CanaryVerdict.SLOW if evidence.slow >= SLOW_LOOKS else None


def at_the_end_of_a_step(evidence: CanaryEvidence, least_requests: int) -> CanaryVerdict:
    """The verdict when a step's time is over."""
    enough = evidence.step_candidate.requests >= least_requests
    return against(evidence) or (CanaryVerdict.PASSED if enough else CanaryVerdict.INCONCLUSIVE)


def is_failing(candidate: Tally) -> bool:
    """Whether most answers are errors, of enough to tell."""
    return candidate.requests >= GROSS_REQUESTS and candidate.errors >= GROSS_ERRORS * candidate.requests


def e_value(evidence: CanaryEvidence) -> float:
    """The evidence that the candidate errs more often; 1 says nothing."""
    return _mean([math.exp(each) for each in evidence.log_e]) if evidence.log_e else 1.0


def recorded(evidence: CanaryEvidence, weight: int, verdict: CanaryVerdict, at: datetime) -> CanaryStep:
    """A step with its numbers."""
    return CanaryStep(
        weight=weight,
        verdict=verdict,
        requests=evidence.step_candidate.requests,
        errors=evidence.step_candidate.errors,
        stable_requests=evidence.step_stable.requests,
        stable_errors=evidence.step_stable.errors,
        evidence=round(min(e_value(evidence), 1e6), 2),
        latency_ms=_rounded(evidence.latency_ms),
        stable_latency_ms=_rounded(evidence.stable_latency_ms),
        ended_at=at,
    )


def in_words(step: CanaryStep) -> str:
    """Why a candidate goes back, or why a step said nothing, in a sentence without its end."""
    theirs = f"{step.errors} of {step.requests} requests to the new model failed"
    ours = f"{step.stable_errors} of {step.stable_requests} to the one before"
    match step.verdict:
        case CanaryVerdict.SLOW:
            return (
                f"at {step.weight} % of the traffic its answers took {step.latency_ms or 0:.0f} ms, those of the model"
                f" before {step.stable_latency_ms or 0:.0f} ms"
            )
        case CanaryVerdict.INCONCLUSIVE:
            how_many = f"only {step.requests} requests" if step.requests else "no request"
            return f"at {step.weight} % of the traffic {how_many} reached it, too few to judge it"
        case _:
            return f"at {step.weight} % of the traffic {theirs}, and {ours}"


def _gain(stable: Tally, candidate: Tally, rate: float, worse: float) -> float:
    """The logarithm of a block's evidence that the rates are ``rate`` and ``worse``, not one and the same."""
    requests = stable.requests + candidate.requests
    if requests == 0:
        return 0.0
    one = (stable.requests * rate + candidate.requests * worse) / requests
    return _log_ratio(stable, rate, one) + _log_ratio(candidate, worse, one)


def _log_ratio(side: Tally, rate: float, other: float) -> float:
    fine = side.requests - side.errors
    return side.errors * math.log(rate / other) + fine * math.log((1 - rate) / (1 - other))


def _rate(before: Tally) -> float:
    errors = before.errors + _RATE_BEFORE_ANY * _BEFORE_ANY.requests
    return min(errors / (before.requests + _BEFORE_ANY.requests), 0.99)


def _worse(rate: float, ratio: float) -> float:
    odds = ratio * rate / (1 - rate)
    return odds / (1 + odds)


def _is_slow(stable: float | None, candidate: float | None) -> bool:
    return stable is not None and candidate is not None and candidate > max(SLOWER * stable, stable + SLOWER_MS)


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 1)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _sane(tally: Tally) -> Tally:
    requests = max(0, tally.requests)
    return Tally(requests=requests, errors=min(max(0, tally.errors), requests))
