"""What people do on the page: a form that was sent is held against who sent it, and the API's function does the rest.

After that the browser is sent on to where the result is seen, with the sentence of the API; whatever was wrong is shown
on the form, with all that was typed.
"""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import azure.durable_functions as df
import azure.functions as func

from function_app.api import delivery_models as d
from function_app.api import models as m
from function_app.api.handlers import Located, handler_of, run
from function_app.api.reading import body_of
from function_app.composition import Services
from function_app.page.actions import ONCE, Act, purpose
from function_app.page.addresses import screen_called
from function_app.page.forms import form_of, refuse_forged
from function_app.page.later import _
from function_app.page.parameters import given_parameters
from function_app.page.screens.act import act_called, form, late, subject_of, wrong_of
from function_app.page.serving import Asked, answered, page, shown
from function_app.page.told import telling
from function_app.problems import BadFieldError, RefusedError
from function_app.refusals import of_old_secrets
from shared.errors import PermanentError, TransientError
from shared.messages import Actor, ActorKind

_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """Where the result is seen, and what the API says of it."""

    there: str
    sentence: str


async def act(req: func.HttpRequest, services: Services, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Do what the form says."""
    return await answered(req, services, lambda asked: _act(req, asked, services, client))


async def _act(
    req: func.HttpRequest, asked: Asked, services: Services, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    chosen = act_called(req.route_params["action"])
    sent = form_of(req)
    subject = subject_of(chosen, sent)
    refuse_forged(req, sent, asked, purpose(chosen, subject))
    asked.permit(chosen.role)
    try:
        done = await _carry_out(chosen, sent, asked, services, client)
    except (RefusedError, PermanentError) as error:
        if chosen.repeated and isinstance(error, RefusedError) and error.code == chosen.repeated:
            done = _Done(there=_pipeline(subject["name"]), sentence=error.reason)
        else:
            view = await form(chosen, sent, asked, services, client, wrong=wrong_of(error))
            return shown(screen_called("act"), view, asked, status=wrong_of(error).status)
    except TransientError as error:
        wrong = late(error)
        view = await form(chosen, sent, asked, services, client, wrong=wrong)
        return shown(screen_called("act"), view, asked, status=wrong.status)
    return page("", status=303, headers={"Location": done.there, "Set-Cookie": telling(done.sentence)})


async def _carry_out(
    chosen: Act, sent: Mapping[str, str], asked: Asked, services: Services, client: df.DurableOrchestrationClient
) -> _Done:
    actor = _who(chosen, sent, asked.reader.actor)
    handler = handler_of(chosen.row)
    given: dict[str, Any] = {name: sent[name] for name in chosen.subject}
    given |= {"services": services, "client": client, "actor": actor}
    if handler.body is not None:
        body = json.dumps(_body(chosen, sent, asked.words.language, services), sort_keys=True).encode()
        given |= {"body": body_of(handler.body, body), "idempotency_key": _key_of(sent.get(ONCE, ""), body)}
    generation = services.generation
    try:
        return _done(await run(handler, given), otherwise=_pipeline(sent["name"]) if "name" in sent else "/ui")
    except PermanentError as error:
        changed = await asyncio.to_thread(of_old_secrets, error, services, generation)
        raise (changed or error) from None


def _who(chosen: Act, sent: Mapping[str, str], actor: Actor) -> Actor:
    """Who does it; a key says no name of its own, so it is typed. A person is who he is signed in as."""
    if actor.kind is not ActorKind.KEY:
        return actor
    said = " ".join(sent.get("by", "").split())
    if chosen.named and not said:
        raise BadFieldError(_("Type your name: a key does not say who you are."), field="by")
    if len(said) > _LONGEST_NAME:
        raise BadFieldError(_("This is too long. Write less."), field="by")
    return replace(actor, said=said)


def _key_of(once: str, body: bytes) -> str | None:
    """The form's own number with what it asks for, so that the same form may ask for something else in a second try."""
    return f"{once}-{hashlib.sha256(body).hexdigest()[:16]}" if once else None


def _body(chosen: Act, sent: Mapping[str, str], language: str, services: Services) -> dict[str, Any]:
    """The body of the request that the form stands for."""
    names = {*chosen.asks, *chosen.may} - {"by", "force"}
    body: dict[str, Any] = {name: sent[name] for name in names if sent.get(name, "").strip()}
    for name in chosen.must:
        if name not in body:
            raise BadFieldError(_("Say why, in a few words."), field=name)
    if chosen.name == "start":
        declared = services.pipelines.get(sent["name"]).train.parameters
        body["parameters"] = given_parameters(declared, sent, language)
        body["force"] = bool(sent.get("force"))
    return body


def _done(answer: Any, *, otherwise: str) -> _Done:
    """Where to look at what the API answered."""
    view = answer.view if isinstance(answer, Located) else answer
    match view:
        case d.ActionView():
            return _Done(there=f"/ui/actions/done/{quote(view.action_id)}", sentence=view.sentence)
        case m.Accepted():
            there = f"/ui/runs/{quote(view.run_id)}" if view.run_id else otherwise
            return _Done(there=there, sentence=view.reason)
        case d.Decided() | d.Resumed() | m.Cancelled():
            return _Done(there=f"/ui/runs/{quote(view.run_id)}", sentence=view.sentence)
        case _:
            return _Done(there=otherwise, sentence=view.sentence)


def _pipeline(name: str) -> str:
    return f"/ui/pipelines/{quote(name)}"
