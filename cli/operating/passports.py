"""``edgetrain passport show`` and ``verify``: what is known of a deployed version, and whether it is signed."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.client import AppRefusedError, WrongUseError
from cli.operating.blocks import Block, FactList, Line, Tone
from cli.operating.looking import RunId
from cli.operating.screen import Screen
from cli.operating.session import AsJson, Session, remote
from shared.signing.keys import TrustedKeys
from shared.signing.passport_page import passport_page
from shared.signing.passports import document_in, verify
from shared.signing.statements import canonical

passports = typer.Typer(no_args_is_help=True)


@passports.command("show")
@remote
def show_passport(
    session: Session,
    *,
    run_id: RunId,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep it there: as a page when the name ends in .html.")
    ] = None,
) -> None:
    """Show the passport of a run's model: data, code, judgement, image, targets, each by digest.

    It is shown as the app gave it; `edgetrain passport verify` says whether it is signed.
    """
    run = session.app.run(run_id).view
    if not run.model or not run.version:
        reason = f"run {run_id} registered no model, so there is no passport"
        raise AppRefusedError(reason, code="unknown_passport", remedy=f"edgetrain run {run_id}")
    reply = session.app.passport(run.model, run.version)
    if save is not None:
        _save(save, reply.document)
    session.screen.show(reply.document, _blocks(reply.document["passport"]))
    if save is not None:
        session.screen.hint(f"edgetrain passport verify {save} --key KEY.pub")


@passports.command("verify")
def verify_passport(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A passport, JSON or HTML.")],
    *,
    key: Annotated[Path, typer.Option(metavar="FILE", help="The public key, PEM; several may stand in it.")],
    as_json: AsJson = False,
) -> None:
    """Say whether a passport was signed with this key and not changed since, and what does not fit. Needs no network.

    Exit status: 0 all fits, 1 something does not, 2 a file cannot be read.
    """
    screen = Screen(as_json=as_json)
    try:
        content, keys = _read(file), _keys(key)
    except WrongUseError as error:
        raise typer.Exit(screen.fail(error)) from None
    findings = verify(content, keys)
    document = {"file": str(file), "fits": not findings, "findings": findings}
    if findings:
        screen.show(document, [Line(f"{file}: this does not fit", Tone.BAD), *(Line(each) for each in findings)])
        raise typer.Exit(1)
    passport = document_in(content)
    text = f"{file}: signed with this key, and all of it fits (model {passport['model']} version {passport['version']})"
    screen.show(document, [Line(text, Tone.GOOD)])


def _blocks(document: Any) -> list[Block]:
    facts = FactList()
    for name, value in _flat(document, ""):
        facts.add(name, value)
    return [facts.block()]


def _flat(value: Any, name: str) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [
            each for key, inner in value.items() for each in _flat(inner, f"{name} {key}".strip().replace("_", " "))
        ]
    if isinstance(value, list):
        return [each for number, inner in enumerate(value, 1) for each in _flat(inner, f"{name} {number}")]
    return [(name, value if isinstance(value, str) else json.dumps(value))] if value is not None else []


def _save(file: Path, document: Any) -> None:
    page = file.suffix.lower() in {".html", ".htm"}
    bundle = canonical(document["bundle"])
    content = passport_page(document["passport"], bundle) if page else canonical(document) + b"\n"
    try:
        file.write_bytes(content)
    except OSError as error:
        raise WrongUseError(f"{file} cannot be written: {error.strerror}") from None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise WrongUseError(f"{file} cannot be read: {error.strerror}") from None


def _keys(file: Path) -> TrustedKeys:
    try:
        keys = TrustedKeys.parse(_read(file).decode("ascii"))
    except ValueError as error:
        raise WrongUseError(f"{file} holds no public keys of the curve P-256 in PEM ({error})") from None
    if not keys.keys:
        raise WrongUseError(f"{file} holds no public key")
    return keys
