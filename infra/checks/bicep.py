"""Bicep files as data: their resources, modules, parameters and outputs.

``pycep-parser`` parses them; it knows neither ``import`` nor functions, lambdas and spread, so we do without those. In
what it returns a name and a text look alike (``location`` and ``'location'``), and what is computed is a mapping with
``operator`` or ``function``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from infra.checks.findings import Finding

_NAMED = ("parameters", "variables", "resources", "modules")


@dataclass(frozen=True, slots=True)
class Resource:
    """``body``: without ``parent``, ``scope`` and ``dependsOn``. ``existing``: it is only referred to."""

    file: str
    name: str
    type: str
    api_version: str
    body: Mapping[str, Any]
    scope: str = ""
    existing: bool = False

    @property
    def where(self) -> str:
        """For findings."""
        return f"{self.file}: {self.name}"


@dataclass(frozen=True, slots=True)
class Module:
    """A use of another file, ``path`` below the file that uses it, with the arguments that it is given."""

    file: str
    name: str
    path: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BicepFile:
    """``required``: parameters without a default. ``names``: all in it that has a name. ``source``: its text."""

    name: str
    resources: tuple[Resource, ...] = ()
    modules: tuple[Module, ...] = ()
    parameters: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    outputs: frozenset[str] = frozenset()
    variables: Mapping[str, Any] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    source: str = ""


def parse(path: Path, name: str) -> BicepFile | Finding:
    """The file, or what is wrong with it."""
    return _parse(path.read_text(encoding="utf-8"), name)


@cache
def _parse(source: str, name: str) -> BicepFile | Finding:
    from pycep import BicepParser

    try:
        found = BicepParser().parse(text=source)
    except Exception as error:  # noqa: BLE001 - the parser raises those of its own parser
        return Finding(name, f"cannot be parsed: {str(error).splitlines()[0]}")
    parameters = found.get("parameters", {})
    defaults = {key: value["default"] for key, value in parameters.items() if value.get("default") is not None}
    return BicepFile(
        name=name,
        resources=tuple(_resource(name, key, value) for key, value in found.get("resources", {}).items()),
        modules=tuple(
            Module(name, key, value["detail"]["path"], unwrapped(value["config"]).get("params") or {})
            for key, value in found.get("modules", {}).items()
        ),
        parameters=frozenset(parameters),
        required=frozenset(parameters) - frozenset(defaults),
        defaults=defaults,
        outputs=frozenset(found.get("outputs", {})),
        variables={key: value["value"] for key, value in found.get("variables", {}).items()},
        names=frozenset(each for part in _NAMED for each in found.get(part, {})) | frozenset(_of_loops(found)),
        source=source,
    )


def unwrapped(config: Any) -> Mapping[str, Any]:
    """The body inside of conditions and loops."""
    while isinstance(config, Mapping) and "config" in config and ("condition" in config or "loop_type" in config):
        config = config["config"]
    return config if isinstance(config, Mapping) else {}


def texts(value: Any) -> Iterator[str]:
    """Every text in it, also inside of what is computed."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)


def dotted(value: Any) -> str:
    """A name, or names with dots between: ``app.properties.principalId``; empty for what is neither."""
    if isinstance(value, str):
        return value
    operator = value.get("operator") if isinstance(value, Mapping) else None
    if not isinstance(operator, Mapping) or operator.get("type") != "property_accessor":
        return ""
    return ".".join(dotted(each) for each in operator["operands"].values())


def is_computed(value: Any) -> bool:
    """Whether it is an expression, whose value nobody knows before it is deployed."""
    return isinstance(value, Mapping) and any(
        isinstance(value.get(word), Mapping) for word in ("operator", "function", "loop_type", "ternary")
    )


def _of_loops(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        detail = value.get("detail")
        if isinstance(detail, Mapping):
            yield from (detail[key] for key in ("item_name", "index_name") if isinstance(detail.get(key), str))
        for each in value.values():
            yield from _of_loops(each)
    elif isinstance(value, list):
        for each in value:
            yield from _of_loops(each)


def _resource(file: str, name: str, raw: Mapping[str, Any]) -> Resource:
    config = unwrapped(raw["config"])
    body = {key: value for key, value in config.items() if key not in {"parent", "scope", "dependsOn", "resources"}}
    scope = str(config.get("scope") or config.get("parent") or "")
    return Resource(file, name, raw["type"], raw["api_version"], body, scope=scope, existing=bool(raw["existing"]))
