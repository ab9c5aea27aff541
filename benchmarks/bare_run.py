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
from shared.decisions.delivery import plans
from shared.decisions.promotion.judgement import Challenger, judge
from shared.messages import (
    AdmissionRequest,
    ApplyPlan,
    BuildImage,
    Cause,
    ChampionQuery,
    Lineage,
    ObserveTarget,
    Outcome,
    RegisterModel,
    Rollout,
    RunRequest,
    TrainingOrder,
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
    rival = activity_wiring.read_champion(ChampionQuery(pipeline=run.pipeline), services).run_id
    order = TrainingOrder(
        run_id=run.run_id,
        pipeline=run.pipeline,
        compute=run.plan.compute,
        snapshot=run.snapshot,
        parameters=run.parameters,
        fingerprint=run.fingerprint,
        job=run.plan.job,
        running_seconds=run.plan.limits.running_seconds,
        champion=rival,
        evaluator=run.evaluator,
        judged_metric=run.plan.rule.metric,
        leave_out_faulty=run.plan.leave_out_faulty,
    )
    training = TrainingRef(run_id=run.run_id, pipeline=run.pipeline, metrics=(run.plan.rule.metric,))
    activity_wiring.submit_training(order, services)
    while not (status := activity_wiring.check_training(training, services)).phase.terminal:
        time.sleep(POLL_SECONDS)
    assert status.phase is TrainingPhase.COMPLETED, status.detail
    trained = activity_wiring.collect_training(training, services)
    # The same work as the run's: its training measures the champion's model too.
    assert (trained.compared is None) == (rival is None), trained.compared
    assert trained.compared is None or not trained.compared.trouble, trained.compared.trouble
    champion = activity_wiring.read_champion(ChampionQuery(pipeline=run.pipeline), services)
    challenger = Challenger(
        run_id=run.run_id,
        metrics=trained.metrics,
        holdout=run.snapshot.holdout,
        evaluator=run.evaluator,
        compared=trained.compared,
    )
    judgement = judge(run.plan.rule, challenger, champion)
    assert judgement.promoted, judgement.reason
    lineage = Lineage(
        run_id=run.run_id,
        pipeline=run.pipeline,
        fingerprint=run.fingerprint,
        snapshot_digest=run.snapshot.digest,
        blobs=run.snapshot.blobs,
        metrics=trained.metrics,
    )
    created = trained.ended_at or run.requested_at
    target = run.plan.targets[0].name
    registered = activity_wiring.register_model(RegisterModel(lineage=lineage, model_path=trained.model_path), services)
    image = activity_wiring.build_image(
        BuildImage(lineage=lineage, model_path=trained.model_path, created_at=created), services
    )
    _roll_out(Rollout(run_id=run.run_id, pipeline=run.pipeline, target=target, image=image.reference), services)
    record = replace(
        first_record(run, reason=judgement.reason),
        outcome=Outcome.PROMOTED,
        ended_at=datetime.now(UTC),
        metrics=trained.metrics,
        model=registered.name,
        version=registered.version,
        image=image.reference,
    )
    activity_wiring.record_run(record, services)


def _roll_out(rollout: Rollout, services: Services) -> None:
    """The plans of a roll-out without steps, each seen to be fulfilled; looked at as often as it can be."""
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


if __name__ == "__main__":
    main()
