"""Files that somebody may mean who asks for one of which nothing is known."""

import re
from typing import Final

from function_app.composition import Services
from shared.decisions.explanations.near_names import near_names
from shared.pipelines.parts import NAME

SEARCHED: Final = 200
"""Arrivals, the newest; one request to the ledger, of ten small parts at the most."""
SHOWN: Final = 10


def near_files(pipeline: str, text: str, services: Services) -> list[str]:
    """Names of files that arrived lately and are like the text, the newest first; of any for an empty text."""
    if not re.fullmatch(NAME, pipeline):  # the tables refuse some characters in keys, so they are not queried
        return []
    newest = services.ledger.arrivals.newest_arrivals(pipeline, limit=SEARCHED)
    return near_names(text, [arrival.blob for arrival in newest], most=SHOWN)
