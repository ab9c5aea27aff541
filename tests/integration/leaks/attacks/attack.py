"""What an attack is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Attack:
    """A run of training code that means harm.

    ``train``, ``evaluate``, ``score``: the programs; the last two are honest when they are empty.
    ``code``: more files of the training code.
    ``beside``: files in the submitted folder, beside ``code/``; ``variables``: of the run's environment in Azure ML;
    ``order``: fields of the order. These three are not in the hands of who writes training code.
    ``ends``: how the run must end, ``completed`` or ``failed``; empty when it may be either.
    ``tries``: which programs must have printed ``tried``, at their end or before they were killed.
    ``reason``: what must stand in the reason of a failure.
    ``always``: whether it is carried out on every machine, not only where CI is set.
    ``on_guard``: it is an attack on the guard, and means the same without a container around its programs.
    """

    name: str
    train: str
    evaluate: str = ""
    score: str = ""
    code: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    order: Mapping[str, Any] = field(default_factory=dict)
    ends: str
    tries: tuple[str, ...] = ("train",)
    reason: str = ""
    seconds: int = 120
    pickles: str = "refused"
    always: bool = False
    on_guard: bool = False

    @property
    def pipeline(self) -> str:
        """Its name."""
        return f"leak-{self.name}"

    def rule(self, container: str) -> str:
        """What the site's policy says of it."""
        allowed = f"containers: [{container}], prefixes: [landing/, holdout/], pickles: {self.pickles}"
        return f"  {self.pipeline}: {{site: factory, {allowed}}}\n"
