"""Pipelines: their files, and what a run of each would do now."""

from datetime import UTC, datetime
from typing import Final

from function_app.composition import Services
from shared.decisions.admission.repeats import Refusal
from shared.doctor import Check, Kind, Seen, ok, skipped, wrong
from shared.errors import Code, PermanentError
from shared.messages import AdmissionRequest, Cause
from shared.values.texts import counted

_LISTING_SECONDS: Final = 60.0
_OF_THE_SITE: Final = {Code.NO_DATA, Code.BAD_CONFIGURATION}
_NOTHING_TO_DO: Final = {Code.NO_DATA, Code.PIPELINE_RETIRED}


def _file(services: Services, name: str) -> Seen:
    broken = services.pipelines.broken
    if name in broken:
        return wrong(broken[name])
    shared = services.pipelines.overlaps(name)
    return ok(f"valid; to be known: {'; '.join(shared)}" if shared else "valid")


def _dry_run(services: Services, name: str) -> Seen:
    if name in services.pipelines.broken:
        return skipped("its file is not valid")
    pipeline = services.pipelines.get(name)
    request = AdmissionRequest(
        pipeline=name, cause=Cause.OPERATOR, requested_by="doctor", requested_at=datetime.now(UTC)
    )
    try:
        hub = services.hubs.hub(pipeline.data.site)
        hub.page(pipeline)  # raises when there is no container
        holdout = hub.holdout(pipeline)
    except PermanentError as error:
        if error.code not in _OF_THE_SITE:
            raise
        return skipped("its data cannot be listed, see data.container, hub.answers and hub.list")
    if holdout is None:
        return skipped("its hold-out is not there, see data.holdout")
    try:
        evaluation = services.evaluator.evaluate(request, services.hubs.preview_snapshot)
    except PermanentError as error:
        if error.code in _NOTHING_TO_DO:
            return skipped(error.reason)
        raise
    decision = evaluation.decision
    if isinstance(decision, Refusal):
        return ok(decision.reason)
    return ok(f"run {decision.run_id} would train on {counted(evaluation.snapshot.blobs, 'file')}")


CHECKS: Final = (
    Check(
        name="pipeline.file",
        about=Kind.PIPELINE,
        wanted="a valid file that names sites, computes and targets of the settings",
        why="events for a pipeline whose file is not valid are rejected",
        remedy="edgetrain validate says line and field",
        look=_file,
    ),
    Check(
        name="pipeline.dry_run",
        about=Kind.PIPELINE,
        wanted="a run that could start, or data that were trained already",
        why="it takes the steps of an admission on the data as they are now, and changes nothing",
        remedy="do what the finding says, then look again: edgetrain start PIPELINE --dry-run",
        look=_dry_run,
        seconds=_LISTING_SECONDS,
    ),
)
