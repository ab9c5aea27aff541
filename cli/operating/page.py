"""``edgetrain page``: the app's page, for people who would rather look than type."""

import webbrowser
from typing import Annotated

import typer

from cli.operating.blocks import Line
from cli.operating.session import Session, remote


@remote
def page(
    session: Session,
    *,
    opens: Annotated[bool, typer.Option("--open", help="Open it in this machine's browser.")] = False,
) -> None:
    """Print a link to the app's page that signs its browser in once, within ten minutes, as the key that asks.

    The link is no key, but whoever opens it first may do what the key may: hand it to nobody.
    """
    reply = session.app.page_ticket()
    address = session.place.url + reply.view.address
    session.screen.show({**reply.document, "address": address}, [Line(address)])
    if opens and not webbrowser.open(address):
        session.screen.hint("there is no browser here; open the address in another one")
