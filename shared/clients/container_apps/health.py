"""Whether a revision is well: what the service says of it, its own answer, and the smoke sample."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import requests

from shared.clients.container_apps.arm import ContainerApps, Counted, Replica
from shared.clients.container_apps.bodies import Revision
from shared.clients.registry_address import on_loopback
from shared.messages.serving import ObservedRelease, ReleaseState
from shared.serving.containers import Container
from shared.serving.endings import Signs, why_it_does_not_score, why_it_ended, why_it_is_not_healthy
from shared.serving.smoke import SmokeSample, difference
from shared.telemetry import trace_headers

_HEALTH_TIMEOUT: Final = (3.0, 5.0)
_SCORE_TIMEOUT: Final = (5.0, 60.0)
_OUT_OF_MEMORY: Final = "OOMKilled"
_EXIT_CODE: Final = "exit code '"


def scoring_url(address: str) -> str:
    """The URL of an app or a revision. Container Apps speak TLS; only on loopback there may be none."""
    return f"http://{address}" if on_loopback(f"http://{address}") else f"https://{address}"


@dataclass(slots=True)
class Health:
    """Looks at revisions; remembers which passed the smoke sample, since a revision never changes."""

    apps: ContainerApps
    target: str
    smoke_sample: Callable[[str], SmokeSample | None]
    passed: set[str]

    def answers(self, revision: Revision) -> bool:
        """Whether the service calls it well, and it answers health check and smoke sample at its own address."""
        if not revision.runs or self._status(revision) != 200:
            return False
        if revision.name not in self.passed and not self._smoke(revision)[0]:
            self.passed.add(revision.name)
        return revision.name in self.passed

    def observed(self, revision: Revision, counted: Counted) -> ObservedRelease:
        """The revision as a target reports it."""
        release = ObservedRelease(
            run_id=revision.run_id,
            image=revision.image,
            state=ReleaseState.STARTING,
            weight=revision.weight,
            requests=counted.requests,
            errors=counted.errors,
            since=revision.created,
            resources=revision.size.resources if revision.size.quarters else None,
            model=revision.model,
            version=revision.version,
        )
        if not revision.active:
            return replace(release, state=ReleaseState.GONE, trouble="its revision is switched off")
        if revision.provisioning == "Failed":
            trouble = f"could not be provisioned: {revision.error or 'Container Apps give no reason'}"
            return replace(release, state=ReleaseState.UNHEALTHY, trouble=trouble, final=True)
        return self._scored(revision, release) if revision.runs else self._waited_for(revision, release)

    def _waited_for(self, revision: Revision, release: ObservedRelease) -> ObservedRelease:
        """A revision that the service does not call well, yet or any more: its container says why."""
        replica = self.apps.replica(revision)
        if replica is None:
            return release
        if replica.restarts and not replica.ready:
            trouble = why_it_ended(self._signs(revision, replica))
            return replace(release, state=ReleaseState.UNHEALTHY, trouble=trouble, final=True)
        if revision.health == "Unhealthy":
            was_well = revision.name in self.passed or revision.weight > 0
            state = ReleaseState.UNHEALTHY if was_well else ReleaseState.STARTING
            return replace(release, state=state, trouble=self._silent(revision, replica, None))
        return release

    def _scored(self, revision: Revision, release: ObservedRelease) -> ObservedRelease:
        status = self._status(revision)
        if status != 200:
            trouble = self._silent(revision, self.apps.replica(revision), status)
            return replace(release, state=ReleaseState.UNHEALTHY, trouble=trouble)
        trouble, final = ("", False) if revision.name in self.passed else self._smoke(revision)
        if trouble:
            return replace(release, state=ReleaseState.UNHEALTHY, trouble=trouble, final=final)
        self.passed.add(revision.name)
        return replace(release, state=ReleaseState.HEALTHY)

    def _smoke(self, revision: Revision) -> tuple[str, bool]:
        """Why the smoke sample failed, and whether for good; empty when it passed. No answer at all may be the link."""
        sample = self.smoke_sample(revision.image)
        if sample is None:
            return "has no smoke sample; the training job must write smoke.json beside its model", True
        status, value = self._score(revision, sample.request)
        if status != 200:
            signs = self._signs(revision, self.apps.replica(revision))
            return why_it_does_not_score(signs, status=status), status is not None
        if found := difference(sample.response, value, tolerance=sample.tolerance):
            return f"answers the smoke sample differently than in training: {found}", True
        return "", False

    def _silent(self, revision: Revision, replica: Replica | None, status: int | None) -> str:
        since = revision.created or datetime.now(UTC)
        seconds = max(0.0, (datetime.now(UTC) - since).total_seconds())
        return why_it_is_not_healthy(self._signs(revision, replica), status=status, seconds=seconds)

    def _signs(self, revision: Revision, replica: Replica | None) -> Signs:
        details = replica.details if replica else ""
        code = details.partition(_EXIT_CODE)[2].partition("'")[0]
        container = Container(
            status="running",
            exit_code=0,
            restarts=replica.restarts if replica else 0,
            labels={},
            memory=revision.size.quarters * 2**29,
            oom_killed=_OUT_OF_MEMORY in details,
        )
        log = self.apps.last_log(revision, replica) if replica else ""
        exit_code = int(code) if code.isdigit() else None
        return Signs(container=container, exit_code=exit_code, log=log)

    def _status(self, revision: Revision) -> int | None:
        try:
            url = f"{scoring_url(revision.address)}/"
            return requests.get(
                url, timeout=_HEALTH_TIMEOUT, allow_redirects=False, headers=trace_headers()
            ).status_code
        except requests.RequestException:
            return None

    def _score(self, revision: Revision, request: Any) -> tuple[int | None, Any]:
        try:
            url = f"{scoring_url(revision.address)}/score"
            response = requests.post(
                url, json=request, timeout=_SCORE_TIMEOUT, allow_redirects=False, headers=trace_headers()
            )
            return response.status_code, response.json()
        except (requests.JSONDecodeError, RecursionError):
            return response.status_code, None
        except requests.RequestException:
            return None, None
