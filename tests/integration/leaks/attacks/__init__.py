"""Every attack, by the way that it tries."""

from typing import Final

from tests.integration.leaks.attacks import machine, models, network, outputs, submission, words
from tests.integration.leaks.attacks.attack import Attack

__all__ = ["ATTACKS", "Attack"]

ATTACKS: Final = (
    *network.ATTACKS,
    *machine.ATTACKS,
    *outputs.ATTACKS,
    *models.ATTACKS,
    *words.ATTACKS,
    *submission.ATTACKS,
)
