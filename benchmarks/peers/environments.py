"""The virtual environments of the peers, from PyPI by a hashed lock; made once and kept in the cache."""

from pathlib import Path
from typing import Final

from tests.support.locked_environments import locked_environment

HERE: Final = Path(__file__).parent
ENVIRONMENTS: Final = HERE.parents[1] / ".local" / "cache" / "peers"


def environment_of(peer: str) -> Path:
    """The environment of ``dagster`` or ``prefect``, made now when it is missing (one to three minutes)."""
    return locked_environment(peer, HERE / f"with_{peer}" / "requirements.txt", ENVIRONMENTS)
