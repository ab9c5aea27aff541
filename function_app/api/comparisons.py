"""Two runs side by side."""
# ruff: noqa: ARG001 - bodies follow

from function_app.api import delivery_models as d
from function_app.api import models as m
from function_app.composition import Services
from function_app.problems import RefusedError


def compare_runs(query: m.CompareQuery, services: Services) -> d.Compared:
    """What differs between two runs."""
    raise RefusedError(404, "unknown_run", f"there is no run {query.left!r}; GET /api/runs lists them", field="left")
