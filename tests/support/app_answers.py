"""What the app answers, made with its own models: the command line is shown nothing that the app cannot send."""

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from function_app.api import delivery_models as d
from function_app.api import models as m
from function_app.api.expected_models import ExpectedView
from shared.messages import (
    ActionKind,
    Basis,
    Champion,
    Comparison,
    FailedAttempt,
    FailureKind,
    JudgedRule,
    ObservedRelease,
    Outcome,
    PlannedRelease,
    Quarantine,
    ReceiptSummary,
    ReleaseState,
    RuleResult,
    RunRecord,
    Stage,
    TargetResult,
    Trouble,
    TroubleKind,
    Verdict,
)
from shared.pipelines import Pipelines
from shared.values.wire import to_wire
from tests.support.answering import Reply
from tests.support.api import PIPELINES
from tests.support.arrivals import a_run_record

NOW = datetime(2026, 11, 28, 13, 19, 5, tzinfo=UTC)
PIPELINE = "breast-cancer"
PROMOTED, WORSE, FAILED, RUNNING = (f"{PIPELINE}-{part * 12}-1" for part in ("a", "b", "c", "d"))
ENDPOINT = "http://127.0.0.1:40123"


def promoted(**changes: Any) -> m.RunView:
    """A run whose model serves."""
    return _run(
        changes,
        run_id=PROMOTED,
        outcome=Outcome.PROMOTED,
        reason="log_loss 0.0769 is at least as good as the champion's 0.0812",
        stage=Stage.DONE,
        ended_at=NOW + timedelta(seconds=83),
        seconds=83.0,
        metrics={"accuracy": 0.9737, "log_loss": 0.0769},
        champion_run_id=WORSE,
        champion_value=0.0812,
        model=PIPELINE,
        version="7",
        image=f"registry.example/{PIPELINE}@sha256:{'1a' * 32}",
        targets=(TargetResult(target="hub-vm", deployed=True, endpoint=ENDPOINT),),
        holdout="cd" * 32,
        evaluator="ef" * 32,
        rules=(
            JudgedRule(rule="judge.floor", result=RuleResult.MET, value=0.0769, limit=0.2),
            JudgedRule(rule="judge.margin", result=RuleResult.MET, value=-0.0043, limit=0.01),
        ),
        comparison=Comparison(
            rows=114, difference=-0.0043, low=-0.011, high=0.0021, level=0.95, resamples=2000, method="bootstrap"
        ),
        receipt=ReceiptSummary(released_bytes=4123, released=3, held_back=1, network_bytes=0),
    )


def failed(**changes: Any) -> m.RunView:
    """A run that failed in its code."""
    reason = "train.command ended with status 1: ValueError at train.py:12; what it printed is in ~/edgetrain/state"
    return _run(
        changes,
        run_id=FAILED,
        outcome=Outcome.FAILED,
        reason=reason,
        stage=Stage.TRAINING,
        ended_at=NOW + timedelta(seconds=9),
        seconds=9.0,
        failure_kind=FailureKind.CODE,
        job_failed=True,
    )


def running(**changes: Any) -> m.RunView:
    """A run that trains."""
    return _run(
        changes,
        run_id=RUNNING,
        reason="it is under way",
        stage=Stage.TRAINING,
        since=NOW + timedelta(seconds=4),
        progress={"phase": "running", "detail": "", "checks": 3, "queue_position": None},
    )


def _run(changes: Mapping[str, Any], **values: Any) -> m.RunView:
    record = a_run_record(pipeline=PIPELINE, requested_at=NOW, blobs=2, snapshot_digest="ab" * 32)
    base = {part.name: getattr(record, part.name) for part in fields(RunRecord)}
    return m.RunView(**base | {"reason": "", "outcome": None, **values, **changes})


def listed(view: m.RunView) -> m.ListedRun:
    """The same run in a list."""
    return m.ListedRun(**{part.name: getattr(view, part.name) for part in fields(m.ListedRun)})


def page(*views: m.RunView, continuation: str | None = None) -> m.RunsPage:
    """A page of runs."""
    return m.RunsPage(runs=tuple(map(listed, views)), continuation=continuation)


def detail(*views: m.RunView, champion: str | None = PROMOTED, troubled: bool = False) -> m.PipelineDetail:
    """The pipeline of this repository with those newest runs."""
    return m.PipelineDetail.model_validate(
        {
            **dict(Pipelines(PIPELINES).get(PIPELINE)),
            "champion": _champion() if champion else None,
            "troubles": (_trouble(),) if troubled else (),
            "serving": f"run {PROMOTED} serves, trained on 2 files" if champion else "nothing serves yet",
            "window": None,
            "expected": _expected(overdue=troubled),
            "quarantines": (_quarantine(),) if troubled else (),
            "runs": tuple(map(listed, views)),
        }
    )


def every_pipeline() -> m.PipelineList:
    """One that is well, one with a trouble, a broken file, a removed one."""
    known = Pipelines(PIPELINES)
    well = {**dict(known.get(PIPELINE)), "champion": _champion(), "troubles": ()}
    ill = {**dict(known.get("digits")), "champion": None, "troubles": (_trouble(),)}
    return m.PipelineList(
        pipelines=tuple(map(m.PipelineView.model_validate, (well, ill))),
        broken={"garbled": "pipelines/garbled.yaml: line 1: expected a mapping"},
        removed={"old": "pipeline old was removed: pipelines/old.yaml is gone"},
    )


def a_why(run: m.RunView | None, **changes: Any) -> m.Why:
    """What became of the first file."""
    values = {
        "pipeline": PIPELINE,
        "blob": "landing/part-1.csv",
        "verdict": Verdict.TRAINED,
        "sentence": f"landing/part-1.csv was trained in run {PROMOTED}, which was promoted",
        "blob_now": None,
        "arrivals": (_arrival(),),
        "run": run,
    }
    return m.Why(**values | changes)


def decided(decision: str = "approved") -> d.Decided:
    """What somebody said about the run that is under way."""
    one = d.DecisionView(target="hub-vm", decision=decision, by="ada (key plant)", reason="looks right", at=NOW)
    return d.Decided(run_id=RUNNING, decisions=(one,), sentence=f"run {RUNNING} is {decision} for hub-vm")


def an_action(state: d.ActionState = d.ActionState.RUNNING, **changes: Any) -> d.ActionView:
    """A roll-back."""
    values: dict[str, Any] = {
        "action_id": "roll-back-1",
        "kind": ActionKind.ROLL_BACK,
        "pipeline": PIPELINE,
        "target": "hub-vm",
        "to": WORSE,
        "state": state,
        "sentence": f"hub-vm is to serve run {WORSE} again",
        "by": "ada (key plant)",
        "reason": "too many false alarms",
        "asked_at": NOW,
    }
    return d.ActionView(**values | changes)


def targets(*, drifted: bool = False) -> d.TargetList:
    """One target that is well, or not; one that was not looked at yet."""
    image = f"registry.example/{PIPELINE}@sha256:{'1a' * 32}"
    state = ReleaseState.GONE if drifted else ReleaseState.HEALTHY
    seen = d.TargetView(
        target="hub-vm",
        pipeline=PIPELINE,
        serving=None if drifted else PROMOTED,
        since=NOW,
        endpoint=ENDPOINT,
        desired=(PlannedRelease(run_id=PROMOTED, image=image, weight=100),),
        desired_by=PROMOTED,
        desired_at=NOW,
        observed=(
            ObservedRelease(
                run_id=PROMOTED, image=image, state=state, weight=100, requests=4211, errors=3, latency_ms=12.5
            ),
        ),
        observed_at=NOW,
        kept=(WORSE,),
        drift=f"the release of run {PROMOTED} is gone" if drifted else "",
        sentence=f"hub-vm serves run {PROMOTED}",
    )
    never = replace(
        seen, target="cloud", serving=None, since=None, endpoint=None, observed=(), observed_at=None, kept=(), drift=""
    )
    return d.TargetList(targets=(seen, never))


def a_model() -> d.ModelView:
    """Two versions, one of which serves."""
    newest = d.ModelVersion(
        version="7",
        run_id=PROMOTED,
        pipeline=PIPELINE,
        stage=d.ModelStage.CHAMPION,
        outcome=Outcome.PROMOTED,
        image=None,
        metrics={"log_loss": 0.0769},
        ended_at=NOW,
        targets=("hub-vm",),
    )
    older = replace(
        newest, version="6", run_id=WORSE, stage=d.ModelStage.RETIRED, metrics={"log_loss": 0.0812}, targets=()
    )
    return d.ModelView(name=PIPELINE, pipelines=(PIPELINE,), champion="7", versions=(newest, older))


def compared(**changes: Any) -> d.Compared:
    """The run that serves, and the one before it."""
    left = d.ComparedRun(
        run_id=WORSE,
        pipeline=PIPELINE,
        outcome=Outcome.PROMOTED,
        stage=Stage.DONE,
        requested_at=NOW,
        snapshot="ab" * 32,
        files=2,
        code="c0" * 32,
        holdout="cd" * 32,
        evaluator="ef" * 32,
        parameters={"rate": 0.3},
        metrics={"log_loss": 0.0812},
        image=None,
    )
    values: dict[str, Any] = {
        "left": left,
        "right": replace(left, run_id=PROMOTED, snapshot="ba" * 32, files=3, parameters={"rate": 0.1}),
        "parameters": (d.ComparedValue(name="rate", left=0.3, right=0.1),),
        "files": d.FileChanges(
            added=1, removed=0, changed=12, first_added=("landing/part-3.csv",), first_changed=("a", "b")
        ),
        "files_unknown": "",
        "metrics": (d.ComparedMetric(name="log_loss", left=0.0812, right=0.0769, difference=-0.0043),),
        "comparable": True,
        "interval": None,
        "sentence": "they differ in data and parameters",
    }
    return d.Compared(**values | changes)


def _champion() -> Champion:
    return Champion(
        pipeline=PIPELINE,
        run_id=PROMOTED,
        model=PIPELINE,
        version="7",
        metrics={"accuracy": 0.9737, "log_loss": 0.0769},
    )


def _trouble() -> Trouble:
    return Trouble(
        kind=TroubleKind.UNREACHABLE,
        cause="the hub of site factory does not answer: connection refused",
        remedy="check the network between the app and the hub",
        since=NOW,
    )


def _expected(*, overdue: bool) -> ExpectedView:
    sentence = "2 files (1 to 3) are usual today, the first by 2026-05-01 06:15 (UTC); 2 files came"
    late = "; overdue since 2026-05-01 07:15 (UTC)"
    return ExpectedView(
        sentence=sentence.replace("2 files came", "none has come yet") + late if overdue else sentence,
        basis=Basis.FORECAST,
        zone="UTC",
        by=NOW,
        deadline=NOW,
        files=1,
        usual=2,
        least=1,
        most=3,
        arrived=0 if overdue else 2,
        overdue_since=NOW if overdue else None,
    )


def _quarantine() -> Quarantine:
    return Quarantine(
        pipeline=PIPELINE,
        fingerprint="ee" * 32,
        snapshot_digest="ab" * 32,
        since=NOW,
        failures=(FailedAttempt(run_id=FAILED, reason="train.command ended with status 1"),),
    )


def _arrival() -> m.ArrivalView:
    return m.ArrivalView(
        event_id="1",
        account="hub",
        container=PIPELINE,
        blob="landing/part-1.csv",
        etag="0x1",
        size=4096,
        occurred_at=NOW,
        received_at=NOW,
        api="PutBlob",
        verdict=Verdict.TRAINED,
        reason="2 files are trained",
        window_id="w1",
        run_id=PROMOTED,
    )


def answered(view: object, status: int = 200) -> Reply:
    """An answer as the app sends it."""
    return Reply(status=status, body=json.dumps(to_wire(view)).encode())


def refused(status: int, code: str, detail: str, *, field: str | None = None) -> Reply:
    """A problem document as the app sends it."""
    body = {"type": f"urn:edgetrain:{code}", "title": code, "status": status, "detail": detail, "field": field}
    return Reply(status=status, body=json.dumps(body).encode(), content_type="application/problem+json")


HEALTH = Reply(body=b'{"status": "ok"}')
NO_ROUTE = Reply(status=404, content_type="")


def routes(answers: Mapping[str, Reply]) -> Any:
    """What a server answers: by ``METHOD /path``, with or without the query; the host's 404 otherwise."""
    known = {"GET /api/health": HEALTH, **answers}

    def answer(method: str, path: str) -> Reply:
        return known.get(f"{method} {path}", known.get(f"{method} {path.partition('?')[0]}", NO_ROUTE))

    return answer
