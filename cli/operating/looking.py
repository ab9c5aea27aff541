"""``edgetrain runs``, ``run``, ``why``, ``compare``, ``pipelines``, ``targets``, ``models``: they change nothing."""

import re
from typing import Annotated

import typer

from cli.client.answers import Run
from cli.operating.completion import complete_pipeline, complete_run
from cli.operating.delivery_views import comparison_blocks, model_blocks, model_table, target_blocks, target_table
from cli.operating.following import follow
from cli.operating.pipeline_views import pipeline_blocks, pipeline_table, why_blocks
from cli.operating.run_views import run_blocks, run_table
from cli.operating.session import Session, remote
from cli.operating.words import SUCCESSES, waits_for_approval

_TIME = re.compile(r"\d{4}-\d\d-\d\d(T.*)?")

RunId = Annotated[str, typer.Argument(metavar="RUN", help="A run's id.", autocompletion=complete_run)]
PipelineName = Annotated[str, typer.Argument(metavar="PIPELINE", help="A pipeline.", autocompletion=complete_pipeline)]


@remote
def runs(
    session: Session,
    *,
    pipeline: Annotated[
        str, typer.Argument(metavar="[PIPELINE]", help="Only this one's.", autocompletion=complete_pipeline)
    ] = "",
    outcome: Annotated[str, typer.Option(metavar="OUTCOME", help="Only those that ended so, such as failed.")] = "",
    since: Annotated[str, typer.Option(metavar="TIME", help="Not before then: 2026-05-01, or with T10:00:00Z.")] = "",
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=2000, help="The newest so many.")] = 20,
) -> None:
    """List runs, newest first: state, how long they took, version, reason."""
    if since and not _TIME.fullmatch(since):
        raise typer.BadParameter(f"--since {since!r} is no time; write a day such as 2026-05-01")
    reply = session.app.runs(pipeline=pipeline, outcome=outcome.replace(" ", "_"), since=since, limit=limit)
    session.screen.show(reply.document, [run_table(reply.view.runs, of_one=bool(pipeline))])
    if reply.view.continuation:
        session.screen.hint(f"there are more: --limit {min(2000, limit * 5)}")


@remote
def run(
    session: Session,
    *,
    run_id: RunId,
    watch: Annotated[bool, typer.Option("--watch", help="Follow it to its end.")] = False,
) -> None:
    """Show a run: state, data, metrics, rules of its judgement, model, image, targets, what left the site.

    With --watch the exit status is 1 when the run fails, is rolled back or is cancelled.
    """
    reply = session.app.run(run_id)
    if watch and not reply.view.ended:
        session.goes_on = f"edgetrain run {run_id} --watch"
        reply = follow(session.app, run_id, session.screen.say)
    session.screen.show(reply.document, run_blocks(reply.view))
    session.screen.hint(*next_of(reply.view))
    if watch:
        end_with(reply.view)


@remote
def why(
    session: Session,
    *,
    pipeline: PipelineName,
    blob: Annotated[str, typer.Argument(metavar="BLOB", help="Its name in the container, such as landing/part-1.csv.")],
) -> None:
    """Say why a file was trained, or was not, and what the answer rests on."""
    reply = session.app.why(pipeline, blob)
    session.screen.show(reply.document, why_blocks(reply.view))
    if reply.view.run is not None:
        session.screen.hint(f"edgetrain run {reply.view.run.run_id}")


@remote
def compare(
    session: Session,
    *,
    run_id: RunId,
    other: Annotated[str, typer.Argument(metavar="RUN", help="The other one.", autocompletion=complete_run)],
) -> None:
    """Show two runs side by side: data, code, parameters, hold-out, metrics."""
    reply = session.app.compare(run_id, other)
    session.screen.show(reply.document, comparison_blocks(reply.view))


@remote
def pipelines(
    session: Session,
    *,
    name: Annotated[
        str, typer.Argument(metavar="[PIPELINE]", help="Only this one, in full.", autocompletion=complete_pipeline)
    ] = "",
) -> None:
    """List pipelines with their champions and what is wrong; or show one, with its newest runs."""
    if name:
        one = session.app.pipeline(name)
        session.screen.show(one.document, pipeline_blocks(one.view))
    else:
        every = session.app.pipelines()
        session.screen.show(every.document, pipeline_table(every.view))


@remote
def targets(
    session: Session,
    *,
    pipeline: Annotated[
        str, typer.Argument(metavar="[PIPELINE]", help="Only this one's, in full.", autocompletion=complete_pipeline)
    ] = "",
) -> None:
    """Show what each target serves, since when, what it should serve, and what differs."""
    reply = session.app.targets()
    if not pipeline:
        session.screen.show(reply.document, [target_table(reply.view.targets)])
        return
    chosen = [each for each in reply.view.targets if each.pipeline == pipeline]
    if not chosen:
        session.app.pipeline(pipeline)  # says when there is no such pipeline
    rows = [row for row in reply.document["targets"] if isinstance(row, dict) and row.get("pipeline") == pipeline]
    blocks = [block for each in chosen for block in target_blocks(each)]
    session.screen.show({"targets": rows}, blocks or [target_table(())])
    for each in chosen:
        if each.kept:
            session.screen.hint(f"edgetrain roll-back {pipeline} --target {each.target} --reason TEXT")


@remote
def models(
    session: Session,
    *,
    model: Annotated[str, typer.Argument(metavar="[MODEL]", help="Only this one, in full.")] = "",
) -> None:
    """List models with the version that serves; or show one, with its versions, their runs and stages."""
    if model:
        one = session.app.model(model)
        session.screen.show(one.document, model_blocks(one.view))
    else:
        every = session.app.models()
        session.screen.show(every.document, [model_table(every.view.models)])


def next_of(run: Run) -> list[str]:
    """What may be typed after looking at a run."""
    if waits_for_approval(run):
        return [f"edgetrain approve {run.run_id}", f"edgetrain reject {run.run_id} --reason TEXT"]
    if not run.ended:
        return [f"edgetrain run {run.run_id} --watch", f"edgetrain cancel {run.run_id}"]
    if run.outcome == "failed":
        return [f"edgetrain logs {run.run_id}"]
    score = [f"edgetrain score {run.pipeline} FILE"] if run.outcome == "promoted" else []
    compare = [f"edgetrain compare {run.champion_run_id} {run.run_id}"] if run.champion_run_id else []
    return score + compare


def end_with(run: Run) -> None:
    """The exit status of an outcome: 0 for a run that did what it should, also when its model was no better."""
    if run.outcome not in SUCCESSES:
        raise typer.Exit(1)
