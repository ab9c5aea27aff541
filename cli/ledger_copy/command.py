"""The commands ``edgetrain backup`` and ``edgetrain restore``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.client.places import here, local_endpoints
from cli.terminal import explained
from shared.errors import Code, PermanentError

Prefix = Annotated[
    str,
    typer.Option(metavar="TEXT", help="With which the tables' names begin: EDGETRAIN_LEDGER_PREFIX, or edgetrain."),
]
File = Annotated[Path, typer.Argument(metavar="FILE", help="The copy, such as ledger-2026-05-01.gz.")]


@explained
def backup(file: File, *, prefix: Prefix = "") -> None:
    """Copy the ledger's tables into a file that only you can read. The app may go on meanwhile.

    The storage is that of the app's settings (AzureWebJobsStorage), or of the local stack in this folder.
    """
    from cli.ledger_copy.copies import back_up

    tables = _tables(prefix)
    try:
        copied = back_up(tables, file)
    finally:
        tables.close()
    typer.echo(f"{copied.sentence} are in {file}")


@explained
def restore(file: File, *, prefix: Prefix = "") -> None:
    """Put a copy of the ledger into tables that are empty; anything else is refused. Stop the app before.

    With another --prefix it goes into new tables; set EDGETRAIN_LEDGER_PREFIX to it and start the app.
    """
    from cli.ledger_copy.copies import restore as put_back

    tables = _tables(prefix)
    try:
        copied = put_back(tables, file)
    finally:
        tables.close()
    typer.echo(f"{copied.sentence} are restored; start the app, and look at: edgetrain pipelines")


def _tables(prefix: str) -> Any:
    from shared.clients.host_storage import StorageAccess
    from shared.clients.identity import signed_in
    from shared.clients.ledger.azure_tables import AzureTables
    from shared.settings import HOST_STORAGE_SETTING, LedgerSettings

    storage = LedgerSettings()
    if storage.has_host_storage:
        return AzureTables(StorageAccess(storage.host_storage, signed_in), prefix or storage.ledger_prefix)
    local = local_endpoints(here()).get("cloud_storage")
    text = str(local.get("connection_string") or "") if isinstance(local, dict) else ""
    if not text:
        raise PermanentError(
            f"{HOST_STORAGE_SETTING} is not set, and no local stack was started in this folder; set it as in the app"
            " settings",
            code=Code.BAD_CONFIGURATION,
        )
    return AzureTables(StorageAccess.of(text), prefix or storage.ledger_prefix)
