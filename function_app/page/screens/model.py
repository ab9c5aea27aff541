"""A model: its versions with run, numbers and places, and two of them side by side.

Bounded: versions of :data:`PIPELINES` pipelines at the most, :data:`LEAST` or more at a time as long as there are, of
:data:`ROUNDS` times :data:`RUNS` runs at the most. The ledger is asked once for each pipeline, once more for each in
each round, and twice more where the address names a pipeline that has no file.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from function_app.api.delivery_models import ModelStage, ModelVersion
from function_app.api.known_pipelines import name_of
from function_app.api.registered_models import versions_of
from function_app.composition import Services
from function_app.page.later import _
from function_app.page.serving import Asked
from function_app.problems import RefusedError
from shared.messages import Champion

PIPELINES: Final = 5
LEAST: Final = 20
RUNS: Final = 40
ROUNDS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version. ``value``: its number that decides, ``others``: its other numbers."""

    made: ModelVersion
    value: float | None
    others: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """``metric``: the number that decides. ``left``, ``right``: the runs that are compared unless somebody chooses.

    ``following``: where the older versions begin; None at the end. ``first``: whether this is the newest part.
    ``pipeline``: the one that the address names; empty when it names none.
    """

    name: str
    pipelines: tuple[str, ...]
    pipeline: str
    champion: str | None
    metric: str
    versions: tuple[Version, ...]
    left: str
    right: str
    following: str | None
    first: bool


async def view(asked: Asked, services: Services) -> Model:
    """The model that the address names."""
    return await asyncio.to_thread(_view, asked, services)


def _view(asked: Asked, services: Services) -> Model:
    name, pipeline, after = asked.route["model"], asked.query.get("pipeline", ""), asked.query.get("after") or None
    files = {each.name: each for each in services.pipelines.all if each.deliver.model == name}
    names = [name_of(pipeline, services)] if pipeline else sorted(files)[:PIPELINES]
    champions = {each: services.ledger.champions.champion(each) for each in names}
    made, following = _versions(name, champions, after, services)
    used = [each.version for each in champions.values() if each.run_id and each.model == name]
    if not (made or files or used):
        raise RefusedError(
            404, "unknown_model", _("There is no model %(name)s. The screen Models shows them all.", name=name)
        )
    metric = next((files[each].judge.metric for each in names if each in files), "")
    left, right = _chosen(made)
    return Model(
        name=name,
        pipelines=tuple(names),
        pipeline=pipeline,
        champion=next(iter(used), None),
        metric=metric,
        versions=tuple(_version(each, metric) for each in made),
        left=left,
        right=right,
        following=following,
        first=after is None,
    )


def _versions(
    name: str, champions: Mapping[str, Champion], after: str | None, services: Services
) -> tuple[list[ModelVersion], str | None]:
    """Versions, newest first, from that place on, and where the next ones begin."""
    found: list[ModelVersion] = []
    for _round in range(ROUNDS):
        page = services.ledger.runs.list_runs(list(champions), limit=RUNS, after=after)
        for record in page.items:
            versions = versions_of([record], champions[record.pipeline])
            found.extend(version for model, version in versions if model == name)
        after = page.next
        if after is None or len(found) >= LEAST:
            break
    return found, after


def _version(made: ModelVersion, metric: str) -> Version:
    others = {name: value for name, value in sorted(made.metrics.items()) if name != metric}
    return Version(made=made, value=made.metrics.get(metric), others=others)


def _chosen(versions: Sequence[ModelVersion]) -> tuple[str, str]:
    """The version in use, or the one before the newest; and the newest other one."""
    if len(versions) < 2:
        return "", ""
    used = next((each.run_id for each in versions if each.stage is ModelStage.CHAMPION), versions[1].run_id)
    return used, next(each.run_id for each in versions if each.run_id != used)
