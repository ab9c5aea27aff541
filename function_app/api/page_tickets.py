"""A link that signs a browser in at the page once: for people who have a key on the command line, and none to type."""

from dataclasses import dataclass
from datetime import UTC, datetime

from function_app.composition import Services
from function_app.problems import RefusedError
from function_app.sessions import TICKET_LASTS
from shared.access_settings import KEY_NAMES

SIGN_IN: str = "/ui/sign-in"
SIGN_IN_IS_OFF = "sign_in_is_off"
NO_SECRET = (
    "nobody signs in with a key: the app has no secret to sign sessions with; whoever runs it sets"  # noqa: S105
    " EDGETRAIN_PAGE__SECRET (docs/rights.md)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageTicket:
    """``address``: on the app's own host, for a browser; it works once, until ``expires_at``. ``key``: whose it is."""

    address: str
    key: str
    expires_at: datetime


def page_ticket(key_name: str | None, services: Services) -> PageTicket:
    """A ticket for the key that asks. It is no key, and what it begins may do what the key may."""
    signatures = services.signatures
    if signatures is None:
        raise RefusedError(409, SIGN_IN_IS_OFF, NO_SECRET)
    if key_name is None:
        raise RefusedError(
            409,
            "key_without_name",
            f"only a key that the settings name signs in at the page; whoever runs the app sets {KEY_NAMES}NAME to its"
            " SHA-256. Whoever the platform signs in needs no link: open /ui",
        )
    now = datetime.now(UTC)
    ticket = signatures.ticket(key_name, services.access.key_names, now)
    return PageTicket(address=f"{SIGN_IN}?ticket={ticket}", key=key_name, expires_at=now + TICKET_LASTS)
