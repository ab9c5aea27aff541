"""What things of ours are called at Container Apps, and the sizes that can be had there. Pure."""

import hashlib
import json
import math
import re
from dataclasses import dataclass
from typing import Final

from shared.errors import Code, PermanentError
from shared.messages.serving import PlannedRelease, ServingPlan, ServingResources

REVISION_TAG: Final = "edgetrain-revision"
"""Tag of the app: ``<number>-<digest of the plan>``; it changes with every other plan that is applied."""
PLAN_TAG: Final = "edgetrain-plan"
"""Tag of the app: the suffixes of the revisions of the plan with their weights, such as ``r1a2b=90 r3c4d=10``."""
LIVE_TAG: Final = "edgetrain-live"
"""Tag of an app whose traffic we gave. Before, all is named for the first revision, and nobody has the address."""
SERVED_TAG: Final = "edgetrain-served"
"""Tag of the app: the suffixes of the revisions that had all of the traffic, newest first. They can be gone back to."""
RUN_VARIABLE: Final = "EDGETRAIN_RUN_ID"
"""Environment variable of a revision's container: the run whose model it serves."""
MODEL_VARIABLE: Final = "EDGETRAIN_MODEL"
VERSION_VARIABLE: Final = "EDGETRAIN_VERSION"
"""The same for the model's name and version in the registry; ``gunicorn_hooks.py`` puts them all into the answers."""

_LONGEST_APP: Final = 32
_MOST_SERVED: Final = 15  # a tag has at most 256 characters
_LARGEST: Final = 16
_ALL: Final = 100
_BYTES: Final = {"m": 1 / 1024, "g": 1.0}


@dataclass(frozen=True, slots=True)
class Size:
    """Cores and GiB of a container, in one of the pairs that Container Apps sell without a workload profile."""

    quarters: int

    @property
    def cpu(self) -> float:
        """Cores, 0.25 to 4."""
        return self.quarters / 4

    @property
    def gib(self) -> float:
        """GiB, always twice the cores."""
        return self.quarters / 2

    @property
    def resources(self) -> ServingResources:
        """The same in the words of a plan; a plan that asks for it gets this size again."""
        return ServingResources(memory=f"{self.quarters * 512}m", cpus=self.cpu)

    @property
    def memory(self) -> str:
        """As the API spells it, such as ``0.5Gi``."""
        return f"{self.gib:g}Gi"


def size_for(resources: ServingResources) -> Size:
    """The smallest pair that gives at least these resources; raises ``PermanentError`` beyond 4 cores or 8 GiB.

    The pairs: https://learn.microsoft.com/azure/container-apps/containers, "Allocations".
    """
    gib = int(resources.memory[:-1]) * _BYTES[resources.memory[-1]]
    quarters = max(1, math.ceil(resources.cpus * 4), math.ceil(gib * 2))
    if quarters > _LARGEST:
        reason = (
            f"deliver.resources ask for {resources.cpus:g} cores and {resources.memory}; Container Apps give "
            "a container at most 4 cores and 8g; ask for less, or deliver to another target"
        )
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION)
    return Size(quarters)


def app_name(prefix: str, pipeline: str) -> str:
    """The container app of a pipeline: 2 to 32 lower-case letters, digits and single hyphens."""
    wanted = f"{prefix}-{pipeline}" if prefix else pipeline
    plain = re.sub(r"-+", "-", wanted).strip("-")
    if plain == wanted and 2 <= len(wanted) <= _LONGEST_APP and wanted[0].isalpha():
        return wanted
    digest = hashlib.sha256(wanted.encode()).hexdigest()[:8]
    plain = plain if plain[:1].isalpha() else f"p{plain}"
    return f"{plain[: _LONGEST_APP - 9].rstrip('-')}-{digest}"


def suffix_of(release: PlannedRelease) -> str:
    """The suffix of a release's revision: made from run, image and size, as a revision never changes."""
    size = size_for(release.resources)
    text = f"{release.run_id}|{release.image}|{size.quarters}"
    return f"r{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def plan_digest(plan: ServingPlan) -> str:
    """Names what a plan asks for, whatever it is based on."""
    asked = sorted((suffix_of(release), release.weight) for release in plan.releases)
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:12]


def next_revision(current: str, plan: ServingPlan) -> str:
    """The target's revision once the plan is applied; the same one when that is the plan which was applied last."""
    number, _, digest = current.partition("-")
    wanted = plan_digest(plan)
    if digest == wanted:
        return current
    return f"{int(number) + 1 if number.isdigit() else 1}-{wanted}"


def is_stale(current: str, plan: ServingPlan) -> bool:
    """Whether another plan was applied since the one that this plan was made for; a repeated plan is not stale."""
    return bool(plan.based_on and current) and plan.based_on != current and next_revision(current, plan) != current


def plan_text(plan: ServingPlan) -> str:
    """The value of :data:`PLAN_TAG`."""
    return " ".join(f"{suffix_of(release)}={release.weight}" for release in plan.releases)


def served_text(before: str, plan: ServingPlan) -> str:
    """The value of :data:`SERVED_TAG` once the plan's weights are given; as before when they split the traffic."""
    served = [suffix_of(release) for release in plan.releases if release.weight == _ALL]
    return " ".join(list(dict.fromkeys([*served, *before.split()]))[:_MOST_SERVED])


def planned_weights(text: str) -> dict[str, int]:
    """Weights by suffix, as :func:`plan_text` wrote them; what somebody else wrote there counts for nothing."""
    pairs = (part.partition("=") for part in text.split())
    return {suffix: int(weight) for suffix, _, weight in pairs if weight.isdigit()}
