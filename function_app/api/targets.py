"""What every target should serve, and what was seen there."""
# ruff: noqa: ARG001 - bodies follow

from function_app.api import delivery_models as d
from function_app.composition import Services


def list_targets(services: Services) -> d.TargetList:
    """The targets."""
    return d.TargetList(targets=())
