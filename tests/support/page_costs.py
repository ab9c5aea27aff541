"""What a screen costs: the requests to tables that showing it takes, however much there is."""

from tests.simulation.world import World
from tests.support.page_world import get, html_of


def table_requests(world: World, address: str) -> int:
    """Requests to the ledger's tables while the screen is shown."""
    before = _requests(world)
    html_of(get(world, address))
    return _requests(world) - before


def rows_read(world: World) -> int:
    """Rows that the answers of the tables have held so far."""
    return sum(table.rows_read for table in world.tables.tables.values())


def _requests(world: World) -> int:
    return sum(table.requests for table in world.tables.tables.values())
