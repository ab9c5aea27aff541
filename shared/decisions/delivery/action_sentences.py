"""What is said of a roll-back and of a retirement. Pure."""

from shared.decisions.explanations.actors import actor_text
from shared.messages import Action, ActionKind, Retirement
from shared.values.texts import shortened


def begun(action: Action) -> str:
    """What an action does."""
    waits = f"; {' and '.join(action.superseded)}, which waited for approval, gives way" if action.superseded else ""
    if action.kind is ActionKind.RETIRE:
        return f"pipeline {action.pipeline} is being retired: its targets are emptied, and its history stays{waits}"
    return (
        f"target {action.target} is being brought back from the release of run {action.bad} to that of run {action.to}"
        f"{waits}"
    )


def no_turn(action: Action, reason: str) -> str:
    """The delivery of the pipeline was not to be had."""
    return f"nothing was changed for pipeline {action.pipeline}: {reason}"


def failed(action: Action, reason: str) -> str:
    """Something was refused, or did not answer."""
    what = "the retirement" if action.kind is ActionKind.RETIRE else f"the roll-back of target {action.target}"
    return f"{what} failed: {reason}; ask for it again when that is mended"


def rolled_back(action: Action) -> str:
    """A roll-back is done."""
    return (
        f"target {action.target} serves the release of run {action.to} again; that of run {action.bad} is kept without"
        " traffic, and its data, code and parameters are not trained again until somebody"
        " releases them"
    )


def stayed(action: Action, trouble: str) -> str:
    """A roll-back failed at the target, which was brought to what it served."""
    return f"target {action.target} could not be rolled back to the release of run {action.to}: {trouble}"


def not_back(target: str, trouble: str) -> str:
    """After a failed roll-back."""
    return f"target {target} is not seen to serve what it served before either ({trouble}); the app goes on trying"


def retired(action: Action) -> str:
    """A retirement is done, but for what is left."""
    return (
        f"pipeline {action.pipeline} is retired: it trains no more, and its models serve nowhere; its history stays."
        " It can be reinstated"
    )


def still_serves(target: str, trouble: str) -> str:
    """A target that could not be emptied."""
    return f"target {target} may still serve a model ({trouble}); the app goes on trying to empty it"


def given_up(action: Action) -> str:
    """An action whose orchestration ended in the middle, again and again."""
    return failed(action, "its orchestration was ended, and starting it again did not help; read the app's log")


def terminated(action: Action, why: str) -> str:
    """An action whose orchestration somebody ended."""
    return failed(action, f"its orchestration was terminated{f': {why}' if why else ''}")


def nothing_there(target: str, pipeline: str) -> str:
    """A target without anything of a pipeline."""
    return f"target {target} serves nothing of pipeline {pipeline}; the list of targets says what serves where"


def nothing_before(target: str, pipeline: str) -> str:
    """No release to go back to."""
    return f"target {target} keeps no other release of pipeline {pipeline}; name one with to, or start a run"


def serves_already(target: str, run_id: str) -> str:
    """The release that is asked for serves."""
    return f"target {target} serves the release of run {run_id} already"


def serves_another(target: str, run_id: str, serves: str) -> str:
    """Somebody wants to take back what does not serve any more."""
    return (
        f"target {target} serves the release of run {serves} now, not that of run {run_id}; see whether that one is to"
        " be taken back"
    )


def overtaken(action: Action, serves: str | None) -> str:
    """Another delivery came first."""
    what = f"the release of run {serves}" if serves else "nothing"
    return f"target {action.target} serves {what} by now, not the release of run {action.bad}, so nothing was changed"


def another_under_way(action: Action) -> str:
    """A roll-back to another release."""
    return (
        f"target {action.target} is being brought back to the release of run {action.to} already (action"
        f" {action.action_id}); wait for its end"
    )


def unknown_release(run_id: str, pipeline: str) -> str:
    """A run without an image."""
    return f"the ledger knows no image of run {run_id} of pipeline {pipeline}; the list of targets says what is kept"


def under_way(pipeline: str, holder: str) -> str:
    """Somebody else delivers."""
    return f"{holder} is delivering for pipeline {pipeline} now; cancel that run, or wait for its end"


def runs_under_way(pipeline: str, runs: list[str]) -> str:
    """Runs that would deliver."""
    named = ", ".join(runs[:3]) + (f" and {len(runs) - 3} more" if len(runs) > 3 else "")
    return f"pipeline {pipeline} has runs under way ({named}); cancel them, or wait for their end"


def not_retired(pipeline: str) -> str:
    """Nothing to take back."""
    return f"pipeline {pipeline} is not retired, so there is nothing to take back"


def being_retired(pipeline: str, action_id: str) -> str:
    """A retirement under way."""
    return f"pipeline {pipeline} is still being retired (action {action_id}); wait for its end"


def retired_meanwhile(retirement: Retirement, target: str, by: str) -> str:
    """A plan that came too late for a pipeline."""
    return (
        f"pipeline {retirement.pipeline} was retired by {actor_text(retirement.by)}, so {by} brings nothing to {target}"
        " any more; to serve again, it has to be reinstated and a run started with force"
    )


def reinstated(retirement: Retirement) -> str:
    """A pipeline is back."""
    return (
        f"pipeline {retirement.pipeline} trains again when its data change; nothing serves until a run is promoted, and"
        " data that were trained before are trained only by a run that is started with force"
    )


def why_put_aside(action: Action, who: str) -> str:
    """The evidence of a roll-back's quarantine."""
    return shortened(f"rolled back on target {action.target} by {who}: {action.reason}", 300)
