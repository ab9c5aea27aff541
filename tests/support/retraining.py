"""A run of ``retrain_model`` from its request to its record, over scripted answers, where all goes well."""

from typing import Any

from orchestrations.call_safely import call_activity_safely
from orchestrations.retrain_model import retrain_model
from shared.messages import (
    FAIR_COMPARISON_SCHEMA,
    BuiltImage,
    ChampionMeasurement,
    ComputeTurn,
    Done,
    RegisteredModel,
    RunRecord,
    TargetResult,
    TrainingEnd,
    TrainingPhase,
    Turn,
)
from shared.values.wire import from_wire, to_wire
from tests.support.builders import a_champion, a_run_request, a_snapshot, a_trained_model
from tests.support.workflow import Played, play, value

IMAGE = BuiltImage(repository="models/breast-cancer", digest="sha256:1", reference="registry/models/x@sha256:1")
DEPLOYED = to_wire(TargetResult(target="hub-vm", deployed=True, endpoint="http://vm:8400"))
NO_ANSWER = Exception("no answer")
CHAMPION = a_champion(metrics={"accuracy": 0.97}, holdout="old rows", evaluator="code")
FAIR = {"schema": FAIR_COMPARISON_SCHEMA, "evaluator": "code", "snapshot": a_snapshot(holdout="new rows")}


def story(request: dict[str, Any] | None = None, **changes: Any) -> tuple[Played, RunRecord]:
    """Play a run whose request has these fields; ``changes``: by name, what answers otherwise."""
    answers: dict[str, Any] = {
        "await_compute": to_wire(ComputeTurn(turn=Turn.GRANTED)),
        "await_training": to_wire(TrainingEnd(phase=TrainingPhase.COMPLETED)),
        "collect_training": value(a_trained_model()),
        "release_compute": value(Done()),
        "read_champion": value(a_champion()),
        "register_model": value(RegisteredModel(name="breast-cancer", version="2")),
        "build_image": value(IMAGE),
        "roll_out": DEPLOYED,
        "record_run": value(Done()),
        "issue_passport": value(Done()),
        "announce": value(Done()),
    } | changes
    # The fan-out's children run for real, over the same answers.
    answers["guarded_step"] = lambda asked: play(call_activity_safely, asked["input"], answers=answers).output
    run = play(retrain_model, a_run_request(**(request or {})), answers=answers)
    return run, from_wire(RunRecord, run.output)


def compared(**changes: Any) -> Any:
    """What is collected of a training that measured the champion too."""
    return value(a_trained_model(compared=ChampionMeasurement(run_id=str(CHAMPION.run_id), **changes)))


def fair_story(request: dict[str, Any] | None = None, **changes: Any) -> tuple[Played, RunRecord]:
    """A run that is compared with its champion on the same rows, and is better."""
    answers = {"collect_training": compared(metrics={"accuracy": 0.91}), "read_champion": value(CHAMPION)}
    return story(FAIR | (request or {}), **(answers | changes))
