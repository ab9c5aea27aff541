"""Spans and numbers that sentences of the page name, from where they are decided: in seconds."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from function_app.sessions import SESSION_LASTS
from shared.decisions.arrivals.forecast import LEAST_WEEKS
from shared.decisions.arrivals.watched_blobs import STILL
from shared.decisions.explanations.blob_verdict import CYCLE_EVERY
from shared.decisions.training.retry_schedule import RUN_RETRY_PAUSES

LIMITS: Final[Mapping[str, float]] = {
    "session": SESSION_LASTS.total_seconds(),
    "look": CYCLE_EVERY.total_seconds(),
    "retries": sum(RUN_RETRY_PAUSES, timedelta()).total_seconds(),
    "left_alone": STILL.total_seconds(),
    "forecast": timedelta(weeks=LEAST_WEEKS).total_seconds(),
}
