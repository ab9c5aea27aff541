"""Finds and loads the unmodified function app, the way the Python worker does.

The worker demands that a *file* ``function_app.py`` exists in the app root and then imports the module *named* by its
stem, so a package ``function_app/`` beside the file wins. The root goes to the end of ``sys.path``: an installed
package of the same name would hide the app, which is reported here instead of loading the wrong one.
"""

import importlib
import inspect
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import azure.functions as func

from local_stack.functions_host import functions as kinds
from local_stack.functions_host.binding_checks import FunctionLoadError, check_signature
from local_stack.functions_host.functions import Binding, HostedFunction

DEFAULT_SCRIPT: Final = "function_app.py"

_SERVED_BINDINGS: Final = frozenset(
    {
        kinds.HTTP_TRIGGER,
        kinds.EVENT_GRID_TRIGGER,
        kinds.TIMER_TRIGGER,
        kinds.SERVICE_BUS_TRIGGER,
        kinds.ORCHESTRATION_TRIGGER,
        kinds.ACTIVITY_TRIGGER,
        kinds.DURABLE_CLIENT,
        "http",
    }
)


class AppLoadError(Exception):
    """The app root holds no app that can be loaded; the text says what is wrong."""


def load_app(
    root: Path, *, script: str = DEFAULT_SCRIPT, is_disabled: Callable[[str], bool] = lambda _name: False
) -> tuple[HostedFunction, ...]:
    """Import the app below ``root`` and give its functions, checked.

    ``script`` is the value of ``PYTHON_SCRIPT_FILE_NAME``. Raises :class:`AppLoadError` or
    :class:`~local_stack.functions_host.binding_checks.FunctionLoadError`.
    """
    app = _find_app(_import_script(root.resolve(), script))
    try:
        # Exactly once: the app object remembers the names it built and refuses them the second time.
        declared = app.get_functions()
    except ValueError as error:
        raise AppLoadError(str(error)) from error
    loaded = tuple(_host(function, is_disabled) for function in declared)
    _check_unique(function.name for function in loaded)
    return loaded


def _import_script(root: Path, script: str) -> ModuleType:
    if Path(script).name != script or not script.endswith(".py"):
        raise AppLoadError(f"PYTHON_SCRIPT_FILE_NAME must be a bare file name ending in .py, got {script!r}")
    if not (root / script).is_file():
        raise AppLoadError(f"no {script} in the app root: the worker would find no functions")
    if str(root) not in sys.path:
        sys.path.append(str(root))
    importlib.invalidate_caches()
    name = Path(script).stem
    module = importlib.import_module(name)
    origin = Path(module.__file__ or "").resolve()
    if not origin.is_relative_to(root):
        raise AppLoadError(f"importing {name!r} gave another module of that name, from {origin.parent}")
    return module


def _find_app(module: ModuleType) -> func.FunctionRegister:
    found = {name: value for name, value in vars(module).items() if isinstance(value, func.FunctionRegister)}
    if len(found) > 1:
        raise AppLoadError(f"More than one top level function app instance is defined: {', '.join(sorted(found))}")
    if not found:
        raise AppLoadError(f"Could not find a top level function app instance in {module.__name__}")
    return next(iter(found.values()))


def _host(function: func.Function, is_disabled: Callable[[str], bool]) -> HostedFunction:
    name = str(function.get_function_name())
    bindings = tuple(_binding(json.loads(raw)) for raw in function.get_raw_bindings())
    for binding in bindings:
        if binding.type not in _SERVED_BINDINGS:
            raise FunctionLoadError(name, f"this host does not serve bindings of type {binding.type}")
    user_function = function.get_user_function()
    takes_context = check_signature(name, user_function, bindings)
    trigger_name = function.get_trigger().name
    return HostedFunction(
        name=name,
        trigger=next(binding for binding in bindings if binding.name == trigger_name),
        bindings=bindings,
        callable=user_function,
        directory=str(Path(inspect.getfile(inspect.unwrap(user_function))).parent),
        takes_context=takes_context,
        disabled=is_disabled(name),
        has_retry_policy=function.get_settings_dict("retry_policy") is not None,
    )


def _binding(raw: dict[str, Any]) -> Binding:
    return Binding(name=raw["name"], type=raw["type"], direction=str(raw["direction"]).upper(), attributes=raw)


def _check_unique(names: Iterable[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        if twin := seen.get(name.lower()):
            raise AppLoadError(f"function names must differ in more than case: {twin!r} and {name!r}")
        seen[name.lower()] = name
