"""For tests that want another number of examples than the usual one."""

from typing import Any

from hypothesis import settings

USUAL = 100


def examples(count: int, **others: Any) -> settings:
    """So many examples, of which the profile "quick" tries its part, see ``tests/conftest.py``."""
    return settings(max_examples=max(1, count * settings().max_examples // USUAL), **others)
