"""``edgetrain approve``, ``reject``, ``resume``, ``roll-back``, ``retire`` and ``reinstate``: what people decide."""

from typing import Annotated

import typer

from cli.client import Reply, WrongUseError
from cli.client.answers import Run
from cli.client.delivery_answers import Action
from cli.operating.blocks import Line
from cli.operating.completion import complete_run
from cli.operating.delivery_views import action_blocks, decided_blocks
from cli.operating.following import follow_action
from cli.operating.hands import followed
from cli.operating.looking import PipelineName, RunId, end_with
from cli.operating.session import By, Reason, Session, Wait, Yes, remote
from cli.operating.words import number, state

GivenReason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept, and has to be given.")]
OneTarget = Annotated[
    str, typer.Option("--target", metavar="NAME", help="Only this target; else every one that waits.")
]
WaitForAction = Annotated[bool, typer.Option("--wait", help="Follow it to its end.")]


@remote
def approve(
    session: Session,
    *,
    run_id: RunId,
    target: OneTarget = "",
    reason: Reason = "",
    by: By = "",
    yes: Yes = False,
    wait: Wait = False,
) -> None:
    """Let a run's model be rolled out to the targets that wait for a yes. The first decision stays."""
    run = session.app.run(run_id).view
    where = f"target {target}" if target else "every target that waits for it"
    session.screen.confirm(f"This lets {_model(run)} be rolled out to {where} (app at {session.place.url}).", yes=yes)
    reply = session.app.approve(run_id, target=target, by=by, reason=reason)
    if not wait:
        session.screen.show(reply.document, decided_blocks(reply.view))
        session.screen.hint(f"edgetrain run {run_id} --watch")
        return
    end_with(followed(session, run_id, reply.view.sentence))


@remote
def reject(
    session: Session,
    *,
    run_id: RunId,
    reason: GivenReason,
    target: OneTarget = "",
    by: By = "",
    yes: Yes = False,
    wait: Wait = False,
) -> None:
    """Keep a run's model from the targets that wait for a yes; they go on serving what they serve.

    With --wait the exit status is 0 when the run has ended without being promoted.
    """
    run = session.app.run(run_id).view
    where = f"target {target}" if target else "every target that waits for a yes"
    session.screen.confirm(f"This keeps {_model(run)} from {where} (app at {session.place.url}).", yes=yes)
    reply = session.app.reject(run_id, target=target, by=by, reason=reason)
    if not wait:
        session.screen.show(reply.document, decided_blocks(reply.view))
        return
    if followed(session, run_id, reply.view.sentence).outcome == "promoted":
        raise typer.Exit(1)


def _model(run: Run) -> str:
    metrics = ", ".join(f"{name} {number(value)}" for name, value in run.metrics.items())
    return f"the model of run {run.run_id} of pipeline {run.pipeline} ({metrics or state(run).text})"


@remote
def resume(
    session: Session,
    *,
    run_id: RunId,
    reason: Reason = "",
    by: By = "",
    yes: Yes = False,
    wait: Wait = False,
) -> None:
    """Go on from the stage where a run ended, with the results of its training; nothing is trained again."""
    run = session.app.run(run_id).view
    session.screen.confirm(
        f"This goes on where run {run_id} of pipeline {run.pipeline} ended ({state(run).text}), without training again:"
        f" its model is judged anew, and rolled out if it is better (app at {session.place.url}).",
        yes=yes,
    )
    reply = session.app.resume(run_id, by=by, reason=reason)
    if not wait:
        session.screen.show(reply.document, [Line(reply.view.sentence)])
        session.screen.hint(f"edgetrain run {reply.view.run_id} --watch")
        return
    end_with(followed(session, reply.view.run_id, reply.view.sentence))


@remote
def roll_back(
    session: Session,
    *,
    pipeline: PipelineName,
    reason: GivenReason,
    target: Annotated[str, typer.Option(metavar="NAME", help="Where; needed when the model serves on several.")] = "",
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="RUN", help="Whose model; by default the one before.", autocompletion=complete_run
        ),
    ] = "",
    by: By = "",
    yes: Yes = False,
    wait: WaitForAction = False,
) -> None:
    """Have a target serve an earlier model again, and put the one that serves now aside.

    The run of the model that is put aside is quarantined, so that the same data do not bring it back by themselves.
    """
    where = target or _only_target(session, pipeline)
    which = f"the model of run {to}" if to else "the model before"
    serves = _serving(session, where, pipeline)
    session.screen.confirm(
        f"This has target {where} serve {which} of pipeline {pipeline} again, and puts the one that serves now"
        f"{f', of run {serves},' if serves else ''} aside: the same data will not bring it back by themselves (app at"
        f" {session.place.url}).",
        yes=yes,
    )
    reply = session.app.roll_back(where, pipeline, to=to, instead_of=serves, by=by, reason=reason)
    _carry_out(session, reply, wait=wait)


def _serving(session: Session, target: str, pipeline: str) -> str:
    """The run whose release gets most of the traffic there; empty when the app knows of none."""
    known = [each for each in session.app.targets().view.targets if (each.target, each.pipeline) == (target, pipeline)]
    wanted = [release for each in known for release in each.desired if release.weight]
    if wanted:
        return max(wanted, key=lambda release: release.weight).run_id
    return next((each.serving or "" for each in known), "")


def _only_target(session: Session, pipeline: str) -> str:
    names = [each.name for each in session.app.pipeline(pipeline).view.deliver.targets]
    if len(names) != 1:
        known = ", ".join(names) or "none"
        raise WrongUseError(
            f"pipeline {pipeline} has several targets, or none: {known}", remedy="name one: --target NAME"
        )
    return names[0]


@remote
def retire(
    session: Session,
    *,
    pipeline: PipelineName,
    reason: GivenReason,
    by: By = "",
    yes: Yes = False,
    wait: WaitForAction = False,
) -> None:
    """Stop serving a pipeline's model everywhere and train no more; its history stays."""
    session.screen.confirm(
        f"This stops serving the model of pipeline {pipeline} on every target: whoever scores there gets errors. New"
        f" data are not trained any more (app at {session.place.url}).",
        yes=yes,
    )
    _carry_out(session, session.app.retire(pipeline, by=by, reason=reason), wait=wait)


@remote
def reinstate(session: Session, *, pipeline: PipelineName, reason: Reason = "", by: By = "", yes: Yes = False) -> None:
    """Let a retired pipeline train again; nothing serves until a run is promoted."""
    session.screen.confirm(f"This lets pipeline {pipeline} train again (app at {session.place.url}).", yes=yes)
    reply = session.app.reinstate(pipeline, by=by, reason=reason)
    session.screen.show(reply.document, [Line(reply.view.sentence)])
    session.screen.hint(f"edgetrain start {pipeline} --force")


@remote
def action(
    session: Session,
    *,
    action_id: Annotated[str, typer.Argument(metavar="ACTION", help="Its id.")],
    watch: Annotated[bool, typer.Option("--watch", help="Follow it to its end.")] = False,
) -> None:
    """Show how a roll-back or a retirement goes."""
    _carry_out(session, session.app.action(action_id), wait=watch)


def _carry_out(session: Session, reply: Reply[Action], *, wait: bool) -> None:
    """Show an action, or follow it; the exit status is 1 when it has failed."""
    again = f"edgetrain action {reply.view.action_id} --watch"
    if wait and reply.view.state == "running":
        session.goes_on = again
        reply = follow_action(session.app, reply.view.action_id, session.screen.say)
        session.goes_on = ""
    session.screen.show(reply.document, action_blocks(reply.view))
    if reply.view.state == "running":
        session.screen.hint(again)
    if reply.view.state == "failed":
        raise typer.Exit(1)
