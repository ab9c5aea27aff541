"""Detects changed code, which no event reports, and requests a run when the last decision was made with other code."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING

from function_app.composition import Services
from shared.decisions.admission.fingerprint import recipe_digest
from shared.decisions.admission.run_plan import workload_of
from shared.decisions.reconciliation.code_changes import CodeStep, code_step, has_changed, noted
from shared.errors import PermanentError
from shared.messages import AdmissionRequest, Cause

if TYPE_CHECKING:
    from shared.messages.listings import DecidedListing, ScanState
    from shared.pipelines import Pipeline

log = logging.getLogger(__name__)


def code_now(services: Services, pipeline: Pipeline) -> str:
    """The digest of the pipeline's deployed code; empty when it cannot be read, which admission reports."""
    try:
        job = services.job_folders.read(pipeline.train.folder)
    except PermanentError:
        return ""
    return recipe_digest(
        job.frozen.tree,
        pipeline.train.parameters,
        leave_out_faulty=pipeline.data.leaves_out_faulty,
        workload=workload_of(pipeline),
    )


def request_for_other_code(
    services: Services,
    pipeline: Pipeline,
    code: str,
    *,
    decided: DecidedListing | None,
    scan: ScanState | None,
    now: datetime,
) -> AdmissionRequest | None:
    """The request to start when the code has changed since the last decision, else None without any query."""
    if decided is None or scan is None or not has_changed(decided, code, scan, now):
        return None
    last = services.ledger.runs.run(decided.run_id) if decided.run_id else None
    step = code_step(last, on_code="code" in pipeline.retrain_on)
    if step is CodeStep.WAIT:
        return None
    services.ledger.listings.keep_scan(pipeline.name, noted(scan, code, now))
    if step is CodeStep.LEAVE:
        return None
    log.info("the code of pipeline %s has changed since its last decision", pipeline.name)
    since = f" since run {last.run_id}" if last is not None else ""
    return AdmissionRequest(
        pipeline=pipeline.name,
        cause=Cause.CODE,
        requested_by=f"code-{pipeline.name}-{code[:12]}-{now:%Y%m%dT%H%M%S}",
        requested_at=now,
        note=f"the code, its libraries or parameters have changed{since}",
    )
