"""The command: asks the app, or runs what can be run with a file of settings before there is an app."""

from pathlib import Path
from typing import Annotated

import typer

from cli.doctor.views import doctor_blocks
from cli.operating.session import Session, remote


@remote
def doctor(
    session: Session,
    *,
    site: Annotated[str, typer.Option(metavar="SITE", help="Only this site, its pipelines and what they use.")] = "",
    settings: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Do not ask an app: run here what needs none, with the settings of this file (local.settings.json,"
            " what `az functionapp config appsettings list` prints, or NAME=VALUE lines).",
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Show what is right, too.")] = False,
) -> None:
    """Look at everything the app needs, and say what is wrong, why it matters and what mends it: docs/doctor.md.

    Exit status: 0 nothing is wrong, 1 something is, 3 the app does not answer.
    """
    if settings is None:
        reply = session.app.doctor(site=site)
        view, document = reply.view, reply.document
    else:
        from cli.doctor.beforehand import examined

        view, document = examined(settings, site=site)
    session.screen.show(document, doctor_blocks(view, every=every))
    if not view.healthy:
        raise typer.Exit(1)
