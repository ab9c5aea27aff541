"""Everything that can serve, by kind: one module (or package) of this folder each, found by its name.

``EDGETRAIN_TARGETS__X__KIND`` names the kind of target ``X``. A kind has two things, and nothing else has to know it:

* ``Settings``, a pydantic model of the other ``EDGETRAIN_TARGETS__X__...`` settings;
* ``connect(name, settings, services)``, which returns a :class:`shared.deployment_target.DeploymentTarget`. It is
  called once for each target and does not talk to it yet.

What a kind needs besides lies in a package of its own, or outside this folder.
"""

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, cast

from pydantic import BaseModel, ValidationError

from shared.clients.identity import CheckedCredential, managed_identity
from shared.deployment_target import DeploymentTarget
from shared.errors import Code, PermanentError
from shared.serving.smoke import SmokeSample
from shared.settings import TargetSettings, setting_of


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetServices:
    """What the app lends a target.

    ``trusted``: raises ``PermanentError`` (``SIGNATURE_REFUSED``) unless the image, by digest, is signed by a key that
    is trusted. ``smoke_sample``: the sample inside an image; None when it has none. For targets that cannot look
    into their containers. ``identity``: the credential of a managed identity by its client id; empty: the app's own.
    """

    trusted: Callable[[str], None]
    smoke_sample: Callable[[str], SmokeSample | None]
    identity: Callable[[str], CheckedCredential] = managed_identity


class Kind(Protocol):
    """What the module of a kind has."""

    Settings: type[BaseModel]
    connect: Callable[[str, Any, TargetServices], DeploymentTarget]


def kinds() -> list[str]:
    """The names of all kinds, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def kind_of(name: str, settings: TargetSettings) -> Kind:
    """The kind that target ``name`` is of; raises ``PermanentError`` naming the setting when there is none such."""
    if settings.kind not in kinds():
        reason = f"{setting_of(name, 'KIND')} is {settings.kind!r}; it must be one of {', '.join(kinds())}"
        raise PermanentError(reason, code=Code.BAD_CONFIGURATION)
    return cast(Kind, import_module(f"{__name__}.{settings.kind}"))


def settings_of(name: str, settings: TargetSettings) -> Any:
    """The settings of target ``name``, in the model of its kind; raises ``PermanentError`` naming the first bad one."""
    model = kind_of(name, settings).Settings
    try:
        return model.model_validate(settings.own)
    except ValidationError as error:
        # Its text has the values too, and some of them are secrets.
        first = error.errors(include_url=False, include_input=False)[0]
        setting = setting_of(name, "__".join(str(part) for part in first["loc"]).upper())
        raise PermanentError(f"{setting}: {first['msg']}", code=Code.BAD_CONFIGURATION) from None


class ServingTargets:
    """Opens targets by name, each once. ``lookup`` is :meth:`shared.settings.Settings.target`."""

    def __init__(self, lookup: Callable[[str], TargetSettings], services: TargetServices) -> None:
        self._lookup = lookup
        self._services = services
        self._opened: dict[str, DeploymentTarget] = {}

    def open(self, target: str) -> DeploymentTarget:
        """The target; raises ``PermanentError`` naming the setting that is missing or wrong."""
        if target not in self._opened:
            found = self._lookup(target)
            settings = settings_of(target, found)
            self._opened[target] = kind_of(target, found).connect(target, settings, self._services)
        return self._opened[target]
