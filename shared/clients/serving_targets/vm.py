"""A VM that serves from containers behind HAProxy, over SSH."""

from pydantic import Field, SecretStr

from shared.clients.serving_targets import TargetServices
from shared.messages.serving import Serving, ServingPlan
from shared.settings import SshHost


class Settings(SshHost):
    """How a VM is reached, and what it pulls images with: best a user that may only read.

    ``memory``: what each container may use when the plan does not say, such as ``512m`` or ``2g``.
    """

    pull_username: str = ""
    pull_password: SecretStr = SecretStr("")
    memory: str = Field("512m", pattern=r"^[1-9][0-9]{0,6}[mg]$")


class VmTarget:
    """The target: one SSH connection for each call."""

    def __init__(self, name: str, settings: Settings, services: TargetServices) -> None:
        self._name = name
        self._settings = settings
        self._services = services

    def apply(self, plan: ServingPlan) -> None:
        """Make it so, or as far as it goes now."""
        raise NotImplementedError

    def observe(self, pipeline: str) -> Serving:
        """What is there for the pipeline now."""
        raise NotImplementedError


def connect(name: str, settings: Settings, services: TargetServices) -> VmTarget:
    """The VM of that name."""
    return VmTarget(name, settings, services)
