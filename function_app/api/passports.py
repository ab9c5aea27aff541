"""The passports of deployed versions."""

import json
from dataclasses import dataclass
from typing import Any

from function_app.api.handlers import Page
from function_app.composition import Services
from function_app.problems import RefusedError
from shared.oci.references import parse_name
from shared.signing.attachments import Attachments
from shared.signing.passport_page import POLICY, passport_page
from shared.signing.statements import PASSPORT


@dataclass(frozen=True, slots=True, kw_only=True)
class Passport:
    """A passport as a file: the document, and the Sigstore bundle whose statement has it as its predicate."""

    passport: dict[str, Any]
    bundle: dict[str, Any]


def get_passport(model: str, version: str, accept: str, services: Services) -> Passport | Page:
    """The passport that is attached to the version's image, signed by a trusted key."""
    known = services.ledger.passports.of(model, version)
    if known is None:
        reason = (
            f"version {version!r} of model {model!r} has no passport: one is made when a run's model is deployed;"
            " the run's record says whether it was"
        )
        raise RefusedError(404, "unknown_passport", reason, field="version")
    name = parse_name(known.image.partition("/")[2])
    keys = services.trusted_keys
    found = Attachments(services.container_registry).find(name.repository, name.reference, PASSPORT, keys)
    if found is None:
        reason = f"the image {known.image} carries no passport that a trusted key has signed; find out who removed it"
        raise RefusedError(404, "unknown_passport", reason, field="version")
    if prefers_html(accept):
        return Page(passport_page(found.predicate, found.bundle), POLICY)
    return Passport(passport=found.predicate, bundle=json.loads(found.bundle))


def prefers_html(accept: str) -> bool:
    """Whether a page is asked for before JSON, by the weights of RFC 9110, 12.5.1; JSON where both are the same."""
    weights = dict(_weight(part) for part in reversed(accept.split(",")))
    html = weights.get("text/html", weights.get("text/*", 0.0))
    other = weights.get("application/json", weights.get("application/*", weights.get("*/*", 0.0)))
    return html > other


def _weight(part: str) -> tuple[str, float]:
    kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return kind, float(parameter.removeprefix("q="))
            except ValueError:
                return kind, 0.0
    return kind, 1.0
