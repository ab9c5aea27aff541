"""Ask who the champion of a pipeline is."""

from typing import Protocol

from shared.messages import Champion, ChampionQuery


class Champions(Protocol):
    """Knows the champions."""

    def champion(self, pipeline: str) -> Champion:
        """Who serves now; ``run_id`` is None while nobody does."""


def read_champion(query: ChampionQuery, *, champions: Champions) -> Champion:
    """The champion as it is now."""
    return champions.champion(query.pipeline)
