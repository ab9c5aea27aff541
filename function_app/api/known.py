"""Which pipelines an operation may be asked about: those with a file, and those that have had one."""

import re

from function_app.composition import Services
from shared.decisions.explanations.status_text import utc_text
from shared.decisions.reconciliation.troubles import GONE
from shared.errors import PermanentError
from shared.messages import Trouble, TroubleKind
from shared.pipelines.model import NAME


def name_of(pipeline: str, services: Services) -> str:
    """The name of a pipeline that is there, or that has a history; raises :class:`PermanentError` otherwise.

    A file that is broken or gone now takes nothing away of what was: runs and arrivals stay readable.
    """
    try:
        return services.pipelines.get(pipeline).name
    except PermanentError:
        if not has_history(pipeline, services):
            raise
        return pipeline


def has_history(pipeline: str, services: Services) -> bool:
    """Whether the ledger knows a run or an arrival of it; any text may be asked for."""
    if not re.fullmatch(NAME, pipeline):  # not asked of the tables, which refuse some keys
        return False
    ledger = services.ledger
    return pipeline in ledger.runs.pipelines() or bool(ledger.arrivals.list_arrivals(pipeline, limit=1).items)


def is_removed(pipeline: str, services: Services) -> bool:
    """Whether it has a history and no file any more."""
    return not services.pipelines.has_file(pipeline) and has_history(pipeline, services)


def removal(pipeline: str, troubles: tuple[Trouble, ...]) -> tuple[str, Trouble | None]:
    """The sentence that says that it is removed, and since when if that was noticed yet."""
    noticed = next((trouble for trouble in troubles if trouble.kind is TroubleKind.REMOVED), None)
    since = f" at {utc_text(noticed.since)}" if noticed else ""
    return f"pipeline {pipeline} was removed{since}: {GONE}; its runs and arrivals stay readable", noticed
