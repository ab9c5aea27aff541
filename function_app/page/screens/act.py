"""A form for something that people do: what it would do, to what, who does it. Nothing is done by looking at it.

Asks the functions of the API: about the run, the pipeline, or the targets; for a start, what would happen (a dry run).

Bounded: at most :data:`OF_A_RUN` requests to the ledger for a form about a run, :data:`OF_A_START` for a start (the dry
run lists the data at the site), one for a roll-back and one for each of its :data:`NAMED` newest releases, and
:data:`OF_A_PIPELINE` for the others. The host is asked for a run and each target of it that is under way.
"""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import azure.durable_functions as df

from function_app.api import delivery_models as d
from function_app.api import models as m
from function_app.api.hub_threads import in_time
from function_app.api.known_pipelines import is_removed
from function_app.api.lists import active_quarantines
from function_app.api.runs import get_run
from function_app.api.starts import start_run
from function_app.api.targets import list_targets
from function_app.composition import Services
from function_app.page.actions import ACTS, ONCE, PARAMETER, Act, purpose
from function_app.page.decisions import decisions_of
from function_app.page.late import try_again
from function_app.page.later import _
from function_app.page.parameters import Effective, effective, given_parameters
from function_app.page.serving import Asked
from function_app.problems import BadFieldError, RefusedError, status_of_code
from shared.decisions.delivery.resuming import is_resumable
from shared.errors import PermanentError, TransientError
from shared.messages import ActorKind, Preview, Quarantine, RunRecord, Scalar

PATIENCE = 20.0
"""Seconds that a form waits for the storage of a site."""
OF_A_RUN: Final = 4
OF_A_START: Final = 10
OF_A_PIPELINE: Final = 4
NAMED: Final = 20
"""Releases of which a roll-back says what became of their runs, the newest; the others have their names alone."""
_NEVER_IN_ADDRESS = frozenset({ONCE, "by", "reason", "instead_of"})
"""Fields that only whoever sends the form fills in, or the app: a link of somebody else's says none of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """What is wrong with what was sent: the field, empty for none of them, and the sentence."""

    field: str
    sentence: str
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A parameter of a pipeline: what its file says, and what was typed instead; empty for nothing."""

    name: str
    declared: Scalar
    typed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A release that a target keeps. ``run``: its run, where the ledger has it."""

    run_id: str
    run: RunRecord | None


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the form is about; each form has what it needs of it.

    ``waiting``: targets that wait for a decision; ``resumable``: there is a training to go on from. ``effective``: what
    a start would train with. ``targets``: where the
    pipeline's model serves.
    """

    pipeline: str
    run: m.RunView | None = None
    waiting: tuple[str, ...] = ()
    resumable: bool = False
    effective: tuple[Effective, ...] = ()
    preview: Preview | None = None
    parameters: tuple[Field, ...] = ()
    target: d.TargetView | None = None
    releases: tuple[Release, ...] = ()
    quarantines: tuple[Quarantine, ...] = ()
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The form. ``values``: what was typed so far. ``by_key``: who does it has a key, which says no name."""

    act: Act
    subject: Mapping[str, str]
    about: About
    values: Mapping[str, str]
    wrong: Wrong | None
    permitted: bool
    by_key: bool
    token: str
    once: str


async def view(asked: Asked, services: Services, client: df.DurableOrchestrationClient) -> Form:
    """The form at this address."""
    act = act_called(asked.route["action"])
    values = {name: text for name, text in asked.query.items() if name not in _NEVER_IN_ADDRESS}
    return await form(act, values, asked, services, client)


async def form(
    act: Act,
    values: Mapping[str, str],
    asked: Asked,
    services: Services,
    client: df.DurableOrchestrationClient,
    *,
    wrong: Wrong | None = None,
) -> Form:
    """The form with what was typed, and what was wrong with it."""
    subject = subject_of(act, values)
    permitted = asked.reader.may(act.role)
    actor = asked.reader.actor
    if act.name == "start":
        about, trouble = await _start(values, asked, services, client)
    else:
        about, trouble = await _about(act, subject, services, client), None
    return Form(
        act=act,
        subject=subject,
        about=about,
        values=values,
        wrong=wrong or trouble,
        permitted=permitted,
        by_key=actor.kind is ActorKind.KEY,
        token=asked.token(purpose(act, subject)),
        once=values.get(ONCE) or secrets.token_urlsafe(16),
    )


def act_called(name: str) -> Act:
    """The action of that name; raises :class:`RefusedError`."""
    found = ACTS.get(name)
    if found is None:
        raise RefusedError(404, "unknown_action", _("The page has no such action."))
    return found


def subject_of(act: Act, values: Mapping[str, str]) -> dict[str, str]:
    """To what it is done; raises :class:`RefusedError` when the address does not say."""
    missing = [name for name in act.subject if not values.get(name, "").strip()]
    if missing:
        raise RefusedError(404, "unknown_subject", _("This address does not say to what it is to be done."))
    chosen = {name: values[name] for name in act.subject}
    if "target" in act.may and values.get("target", "").strip():
        chosen["target"] = values["target"]
    return chosen


def wrong_of(error: RefusedError | PermanentError) -> Wrong:
    """What an error says is wrong, for the form."""
    if isinstance(error, RefusedError):
        return Wrong(field=error.field or "", sentence=error.reason, status=error.status)
    field = (error.field if isinstance(error, BadFieldError) else None) or ""
    return Wrong(field=field, sentence=error.reason, status=status_of_code(error.code))


def late(error: TransientError) -> Wrong:
    """What is said, for the form, of something that did not answer."""
    return Wrong(field="", sentence=try_again(error), status=503)


async def _about(
    act: Act, subject: Mapping[str, str], services: Services, client: df.DurableOrchestrationClient
) -> About:
    if "run_id" in subject:
        return await _run(subject["run_id"], services, client)
    if act.name == "roll-back":
        return await _releases(subject["target"], subject["name"], services)
    return await _pipeline(subject["name"], services)


async def _run(run_id: str, services: Services, client: df.DurableOrchestrationClient) -> About:
    run = await get_run(run_id, services, client)
    waiting = tuple(each.target for each in decisions_of(run))
    return About(pipeline=run.pipeline, run=run, waiting=waiting, resumable=is_resumable(run))


async def _pipeline(name: str, services: Services) -> About:
    held, targets = await asyncio.gather(
        asyncio.to_thread(_held_back, name, services), asyncio.to_thread(list_targets, services)
    )
    return About(
        pipeline=name,
        quarantines=held,
        targets=tuple(each.target for each in targets.targets if each.pipeline == name and each.serving),
    )


def _held_back(name: str, services: Services) -> tuple[Quarantine, ...]:
    """Raises :class:`PermanentError` for a pipeline that is broken, or that nobody ever knew."""
    if is_removed(name, services):
        return ()
    return active_quarantines(services.pipelines.get(name), services)


async def _releases(target: str, name: str, services: Services) -> About:
    targets = await asyncio.to_thread(list_targets, services)
    found = next((each for each in targets.targets if (each.target, each.pipeline) == (target, name)), None)
    if found is None:
        said = _("Nothing was delivered to %(target)s for pipeline %(pipeline)s.", target=target, pipeline=name)
        raise RefusedError(404, "unknown_target", said)
    kept = [run_id for run_id in found.kept if run_id != found.serving]
    runs = await asyncio.to_thread(lambda: {each: services.ledger.runs.run(each) for each in kept[:NAMED]})
    releases = tuple(Release(run_id=each, run=runs.get(each)) for each in kept)
    return About(pipeline=name, target=found, releases=releases)


async def _start(
    values: Mapping[str, str], asked: Asked, services: Services, client: df.DurableOrchestrationClient
) -> tuple[About, Wrong | None]:
    """A dry run, which lists the data, is done for whoever may start; for nobody else."""
    name, reader = values["name"], asked.reader
    declared = services.pipelines.get(name).train.parameters
    fields = tuple(
        Field(name=each, declared=value, typed=values.get(PARAMETER + each, "")) for each, value in declared.items()
    )
    about = About(pipeline=name, parameters=fields)
    if not reader.may(ACTS["start"].role):
        return about, None
    try:
        given = given_parameters(declared, values, asked.words.language)
        about = replace(about, effective=effective(declared, given))
        body = m.RunBody(parameters=given, force=bool(values.get("force")), dry_run=True)
        asking = start_run(name, body, idempotency_key=None, actor=reader.actor, services=services, client=client)
        preview: Any = await in_time(asking, PATIENCE)
    except (RefusedError, PermanentError) as error:
        return about, wrong_of(error)
    except TransientError as error:
        return about, late(error)
    return replace(about, preview=preview), None
