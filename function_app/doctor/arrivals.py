"""Events of new data: the Event Grid topic has a subscription that brings them to the app, and lets them through."""

import os
from collections.abc import Sequence
from typing import Final

from function_app.composition import Services
from function_app.doctor.event_filters import BLOB_CREATED, lets_through, not_judged, takes_blobs
from shared.clients.event_subscriptions import EventSubscription, MayNotReadError
from shared.clients.identity import NoIdentityError
from shared.doctor import Check, Kind, Seen, ok, skipped, unknown, wrong
from shared.pipelines import Pipeline
from shared.settings import ARRIVALS_TOPIC_SETTING

FUNCTION: Final = "on_data_arrival"
_SITE: Final = "WEBSITE_SITE_NAME"  # set by Azure: the name of the app
_WEBHOOK: Final = "/runtime/webhooks/eventgrid"
_SCHEMAS: Final = {"eventgridschema", "cloudeventschemav1_0"}
_ON_ITS_WAY: Final = {"creating", "updating", "deleting"}
_MAY_READ: Final = "give who asks the role EventGrid EventSubscription Reader on the topic: docs/deploy.md"


def _reach_the_app(services: Services, _: str) -> Seen:
    topic = services.settings.arrivals.topic_id
    if not topic:
        return skipped(f"{ARRIVALS_TOPIC_SETTING} is not set; where no events come, new data are found by listing")
    try:
        found = services.event_subscriptions.of(topic)
    except (MayNotReadError, NoIdentityError) as error:
        return unknown(error.reason, remedy=_MAY_READ)
    return judged(found, services.pipelines.all, app=os.environ.get(_SITE, ""))


def judged(found: Sequence[EventSubscription], pipelines: Sequence[Pipeline], *, app: str = "") -> Seen:
    """``app``: the name of this app; empty where it is not known, and then any app's function counts as ours."""
    ours = [each for each in found if _leads_here(each, app)]
    if not ours:
        others = f": {', '.join(sorted(each.name for each in found))} lead elsewhere" if found else ""
        return wrong(f"none of {len(found)} subscriptions of the topic leads to {FUNCTION}{others}")
    faults = {each.name: _fault(each, pipelines) for each in ours}
    well = [each for each in ours if not faults[each.name]]
    if not well:
        name, fault = next(iter(faults.items()))
        state = unknown if all(_is_on_its_way(each) for each in ours) else wrong
        return state(f"{name}: {fault}")
    left_out = [each.name for each in pipelines if not any(lets_through(one.filter, each) for one in well)]
    if left_out:
        return unknown(
            f"nothing of {', '.join(left_out)} passes the filter of {', '.join(each.name for each in well)}",
            remedy="where no other topic brings their events, take the filter of subjects away: infra/after-code.sh",
        )
    fields = sorted({field for each in well for field in not_judged(each.filter)})
    aside = f"; what it asks of {', '.join(fields)} was not judged" if fields else ""
    return ok(f"{', '.join(each.name for each in well)} leads to {FUNCTION}{aside}")


def _leads_here(subscription: EventSubscription, app: str) -> bool:
    """Of a webhook only the address is shown, and neither which function it calls nor its key."""
    to = subscription.destination
    match to.endpoint_type.lower():
        case "azurefunction":
            where = (to.properties.resource_id or "").lower()
            return where.endswith(f"/sites/{app.lower()}/functions/{FUNCTION}" if app else f"/functions/{FUNCTION}")
        case "webhook":
            return (to.properties.endpoint_base_url or "").partition("?")[0].lower().rstrip("/").endswith(_WEBHOOK)
    return False


def _fault(subscription: EventSubscription, pipelines: Sequence[Pipeline]) -> str:
    """Why nothing comes by this subscription; empty where something may."""
    said, rule = subscription.definition, subscription.filter
    if said.provisioning_state.lower() != "succeeded":
        return f"it is {said.provisioning_state or 'without a state'}, and not Succeeded"
    if (said.event_delivery_schema or "EventGridSchema").lower() not in _SCHEMAS:
        return f"it delivers {said.event_delivery_schema}, which the app does not read"
    if not takes_blobs(rule):
        return f"its filter of types leaves out {BLOB_CREATED}"
    if pipelines and not any(lets_through(rule, each) for each in pipelines):
        return "its filter of subjects leaves out the data of every pipeline"
    return ""


def _is_on_its_way(subscription: EventSubscription) -> bool:
    return subscription.definition.provisioning_state.lower() in _ON_ITS_WAY


CHECKS: Final = (
    Check(
        name="arrivals.subscription",
        about=Kind.APP,
        wanted=f"a subscription of the topic leads to {FUNCTION}, and lets {BLOB_CREATED} of pipelines' data through",
        why="new data are seen by the next listing only, minutes later",
        remedy="deploy the subscription once the code is there: infra/after-code.sh (docs/deploy.md)",
        look=_reach_the_app,
        seconds=30.0,
    ),
)
