"""What a run's record says: why it was or was not started, judged, promoted, and why it failed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrations.progress import gave_up
from shared.decisions.admission.repeats import decide_attempt, effective_parameters, nothing_new
from shared.decisions.admission.run_plan import trained_in
from shared.decisions.explanations.status_text import quarantine_status_text
from shared.decisions.promotion.judgement import judge
from shared.decisions.reconciliation.orphans import (
    FinalizeRun,
    InstanceStatus,
    Liveness,
    after_roll_outs,
    decide_orphaned_run,
)
from shared.decisions.snapshots.omissions import (
    CHANGED,
    FAULTY,
    METRIC,
    STILL_WRITTEN,
    UNREADABLE,
    described,
    omissions_of,
)
from shared.decisions.training.compute_queue import MOST_WAITING, QueueState, ask
from shared.decisions.training.failure_causes import failure_cause, why_cancelled
from shared.decisions.training.polling import CANCEL_GRACE, Cancel, Ended, next_poll
from shared.errors import PermanentError
from shared.formats.size_limits import bounded_metrics, trouble_with
from shared.messages import (
    ChampionMeasurement,
    Outcome,
    Parameters,
    Quarantine,
    QueuePolicy,
    QueueRule,
    RunRecord,
    Stage,
    TrainingPhase,
    TrainingStatus,
    WithoutComparison,
    delivery_of,
)
from shared.serving.containers import Container
from shared.serving.endings import Signs, why_it_does_not_score, why_it_ended, why_it_is_not_healthy
from tests.support.arrivals import a_run_record
from tests.support.blob_evidence import QUARANTINED
from tests.support.builders import a_run_request, a_training_poll
from tests.support.computes import a_ticket
from tests.support.golden import compare
from tests.support.workflow import START
from tests.unit.decisions.promotion import test_certainty as certainty
from tests.unit.decisions.promotion.test_judgement import HIGHER, NEW, NOBODY, challenger, champion
from tests.unit.decisions.training.test_failure_causes import a_trace

LATER = START + timedelta(days=2)


def refusal(declared: Parameters, given: Parameters) -> str:
    with pytest.raises(PermanentError) as refused:
        effective_parameters(declared, given)
    return refused.value.reason


def refused(*attempts: RunRecord, quarantine: Quarantine | None = None) -> str:
    return getattr(decide_attempt(attempts, quarantine=quarantine), "reason", "")


def test_admission() -> None:
    request = a_run_request()
    entries = [*omissions_of(FAULTY, ["landing/a.csv"]), *omissions_of(CHANGED, ["landing/b.csv", "landing/c.csv"])]
    failed = a_run_record(outcome=Outcome.FAILED, reason="training: line 3")
    sentences = {
        "it starts": trained_in(request),
        "it starts again": trained_in(replace(request, attempt=2)),
        "another run trains the same": refused(a_run_record(outcome=None)),
        "trained before, promoted": refused(a_run_record(outcome=Outcome.PROMOTED)),
        "trained before, not promoted": refused(a_run_record(outcome=Outcome.NOT_PROMOTED)),
        "no new file": nothing_new("breast-cancer-abababababab-1").reason,
        "quarantined": refused(failed, quarantine=QUARANTINED),
        "quarantined without evidence": quarantine_status_text(replace(QUARANTINED, failures=())),
        "left out: some files": "..." + described(entries),
        "left out: one still written": "..." + described(omissions_of(STILL_WRITTEN, ["landing/log.csv"])),
        "left out: two still written": "..."
        + described(omissions_of(STILL_WRITTEN, ["landing/a.log", "landing/b.log"])),
        "left out: unreadable names": "..." + described(omissions_of(UNREADABLE, ["a", "b"])),
        "left out: metrics": "..." + described(omissions_of(METRIC, ["auc"])),
        "an undeclared parameter": refusal({"depth": 3}, {"deep": 4}),
        "a parameter of another type": refusal({"depth": 3}, {"depth": "4"}),
        "parameters that are too large": "parameters: " + trouble_with({"text": "x" * 9000}),
    }

    compare("admission", "Why a run is started, or is not.", sentences)


def test_promotion() -> None:
    old = champion({"accuracy": 0.93})
    keep, promote = HIGHER, replace(HIGHER, without_comparison=WithoutComparison.PROMOTE)
    best = champion({"accuracy": 0.93}, holdout="other")
    uncompared = challenger({"accuracy": 0.95}, holdout=NEW)
    beside = ChampionMeasurement(run_id=old.run_id or "", trouble="its model cannot be loaded")
    sentences = {
        "the first model": judge(HIGHER, challenger({"accuracy": 0.95}), NOBODY),
        "below the floor": judge(HIGHER, challenger({"accuracy": 0.8}), NOBODY),
        "no such metric": judge(HIGHER, challenger({"auc": 0.8}), NOBODY),
        "not a number": judge(HIGHER, challenger({"accuracy": float("nan")}), NOBODY),
        "better": judge(HIGHER, challenger({"accuracy": 0.95}), old),
        "not better": judge(HIGHER, challenger({"accuracy": 0.935}), old),
        "judged again": judge(HIGHER, challenger({"accuracy": 0.95}, run_id=old.run_id), old),
        "not comparable, kept": judge(keep, replace(uncompared, compared=beside), best),
        "not comparable, promoted": judge(promote, replace(uncompared, compared=beside), best),
        "overtaken by another champion": judge(keep, uncompared, best),
        "drifted": judge(replace(HIGHER, margin=-0.1, drift_limit=0.0), challenger({"accuracy": 0.92}), old),
    }
    compared = {
        "certainly not worse": certainty.BETTER,
        "certainly worse": certainty.WORSE,
        "nobody can tell": certainty.UNSURE,
        "nobody can tell, and more rows would not help": replace(certainty.UNSURE, difference=0.0, rows_needed=None),
        "no losses row by row": None,
        "compared at another level": replace(certainty.BETTER, level=0.9),
    }
    sentences |= {case: certainty.judged(comparison) for case, comparison in compared.items()}
    metrics = {f"metric_{number}": 0.5 for number in range(200)}
    texts = {case: judgement.reason for case, judgement in sentences.items()}

    compare(
        "promotion",
        "Why a model is promoted, or is not.",
        texts | {"too many metrics": bounded_metrics(metrics, "metric_1")[1]},
    )


def test_waiting() -> None:
    queue, *_ = ask(QueueState(), a_ticket("a"), 1, START)
    waiting, second = ask(queue, a_ticket("b"), 1, START)
    _, third = ask(waiting, a_ticket("c"), 1, START)
    choosy = replace(a_ticket("d"), rule=QueueRule(policy=QueuePolicy.REJECT))
    full = queue
    for number in range(MOST_WAITING):
        full, _ = ask(full, a_ticket(f"w-{number}"), 1, START)
    latest = QueueRule(policy=QueuePolicy.LATEST_WINS)
    old = replace(a_ticket("old"), rule=latest)
    raced, _ = ask(ask(queue, old, 1, START)[0], replace(old, run_id="new", asked_at=LATER), 1, LATER)
    delivering = replace(a_ticket("a"), compute=delivery_of("pumps"))
    sentences = {
        "next": second.reason,
        "later": third.reason,
        "has it": ask(queue, a_ticket("a"), 1, START)[1].reason,
        "several have it": ask(ask(queue, a_ticket("b"), 2, START)[0], a_ticket("c"), 2, START)[1].reason,
        "waits for a delivery": ask(
            ask(QueueState(), delivering, 1, START)[0], replace(delivering, run_id="b"), 1, START
        )[1].reason,
        "policy reject": ask(queue, choosy, 1, START)[1].reason,
        "policy latest-wins": ask(raced, old, 1, LATER)[1].reason,
        "too many wait": ask(full, a_ticket("one-more"), 1, START)[1].reason,
    }

    compare("waiting", "What a run waits for, and why it may not wait.", sentences)


def test_failures_of_trainings() -> None:
    services = {
        "killed for memory": ("the script exited with status 137", "UserError"),
        "ended by a signal": ("the script exited with status 143", "UserError"),
        "crashed": ("the script exited with status 139", "UserError"),
        "an exit status only": ("the script exited with status 1", "UserError"),
        "the process vanished": ("the process vanished", "UserError"),
        "no SSH": ("SSH to 10.0.0.4 port 22 failed: timed out", "UserError"),
        "Azure ML failed": ("anything", "ServiceError"),
        "an error code only": ("anything", "UserError"),
        "nothing known": ("", ""),
        "no Python": ("sh: python: not found", "UserError"),
        "disk full": ("OSError: [Errno 28] No space left on device", "UserError"),
    }
    sentences = {
        case: failure_cause(a_trace(service=text, code=code)).reason for case, (text, code) in services.items()
    }
    sentences["a kind without words"] = failure_cause(a_trace(kind="data")).reason
    sentences["Azure ML's own limit"] = why_cancelled("maxRunDurationSeconds")
    poll = a_training_poll(submitted=True)
    running = replace(poll, running_since=START, queued_since=START)
    for case, state in {
        "ran for too long": running,
        "waited for too long": replace(poll, queued_since=START),
        "does not stop": replace(running, cancelling="(the limit)", cancel_asked_at=LATER - 2 * CANCEL_GRACE),
    }.items():
        step = next_poll(state, TrainingStatus(phase=TrainingPhase.RUNNING), LATER)
        assert isinstance(step, Cancel | Ended)
        sentences[case] = step.reason
    sentences["an activity's retries ran out"] = gave_up(Exception("the registry answered 503\n  stack"))

    compare("training_failures", "Why a training failed.", sentences)


def test_orphaned_runs() -> None:
    request = a_run_request()
    lives = {
        "terminated": InstanceStatus(life=Liveness.TERMINATED, said="wrong data"),
        "ended without an outcome": InstanceStatus(life=Liveness.COMPLETED),
        "failed": InstanceStatus(life=Liveness.FAILED, said="out of order", stage=Stage.TRAINING),
        "failed without a reason": InstanceStatus(life=Liveness.FAILED),
    }
    sentences = {}
    for case, life in lives.items():
        step = decide_orphaned_run(request, life, InstanceStatus(life=Liveness.NEVER), now=LATER)
        assert isinstance(step, FinalizeRun)
        sentences[case] = step.reason
    broken = {"hub-vm": InstanceStatus(life=Liveness.FAILED)}
    step = after_roll_outs(
        FinalizeRun(Outcome.FAILED, "(the reason)"), lives["failed"], broken, can_resume=False, now=LATER
    )
    assert isinstance(step, FinalizeRun)
    sentences["its roll-out broke off too"] = step.reason

    compare("orphaned_runs", "Why the reconciler ended a run.", sentences)


def test_candidates() -> None:
    def signs(exit_code: int | None = None, *, memory: int = 0, log: str = "Traceback | boom") -> Signs:
        container = Container(status="exited", exit_code=exit_code or 0, restarts=0, labels={}, memory=memory)
        return Signs(container=container, exit_code=exit_code, log=log)

    sentences = {
        "out of memory": why_it_ended(signs(137, memory=2**29)),
        "not startable": why_it_ended(signs(127)),
        "init failed": why_it_ended(signs(3)),
        "another exit code": why_it_ended(signs(1)),
        "restarts": why_it_ended(signs()),
        "nothing answers": why_it_is_not_healthy(signs(log=""), status=None, seconds=60),
        "unhealthy": why_it_is_not_healthy(signs(), status=500, seconds=60),
        "no score": why_it_does_not_score(signs(), status=None),
        "score fails": why_it_does_not_score(signs(), status=500),
    }

    compare("candidates", "Why a candidate gets no traffic; each completes 'candidate X of run Y on Z ...'.", sentences)
