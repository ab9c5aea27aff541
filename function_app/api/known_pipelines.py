"""Which pipelines an operation may name: those with a file, and those with runs or arrivals in the ledger."""

import re

from function_app.composition import Services
from shared.decisions.explanations.status_text import utc_text
from shared.decisions.reconciliation.troubles import GONE
from shared.errors import PermanentError
from shared.messages import Trouble, TroubleKind
from shared.pipelines.parts import NAME


def name_of(pipeline: str, services: Services) -> str:
    """The name, if the pipeline has a file or a history; raises :class:`PermanentError` otherwise.

    A pipeline whose file is broken or removed keeps its readable runs and arrivals.
    """
    try:
        return services.pipelines.get(pipeline).name
    except PermanentError:
        if not has_history(pipeline, services):
            raise
        return pipeline


def all_names(services: Services) -> list[str]:
    """Every pipeline: also one that is broken or removed now, which may have runs."""
    known = services.pipelines
    return sorted({*(each.name for each in known.all), *known.broken, *services.ledger.runs.pipelines()})


def has_history(pipeline: str, services: Services) -> bool:
    """Whether the ledger has a run or an arrival of the pipeline; accepts any text."""
    if not re.fullmatch(NAME, pipeline):  # the tables refuse some characters in keys, so they are not queried
        return False
    ledger = services.ledger
    return pipeline in ledger.runs.pipelines() or bool(ledger.arrivals.list_arrivals(pipeline, limit=1).items)


def is_removed(pipeline: str, services: Services) -> bool:
    """Whether the pipeline has a history and no file any more."""
    return not services.pipelines.has_file(pipeline) and has_history(pipeline, services)


def removal(pipeline: str, troubles: tuple[Trouble, ...]) -> tuple[str, Trouble | None]:
    """The sentence that the pipeline is removed, with the time when the reconciler noticed it, if it has."""
    noticed = next((trouble for trouble in troubles if trouble.kind is TroubleKind.REMOVED), None)
    since = f" at {utc_text(noticed.since)}" if noticed else ""
    return f"pipeline {pipeline} was removed{since}: {GONE}; its runs and arrivals stay readable", noticed
