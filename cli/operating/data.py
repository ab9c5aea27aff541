"""``edgetrain upload``, ``score`` and ``logs``: what is not at the app, but at the site, the model, or the VM."""

import os
from pathlib import Path
from typing import Annotated

import typer

from cli.client import AppRefusedError
from cli.operating.blocks import Block, FactList, Line
from cli.operating.looking import PipelineName, RunId
from cli.operating.run_logs import log_of
from cli.operating.scoring import Scored, score_file
from cli.operating.session import Session, Yes, remote


@remote
def upload(
    session: Session,
    *,
    pipeline: PipelineName,
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE...", help="Files, or folders with files, to train on.")
    ] = None,
    holdout: Annotated[Path | None, typer.Option(metavar="FILE", help="The file with the held-out rows.")] = None,
    yes: Yes = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Follow what becomes of them: the verdict, and the run to its end.")
    ] = False,
) -> None:
    """Put files into the storage of a pipeline's site, below data.prefix, as the site's data owner does.

    Needs the data owner's credential: HUB_STORAGE, a connection string. For the local stack it is known. What is there
    already with the same content is not written again.
    """
    from cli.operating.uploads import upload_files  # the storage SDK takes a second, which no other command needs

    if not upload_files(session, pipeline, paths or [], holdout, yes=yes, wait=wait):
        raise typer.Exit(1)


@remote
def score(
    session: Session,
    *,
    pipeline: PipelineName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file with the request's JSON; - is the input.")],
    target: Annotated[
        str, typer.Option(metavar="NAME", help="Ask this target; by default the first that serves.")
    ] = "",
) -> None:
    """Ask the model that serves for a prediction; also which version and run it is."""
    scored = score_file(session.app, pipeline, file, target, seconds=session.seconds)
    session.screen.show(scored.document, _scored(scored))
    if scored.status >= 400:
        raise AppRefusedError(
            f"the model at {scored.endpoint} answers {scored.status}: {scored.text}",
            code="not_scored",
            status=scored.status,
        )
    session.screen.hint(*([f"edgetrain run {scored.run_id}"] if scored.run_id else []))


def _scored(scored: Scored) -> list[Block]:
    if scored.status >= 400:
        return []
    facts = FactList()
    facts.add("model", f"{scored.model} version {scored.version}" if scored.version else scored.model)
    facts.add("run", scored.run_id)
    facts.add("answered by", f"{scored.target}, {scored.endpoint}")
    return [Line(scored.text), facts.block()]


@remote
def logs(
    session: Session,
    *,
    run_id: RunId,
    tail: Annotated[int, typer.Option("--tail", metavar="N", min=1, max=100_000, help="The last so many lines.")] = 200,
) -> None:
    """Say where the log of a run's training is and how to read it; the local stack's is printed.

    What training code prints stays on the VM, because it may hold rows of data; so the app cannot show it.
    """
    run = session.app.run(run_id).view
    found = log_of(
        run,
        session.app.pipeline(run.pipeline).view.train.compute,
        session.local_stack(),
        os.environ,
        most=tail,
    )
    facts = FactList()
    facts.add("log", f"{found.path} on the VM of compute {found.compute}")
    facts.add("containers", f"{found.kept} (only the newest runs are kept)")
    facts.add("read it with", found.command)
    facts.add("reason", run.reason)
    lines: list[Block] = [Line(line) for line in found.lines or ()]
    session.screen.show(found.document(run.run_id), [facts.block(), *lines])
