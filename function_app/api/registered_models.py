"""Models, their versions, and the runs that made them, as the ledger knows them."""

from collections import defaultdict
from collections.abc import Iterable

from function_app.api import delivery_models as d
from function_app.composition import Services
from function_app.problems import RefusedError
from shared.messages import Champion, RunRecord

NEWEST = 100
"""Runs of a pipeline whose versions are shown."""


def list_models(services: Services) -> d.ModelList:
    """Every model that a pipeline names or a run has made."""
    return d.ModelList(models=tuple(view for _, view in sorted(_views(services).items())))


def get_model(model: str, services: Services) -> d.ModelView:
    """The model of that name."""
    found = _views(services).get(model)
    if found is None:
        raise RefusedError(404, "unknown_model", f"there is no model {model!r}; the list of models has them all")
    return found


def _views(services: Services) -> dict[str, d.ModelView]:
    ledger = services.ledger
    named: dict[str, set[str]] = defaultdict(set)
    for pipeline in services.pipelines.all:
        named[pipeline.deliver.model].add(pipeline.name)
    versions: dict[str, list[d.ModelVersion]] = defaultdict(list)
    champions: dict[str, str] = {}
    for name in sorted({*ledger.runs.pipelines(), *(pipeline.name for pipeline in services.pipelines.all)}):
        champion = ledger.champions.champion(name)
        for version in versions_of(ledger.runs.list_runs([name], limit=NEWEST).items, champion):
            named[version[0]].add(name)
            versions[version[0]].append(version[1])
        if champion.model and champion.version:
            named[champion.model].add(name)
            champions[champion.model] = champion.version
    return {
        model: d.ModelView(
            name=model,
            pipelines=tuple(sorted(pipelines)),
            champion=champions.get(model),
            versions=tuple(versions.get(model, ())),
        )
        for model, pipelines in named.items()
    }


def versions_of(records: Iterable[RunRecord], champion: Champion) -> Iterable[tuple[str, d.ModelVersion]]:
    """The versions that runs of the champion's pipeline have made, each with the name of its model."""
    for record in records:
        if record.model is not None and record.version is not None:
            yield (
                record.model,
                d.ModelVersion(
                    version=record.version,
                    run_id=record.run_id,
                    pipeline=record.pipeline,
                    stage=_stage(record, champion),
                    outcome=record.outcome,
                    image=record.image,
                    metrics=record.metrics,
                    ended_at=record.ended_at,
                    targets=tuple(result.target for result in record.targets if result.deployed),
                ),
            )


def _stage(record: RunRecord, champion: Champion) -> d.ModelStage:
    if record.run_id == champion.run_id:
        return d.ModelStage.CHAMPION
    return d.ModelStage.CANDIDATE if record.outcome is None else d.ModelStage.RETIRED
