"""The participants of the demo: the app, and the clients that talk to it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from local_stack.app_client import AppClient, Endpoints, app_client
from local_stack.demo.screen import Screen
from local_stack.site_agent import SiteAgent, site_agent
from local_stack.upstream_client import UpstreamClient, upstream_client

PIPELINE: Final = "breast-cancer"


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody, and the screen on which they are shown."""

    screen: Screen
    endpoints: Endpoints
    app: AppClient
    agent: SiteAgent
    upstream: UpstreamClient


@contextmanager
def gathered(screen: Screen, endpoints: Endpoints) -> Iterator[Cast]:
    """Everybody with open connections, which are closed at the end."""
    with ExitStack() as exits:
        yield Cast(
            screen,
            endpoints,
            app=exits.enter_context(app_client(endpoints)),
            agent=exits.enter_context(site_agent(endpoints)),
            upstream=exits.enter_context(upstream_client(endpoints)),
        )
