"""Models, their versions, and the runs that made them."""
# ruff: noqa: ARG001 - bodies follow

from function_app.api import delivery_models as d
from function_app.composition import Services
from function_app.problems import RefusedError


def list_models(services: Services) -> d.ModelList:
    """Every model."""
    return d.ModelList(models=())


def get_model(model: str, services: Services) -> d.ModelView:
    """The model of that name."""
    raise RefusedError(404, "unknown_model", f"there is no model {model!r}; GET /api/models lists them", field="model")
