"""The table of screens, one row each; bindings and dispatch are generated from it, as the API's are from its own.

Nothing else is imported, to keep the cold start short.
"""

from dataclasses import dataclass
from typing import Final

ROOT: Final = "/ui"


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """One screen: ``view`` of ``function_app.page.screens.<module>`` makes what ``templates/<module>.html`` shows.

    ``refreshed``: seconds after which an open page asks for its changing part again; 0 for a page that stands still.
    """

    name: str
    path: str
    module: str
    refreshed: int = 0


SCREENS: Final[tuple[Screen, ...]] = (
    Screen(name="page_now", path="ui", module="now", refreshed=5),
    Screen(name="page_runs", path="ui/runs", module="runs", refreshed=15),
    Screen(name="page_run", path="ui/runs/{run_id}", module="run", refreshed=5),
    Screen(name="page_compare", path="ui/compare", module="compare"),
    Screen(name="page_why", path="ui/why", module="why"),
    Screen(name="page_data", path="ui/pipelines/{name}", module="data", refreshed=15),
    Screen(name="page_strays", path="ui/strays", module="strays"),
    Screen(name="page_models", path="ui/models", module="models"),
    Screen(name="page_model", path="ui/models/{model}", module="model"),
    Screen(name="page_passport", path="ui/models/{model}/{version}/passport", module="passport"),
    Screen(name="page_targets", path="ui/targets", module="targets", refreshed=15),
    Screen(name="page_doctor", path="ui/doctor", module="doctor"),
    Screen(name="page_act", path="ui/actions/{action}", module="act"),
    Screen(name="page_acted", path="ui/actions/done/{action_id}", module="acted", refreshed=5),
    Screen(name="page_missing", path="ui/{*rest}", module="missing"),
)


def screen_called(module: str) -> Screen:
    """The screen of that module."""
    return next(screen for screen in SCREENS if screen.module == module)
