"""Lift quarantines."""

from datetime import UTC, datetime, timedelta

from function_app.api import models as m
from function_app.api.lists import active_quarantines
from function_app.composition import Services
from function_app.problems import RefusedError
from shared.decisions.explanations.actors import actor_text
from shared.decisions.explanations.blob_verdict import CYCLE_EVERY
from shared.messages import Actor
from shared.values.texts import counted


def release(name: str, body: m.ReleaseBody, actor: Actor, services: Services) -> m.Released:
    """Lift the quarantine of one fingerprint or of all, and have the reconciler evaluate the data again."""
    pipeline = services.pipelines.get(name)
    active = active_quarantines(pipeline, services)
    wanted = [kept for kept in active if body.fingerprint in {None, kept.fingerprint}]
    if body.fingerprint is not None and not wanted:
        known = ", ".join(kept.fingerprint for kept in active) or "none"
        detail = f"pipeline {pipeline.name} does not hold back fingerprint {body.fingerprint}; held back: {known}"
        raise RefusedError(404, "unknown_quarantine", detail, field="fingerprint")
    lifts, now, by = services.ledger.quarantines, datetime.now(UTC), actor_text(actor)
    released = [lifts.lift(pipeline.name, kept.fingerprint, now, by=by) for kept in wanted]
    # Also when nothing was quarantined: a call that died half-way is repeated, and its listing must be looked at again.
    services.ledger.listings.clear_decision(pipeline.name)
    done = tuple(kept for kept in released if kept is not None)  # None: another request lifted it just now
    return m.Released(released=done, sentence=_sentence(pipeline.name, len(done)))


def _sentence(pipeline: str, released: int) -> str:
    again = f"are looked at again within {counted(CYCLE_EVERY // timedelta(minutes=1), 'minute')}"
    if not released:
        return f"pipeline {pipeline} holds no data back; its data {again}"
    what = f"{released} sets of data of pipeline {pipeline}" if released > 1 else f"data of pipeline {pipeline}"
    return f"{what} that were held back may be trained again; they {again}"
