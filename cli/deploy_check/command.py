"""``edgetrain deploy-check``: whether everything that is under way would go on under the code of this folder."""

import logging
import os
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from cli.client.errors import WrongUseError
from cli.client.places import Place, read_key
from cli.operating.blocks import Block, Column, Line, Row, Tone, table
from cli.operating.session import Session, remote

KEY = "EDGETRAIN_DURABLE_KEY"
REMEDY = "let them end, or deploy under another hub name: docs/runbooks/upgrade-with-runs-in-flight.md"


@remote
def deploy_check(
    session: Session,
    *,
    durable_key_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=f"A file with the host's key durabletask_extension; see also {KEY}."),
    ] = None,
) -> None:
    """Say whether what is under way goes on when the code of this folder is deployed.

    The history of every orchestration under way is fetched and replayed against this code, which may neither rename nor
    move a step that was taken already. Exit status 1 when one would break. Nothing is changed.
    """
    from cli.deploy_check.fetching import InstancesUnderWay
    from cli.deploy_check.histories import read_history

    logging.disable(logging.WARNING)  # of the SDK, about functions of the app, to whom has none to do with it
    from cli.deploy_check.replaying import this_version, what_would_break

    place = Place(session.place.url, _key(session, durable_key_file), KEY)
    version = this_version()
    seen: Counter[str] = Counter()
    broken: list[dict[str, str]] = []
    instances = InstancesUnderWay(place, seconds=session.seconds)
    try:
        for answer in instances.histories():
            history = read_history(answer)
            seen[history.name] += 1
            if reason := what_would_break(history, version):
                broken.append({"orchestration": history.name, "instance": history.instance_id, "reason": reason})
    finally:
        instances.close()
    document = {"safe": not broken, "under_way": dict(sorted(seen.items())), "would_break": broken}
    session.screen.show(document, _blocks(seen.total(), broken))
    if broken:
        session.screen.hint(REMEDY)
        raise typer.Exit(1)


def _key(session: Session, file: Path | None) -> str:
    if file is not None:
        return read_key(file)
    if key := os.environ.get(KEY, ""):
        return key
    host = session.local_stack().get("functions_host")
    key = str(host.get("master_key") or "") if isinstance(host, dict) else ""
    if not key:
        from cli.deploy_check.fetching import KEY_REMEDY

        raise WrongUseError("the key that opens the host's orchestrations is not known", remedy=KEY_REMEDY)
    return key


def _blocks(count: int, broken: list[dict[str, str]]) -> list[Block]:
    if not broken:
        return [Line(f"safe: all {count} orchestrations under way go on with this code", Tone.GOOD)]
    rows: list[Row] = [[each["orchestration"], each["instance"], each["reason"]] for each in broken]
    columns = [Column("orchestration"), Column("instance"), Column("why", flexible=True)]
    return [
        Line(f"not safe: {len(broken)} of {count} orchestrations under way would break", Tone.BAD),
        table(columns, rows),
    ]
