"""What a run asks first: the checks of what its training needs, in a few seconds, before it waits for its compute."""

from dataclasses import replace
from typing import Any, Final

from function_app.composition import Services
from function_app.doctor.catalogue import every_check
from function_app.doctor.examination import hidden
from shared.decisions.admission.run_plan import needs_the_same
from shared.doctor import Check, Finding, Kind, State, looks, run
from shared.errors import Code, PermanentError
from shared.messages import Done, Preflight
from shared.values.texts import counted

SECONDS: Final = 5.0
"""For each check; what takes longer is unknown, and the run goes on."""
WITHIN: Final = 8.0


def preflight(order: Preflight, services: Services) -> Done:
    """Raises :class:`PermanentError` (not_ready) with what is wrong and what mends it."""
    subjects = {
        Kind.APP: [""],
        Kind.SITE: [order.site],
        Kind.COMPUTE: [order.compute],
        Kind.PIPELINE: [order.pipeline] if _is_deployed(order, services) else [],
    }
    only = frozenset(subjects[Kind.PIPELINE])
    checks = [_quick(check) for check in every_check(only) if check.for_runs]
    findings = run(looks(checks, services, subjects), within=WITHIN, hidden=hidden(services.settings))
    wrong = [finding for finding in findings if finding.state is State.WRONG]
    if wrong:
        raise PermanentError(_reason(wrong), code=Code.NOT_READY)
    return Done()


def _is_deployed(order: Preflight, services: Services) -> bool:
    """Whether pipeline and code are still those of the run; checks of a pipeline look at what is deployed."""
    run = services.ledger.runs.request(order.run_id)
    try:
        pipeline = services.pipelines.get(order.pipeline)
        code = services.job_folders.read(pipeline.train.folder).frozen
    except PermanentError:
        return False
    return run is not None and code == order.job and needs_the_same(pipeline, run)


def _quick(check: Check[Any]) -> Check[Any]:
    return replace(check, seconds=min(check.seconds, SECONDS))


def _reason(wrong: list[Finding]) -> str:
    first = wrong[0]
    more = f"; and {counted(len(wrong) - 1, 'thing')} more: edgetrain doctor" if len(wrong) > 1 else ""
    remedy = f"; {first.remedy}" if first.remedy else ""
    return f"{first.check} of {first.subject}: {first.found}{remedy}{more}"
