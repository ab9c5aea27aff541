"""Spreading: what is looked at every so often is not all looked at in the same cycle. Pure.

Everything that began at the same moment would come due at the same moment for ever. So a cycle takes a quarter of what
is due, the rest follows in the next ones; and what is expensive by itself comes due earlier for some than for others.
"""

import hashlib
from datetime import timedelta

AT_LEAST = 20
"""So many are looked at in one cycle however few there are: nobody waits who need not."""
_PARTS = 4  # cycles come every two minutes, and ten minutes is the shortest of what is spread


def room(known: int) -> int:
    """How many of these may be looked at in one cycle because their time has come."""
    return max(AT_LEAST, -(-known // _PARTS))


def earlier(name: str, every: timedelta) -> timedelta:
    """How much earlier than ``every`` a thing of this name comes due, always the same: up to a quarter."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    return every / 4 * (int.from_bytes(digest[:4], "big") / 2**32)
