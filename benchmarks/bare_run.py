"""The same steps as a run, one after the other in a plain script, with the same code: the baseline for a run's time.

    python -m benchmarks.bare_run PIPELINE PARAMETER VALUE [VALUE ...]

Prints the seconds of each run as JSON. Needs the app's settings in the environment.
"""

import json
import sys
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime

from function_app import activity_wiring
from function_app.composition import Services
from orchestrations.run_messages import judgement_on, lineage_of, rollout_to, training_order
from shared.decisions.delivery import plans
from shared.messages import (
    AdmissionRequest,
    ApplyPlan,
    BuildImage,
    Cause,
    ChampionQuery,
    ObserveTarget,
    Outcome,
    RegisterModel,
    Rollout,
    RunRequest,
    TrainingPhase,
    TrainingRef,
    first_record,
)

POLL_SECONDS = 0.25


def main() -> None:
    pipeline, parameter, *values = sys.argv[1:]
    services = Services()
    taken = []
    for value in values:
        began = time.perf_counter()
        request = AdmissionRequest(
            pipeline=pipeline,
            cause=Cause.OPERATOR,
            requested_by=uuid.uuid4().hex,
            requested_at=datetime.now(UTC),
            parameters={parameter: float(value)},
        )
        admission = activity_wiring.admit_run(request, services)
        assert admission.run is not None, admission.reason
        _run(admission.run, services)
        taken.append(time.perf_counter() - began)
    print(json.dumps(taken))


def _run(run: RunRequest, services: Services) -> None:
    query, record = ChampionQuery(pipeline=run.pipeline), first_record(run, reason="")
    order = training_order(run, activity_wiring.read_champion(query, services))
    activity_wiring.submit_training(order, services)
    training = TrainingRef(
        run_id=run.run_id, pipeline=run.pipeline, metrics=(run.plan.rule.metric,), compute=run.plan.compute
    )
    while not (status := activity_wiring.check_training(training, services)).phase.terminal:
        time.sleep(POLL_SECONDS)
    assert status.phase is TrainingPhase.COMPLETED, status.detail
    trained = activity_wiring.collect_training(training, services)
    # The same work as the run's: its training measures the champion's model too.
    assert (trained.compared is None) == (order.champion is None), trained.compared
    assert trained.compared is None or not trained.compared.trouble, trained.compared.trouble
    record = replace(record, metrics=trained.metrics)
    champion = activity_wiring.read_champion(query, services)
    judgement = judgement_on(run, record, trained.compared, champion)
    assert judgement.promoted, judgement.reason
    lineage, path = lineage_of(run, record), trained.model_path
    created = trained.ended_at or run.requested_at
    register = RegisterModel(lineage=lineage, model_path=path, name=run.plan.model)
    registered = activity_wiring.register_model(register, services)
    build = BuildImage(lineage=lineage, model_path=path, created_at=created, job=run.plan.job)
    image = activity_wiring.build_image(build, services)
    record = replace(
        record,
        reason=judgement.reason,
        champion_run_id=champion.run_id,
        model=registered.name,
        version=registered.version,
        image=image.reference,
    )
    for target in run.plan.targets:
        _roll_out(rollout_to(target, run, record), services)
    activity_wiring.record_run(replace(record, outcome=Outcome.PROMOTED, ended_at=datetime.now(UTC)), services)


def _roll_out(rollout: Rollout, services: Services) -> None:
    """The plans of a roll-out without steps, each seen to be fulfilled; looked at as often as it can be.

    The new model is watched as long as in a run before it counts as served.
    """
    query = ObserveTarget(target=rollout.target, pipeline=rollout.pipeline)
    found = activity_wiring.observe_target(query, services)
    before = plans.found(found, run_id=rollout.run_id, champion=None)
    for weight in (0, 100):
        plan = plans.with_candidate(before, plans.candidate_of(rollout, weight))
        while True:
            activity_wiring.apply_plan(ApplyPlan(plan=replace(plan, based_on=""), by=rollout.run_id), services)
            seen = activity_wiring.observe_target(query, services)
            if plans.runs(seen, plan) and plans.is_healthy(seen, rollout.run_id):
                break
    time.sleep(rollout.strategy.watch_seconds)


if __name__ == "__main__":
    main()
