"""``edgetrain start``, ``cancel`` and ``release``: each says what it will do, asks, and does it."""

import json
from typing import Annotated, Any

import typer

from cli.client import AppRefusedError, NotReachableError, WrongUseError
from cli.client.answers import Run, Started
from cli.operating.blocks import Block, Line
from cli.operating.following import follow
from cli.operating.looking import PipelineName, RunId, end_with, next_of
from cli.operating.run_views import run_blocks
from cli.operating.session import By, Reason, Session, Wait, Yes, remote
from cli.operating.words import doing, outcome, size
from shared.values.texts import counted


@remote
def start(
    session: Session,
    *,
    pipeline: PipelineName,
    parameter: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Instead of the file's; may be given several times.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Train also what was trained already.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and do nothing.")] = False,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it is kept with the run.")] = "",
    by: By = "",
    key: Annotated[
        str, typer.Option("--idempotency-key", metavar="KEY", help="The same key again is the same request.")
    ] = "",
    yes: Yes = False,
    wait: Wait = False,
) -> None:
    """Train what lies in a pipeline's container now, unless exactly this was trained already."""
    parameters = dict(_parameter(each) for each in parameter or ())
    if key and not (key.isascii() and key.isprintable()):
        raise typer.BadParameter("--idempotency-key takes printable ASCII characters only")
    if not dry_run:
        with_them = f" with {', '.join(parameter or ())}" if parameter else ""
        forced = ", also when it was trained already" if force else ""
        session.screen.confirm(
            f"This trains what lies in the container of pipeline {pipeline} now{with_them}{forced}, and rolls the model"
            f" out if it is better (app at {session.place.url}).",
            yes=yes,
        )
    try:
        reply = session.app.start(
            pipeline, parameters=parameters, force=force, dry_run=dry_run, by=by, reason=reason, key=key
        )
    except AppRefusedError as error:
        raise _with_remedy(error, pipeline) from None
    except NotReachableError as error:
        if not dry_run:
            error.remedy = f"the request may have arrived: edgetrain runs {pipeline}"
        raise
    run_id = reply.view.run_id
    if wait and run_id and not dry_run:
        end_with(followed(session, run_id, reply.view.reason))
        return
    session.screen.show(reply.document, _started(reply.view))
    if run_id and not dry_run:
        session.screen.hint(f"edgetrain run {run_id}{' --watch' if reply.view.started else ''}")


def _parameter(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"--parameter {text!r} must be NAME=VALUE")
    try:
        read = json.loads(value)
    except (ValueError, RecursionError):
        return name, value
    return name, read if isinstance(read, int | float | bool) else value


def _with_remedy(error: AppRefusedError, pipeline: str) -> AppRefusedError:
    if error.code == "quarantined":
        error.remedy = f"mend the data or the code; or try the same once more: edgetrain release {pipeline}"
    if error.code == "no_data":
        error.remedy = f"edgetrain upload {pipeline} FILE..."
    if error.code == "pipeline_retired":
        error.remedy = f"edgetrain reinstate {pipeline}"
    return error


def _started(started: Started) -> list[Block]:
    lines = [Line(started.reason)]
    if started.would_start:
        lines.append(Line(f"{counted(started.blobs, 'file')}, {size(started.size)}"))
    return [*lines]


@remote
def cancel(
    session: Session,
    *,
    run_id: RunId,
    reason: Reason = "",
    by: By = "",
    yes: Yes = False,
    wait: Wait = False,
) -> None:
    """End a run and undo what it made outside, or give up the further attempts after one that failed.

    With --wait the exit status is 0 when the run has ended as cancelled.
    """
    now = session.app.run(run_id).view
    session.screen.confirm(f"{_what_cancelling_does(now)} (app at {session.place.url}).", yes=yes)
    reply = session.app.cancel(run_id, by=by, reason=reason)
    if not wait or now.ended:
        session.screen.show(reply.document, [Line(reply.view.sentence)])
        if not now.ended:
            session.screen.hint(f"edgetrain run {run_id} --watch")
        return
    if followed(session, run_id, reply.view.sentence).outcome != "cancelled":
        raise typer.Exit(1)


def _what_cancelling_does(run: Run) -> str:
    if run.outcome is not None:
        return (
            f"Run {run.run_id} has ended ({outcome(run.outcome).text}); this gives up the further attempts, if any"
            " are planned"
        )
    return f"This ends run {run.run_id} of pipeline {run.pipeline} and undoes what it made; it is at: {doing(run)}"


@remote
def release(
    session: Session,
    *,
    pipeline: PipelineName,
    fingerprint: Annotated[
        str, typer.Option(metavar="DIGEST", help="Only this one; its beginning is enough. Else all.")
    ] = "",
    by: By = "",
    yes: Yes = False,
) -> None:
    """Let data that failed too often be tried again: they leave the quarantine."""
    held = [each.fingerprint for each in session.app.pipeline(pipeline).view.quarantines]
    chosen = _chosen(held, fingerprint)
    what = f"fingerprint {chosen}" if chosen else counted(len(held), "fingerprint")
    does = f"This lets {what} of pipeline {pipeline} be trained again"
    if not held:
        does = f"Pipeline {pipeline} has nothing in quarantine; this only has its data looked at again"
    session.screen.confirm(f"{does} (app at {session.place.url}).", yes=yes)
    reply = session.app.release(pipeline, fingerprint=chosen, by=by)
    session.screen.show(reply.document, [Line(reply.view.sentence)])
    session.screen.hint(f"edgetrain runs {pipeline}")


def _chosen(held: list[str], beginning: str) -> str:
    """The fingerprint in quarantine that begins so; empty for all."""
    if not beginning:
        return ""
    found = [each for each in held if each.startswith(beginning)]
    if len(found) != 1:
        known = ", ".join(held) or "none"
        many = "several fingerprints" if found else "no fingerprint"
        raise WrongUseError(f"{many} in quarantine begins with {beginning}; in quarantine: {known}")
    return found[0]


def followed(session: Session, run_id: str, sentence: str) -> Run:
    """Say what was begun, and show the run at its end; when it is interrupted, the hint says how to go on."""
    session.screen.say(sentence)
    session.goes_on = f"edgetrain run {run_id} --watch"
    reply = follow(session.app, run_id, session.screen.say)
    session.goes_on = ""
    session.screen.show(reply.document, run_blocks(reply.view))
    session.screen.hint(*next_of(reply.view))
    return reply.view
