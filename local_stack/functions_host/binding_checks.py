"""The checks the Python worker makes when it loads a function, repeated here so that a bad app fails at once.

Source of the rules: the Azure Functions Python worker (``functions.py``, ``validate_function_params``).
"""

import inspect
import typing
from collections.abc import Callable
from typing import Any

from local_stack.functions_host.converters import converter_of
from local_stack.functions_host.functions import RETURN_BINDING, Binding


class FunctionLoadError(Exception):
    """One function of the app cannot be loaded; the text names it and says what to change."""

    def __init__(self, function_name: str, reason: str) -> None:
        super().__init__(f"cannot load the {function_name} function: {reason}")


def check_signature(name: str, function: Callable[..., Any], bindings: tuple[Binding, ...]) -> bool:
    """Check that parameters, bindings and annotations agree.

    Returns whether the function asks for the invocation context (a parameter ``context`` that is no binding).
    Raises :class:`FunctionLoadError`.
    """
    bound = {binding.name: binding for binding in bindings}
    parameters = dict(inspect.signature(function).parameters)
    hints = _hints(name, function)

    _check_return_binding(name, bound.get(RETURN_BINDING), hints.get("return"))
    bound.pop(RETURN_BINDING, None)
    takes_context = _take_context(name, parameters, bound, hints)
    _check_names(name, set(parameters), set(bound))
    for parameter, binding in bound.items():
        _check_parameter(name, binding, hints.get(parameter))
    return takes_context


def _hints(name: str, function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except NameError as error:
        raise FunctionLoadError(name, f"an annotation cannot be resolved at run time: {error}") from error


def _take_context(
    name: str, parameters: dict[str, inspect.Parameter], bound: dict[str, Binding], hints: dict[str, Any]
) -> bool:
    if "context" not in parameters or "context" in bound:
        return False
    del parameters["context"]
    annotation = hints.get("context")
    # The worker compares the class name only, so any class called Context will do.
    if annotation is not None and getattr(annotation, "__name__", None) != "Context":
        raise FunctionLoadError(
            name, f"the 'context' parameter is expected to be of type azure.functions.Context, got {annotation!r}"
        )
    return True


def _check_names(name: str, parameters: set[str], bound: set[str]) -> None:
    if extra := parameters - bound:
        raise FunctionLoadError(
            name,
            f"the following parameters are declared in Python but not as bindings: {sorted(extra)}",
        )
    if missing := bound - parameters:
        raise FunctionLoadError(
            name,
            f"the following bindings are declared but are no parameters of the Python function: {sorted(missing)}",
        )


def _check_parameter(name: str, binding: Binding, annotation: Any) -> None:
    if binding.direction == "INOUT":
        raise FunctionLoadError(name, f"binding {binding.name} has direction inout, which is not supported")
    if binding.direction == "OUT":
        raise FunctionLoadError(name, f"output binding {binding.name} of type {binding.type} is not served")
    if annotation is None:
        return
    if not isinstance(annotation, type):
        raise FunctionLoadError(name, f"binding {binding.name} has invalid non-type annotation {annotation!r}")
    converter = converter_of(binding)
    if not converter.check_input_type_annotation(annotation):
        raise FunctionLoadError(
            name,
            f"type of {binding.name} binding {binding.type!r} does not match its annotation {annotation.__name__!r}",
        )


def _check_return_binding(name: str, binding: Binding | None, annotation: Any) -> None:
    if binding is None:
        return
    if binding.direction != "OUT":
        raise FunctionLoadError(name, "the $return binding must have direction out")
    if annotation is None:
        return
    if not isinstance(annotation, type):
        raise FunctionLoadError(name, f"has invalid non-type return annotation {annotation!r}")
    if annotation is type(None):
        return
    converter = converter_of(binding)
    if not converter.check_output_type_annotation(annotation):
        raise FunctionLoadError(
            name, f"return annotation {annotation.__name__!r} does not match binding type {binding.type!r}"
        )
