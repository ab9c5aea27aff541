"""The command. What it needs is imported when it runs: other commands do not wait for it."""

from pathlib import Path
from typing import Annotated

import typer

from cli.operating.session import AsJson


def attach(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Compute targets; without, those of all pipelines.")
    ] = None,
    *,
    settings: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The app's settings, as edgetrain doctor takes them; else the environment."),
    ] = None,
    outputs: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Outputs of the hub's deployment: address, port, user, home.")
    ] = None,
    private_key_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The key that Azure ML logs in with, before the settings'.")
    ] = None,
    host_key: Annotated[
        str, typer.Option(metavar="LINE", help="The VM's host key, before the settings': ssh-ed25519 AAAA...")
    ] = "",
    check_only: Annotated[bool, typer.Option("--check-only", help="Look at the VMs, and attach nothing.")] = False,
    renew: Annotated[
        bool, typer.Option("--renew", help="Attach also what is attached, as after its private key was replaced.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, max=3600, help="The longest to wait for Azure ML.")
    ] = 600.0,
    as_json: AsJson = False,
) -> None:
    """Make VMs compute targets of the Azure ML workspace, after a look at each. Safe to repeat: docs/deploy-hub.md.

    A VM that moved is attached anew. Without a client secret in the settings, you are whoever `az login` signed in.

    Exit status: 0 all are attached and fit for training, 1 something is wrong with one, 2 wrong use, 3 a VM or Azure ML
    does not answer.
    """
    from cli.attach.work import Files, How, work

    files = Files(settings=settings, outputs=outputs, private_key=private_key_file)
    how = How(attaches=not check_only, renews=renew, seconds=timeout)
    status = work(names or [], files, how, host_key=host_key, as_json=as_json)
    if status:
        raise typer.Exit(status)
