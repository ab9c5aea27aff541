"""Looks at each VM, attaches it, and says which settings the app needs for it."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.attach.attaching import Attached, Outcome, attach_one, turns_of, workspace_of
from cli.attach.computes import AttachSettings, attach_settings, compute_of, computes_of_pipelines, outputs_in
from cli.attach.machine import Look, Machine, look_at
from cli.authoring import ROOT
from cli.client.errors import NotReachableError, WrongUseError
from cli.doctor.beforehand import settings_in
from cli.operating.blocks import Block, Cell, Column, Line, Row, Tone, table
from cli.operating.screen import Screen
from shared.errors import EdgetrainError, TransientError
from shared.settings import Compute
from shared.values.wire import to_wire

_SAID = {
    Outcome.ATTACHED: "is attached",
    Outcome.ATTACHED_BEFORE: "was attached already",
    Outcome.MOVED: "is attached anew",
    Outcome.RENEWED: "is attached anew, with this key",
    Outcome.NOT_ATTACHED: "is not attached",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """What came of one VM. ``settings``: what the app's settings should say of it and do not."""

    name: str
    address: str
    port: int
    outcome: Outcome
    before: str
    checks: tuple[Look, ...]
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Files that the command was given."""

    settings: Path | None = None
    outputs: Path | None = None
    private_key: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """Whether VMs are attached, also those that are, and how long that may take for one."""

    attaches: bool = True
    renews: bool = False
    seconds: float = 600.0


def work(names: list[str], files: Files, how: How, *, host_key: str, as_json: bool = False) -> int:
    """Look at the VMs, attach them, and show what came of it; returns the exit status."""
    screen = Screen(as_json=as_json)
    try:
        return _worked(screen, names, files, _given(files, host_key), how)
    except TransientError as error:
        return screen.fail(NotReachableError(str(error)))
    except EdgetrainError as error:
        return screen.fail(error)


def _worked(screen: Screen, names: list[str], files: Files, given: Mapping[str, Any], how: How) -> int:
    if files.settings is not None:
        os.environ.update(settings_in(files.settings))
    settings = attach_settings()
    chosen = names or computes_of_pipelines(ROOT / "pipelines")
    if not chosen:
        raise WrongUseError("no compute target is named, and no pipeline has one", remedy="edgetrain attach NAME")
    if given and len(chosen) != 1:
        raise WrongUseError("--outputs, --private-key-file and --host-key are of one VM", remedy="name one VM")
    computes = {name: compute_of(name, settings, given) for name in chosen}
    machines = {name: look_at(name, compute) for name, compute in computes.items()}
    attached = _attached(screen, settings, computes, machines, how) if how.attaches else {}
    results = [
        _result(name, compute, machines[name], attached.get(name), settings.known(name), given)
        for name, compute in computes.items()
    ]
    screen.show({"computes": to_wire(results)}, _blocks(results, attaches=how.attaches))
    whole = all(each.right for result in results for each in result.checks)
    return 0 if whole and (len(attached) == len(results) or not how.attaches) else 1


def _given(files: Files, host_key: str) -> dict[str, Any]:
    given = outputs_in(files.outputs) if files.outputs is not None else {}
    if files.private_key is not None:
        try:
            given["private_key"] = files.private_key.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            what = error.strerror if isinstance(error, OSError) else "it is no text"
            raise WrongUseError(f"{files.private_key} cannot be read: {what}") from None
    return given | ({"host_key": host_key} if host_key else {})


def _attached(
    screen: Screen,
    settings: AttachSettings,
    computes: Mapping[str, Compute],
    machines: Mapping[str, Machine],
    how: How,
) -> dict[str, Attached]:
    usable = [name for name in computes if machines[name].usable]
    if not usable:
        return {}
    with turns_of(settings, screen.say) as turns:
        workspace = workspace_of(settings)
        return {
            name: attach_one(
                workspace, name, computes[name], turns, seconds=how.seconds, say=screen.say, renew=how.renews
            )
            for name in usable
        }


def _result(  # noqa: PLR0917 - one of each
    name: str,
    compute: Compute,
    machine: Machine,
    attached: Attached | None,
    known: Mapping[str, Any],
    given: Mapping[str, Any],
) -> _Result:
    wanted = {
        **{field: str(value) for field, value in given.items() if field != "private_key"},
        "home": machine.home,
        "receipt_key": machine.receipt_key.replace("\n", "\\n"),
    }
    prefix = f"EDGETRAIN_COMPUTES__{name.replace('-', '_').upper()}__"
    return _Result(
        name=name,
        address=compute.address,
        port=compute.port,
        outcome=attached.outcome if attached is not None else Outcome.NOT_ATTACHED,
        before=attached.before if attached is not None else "",
        checks=machine.looks,
        settings={
            f"{prefix}{field.upper()}": value
            for field, value in wanted.items()
            if value and value.strip() != str(known.get(field, "")).replace("\n", "\\n").strip()
        },
    )


def _blocks(results: list[_Result], *, attaches: bool) -> Iterator[Block]:
    for result in results:
        rows: list[Row] = [
            [Cell("ok" if each.right else "wrong", Tone.GOOD if each.right else Tone.BAD), each.check, each.found]
            for each in result.checks
        ]
        yield table([Column("state"), Column("check"), Column("found", flexible=True)], rows)
        for each in result.checks:
            if not each.right:
                yield Line(f"{each.check}: {each.remedy}", Tone.BAD)
        for setting, value in result.settings.items():
            yield Line(f"the app's settings should say: {setting}={value}")
        before = f", it was at {result.before}" if result.before else ""
        if attaches:
            tone = Tone.BAD if result.outcome is Outcome.NOT_ATTACHED else Tone.GOOD
            yield Line(f"{result.name} ({result.address}:{result.port}) {_SAID[result.outcome]}{before}", tone)
