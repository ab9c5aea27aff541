"""The body of every resource against Azure's description of its type: wrong, missing, read-only, misspelt."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from infra.checks.azure_types import AzureType, known
from infra.checks.bicep import Resource, is_computed
from infra.checks.findings import Finding

Lookup = Callable[[str], AzureType | None]


def check(resource: Resource, names: frozenset[str], look_up: Lookup = known) -> Iterator[Finding]:
    """What is wrong with a resource; ``names``: what its file calls things."""
    described = look_up(resource.type)
    if described is None:
        yield Finding(
            resource.where,
            f"there is no description of the type {resource.type}; its spelling, or: python -m infra.checks.describe",
        )
        return
    if resource.api_version != described.api_version:
        yield Finding(
            resource.where,
            f"{resource.type}@{resource.api_version} cannot be checked here; use {described.api_version}, which can",
        )
    if not resource.existing:
        for path, what in _Walk(described, names).object(described.body, resource.body, ""):
            yield Finding(resource.where, f"{path.lstrip('.')}: {what}")


class _Walk:
    def __init__(self, described: AzureType, names: frozenset[str]) -> None:
        self._objects = described.objects
        self._names = names

    def value(self, kind: str, value: Any, path: str) -> Iterator[tuple[str, str]]:
        if kind.endswith("[]") and isinstance(value, list):
            for number, each in enumerate(value):
                yield from self.value(kind.removesuffix("[]"), each, f"{path}[{number}]")
            return
        if isinstance(value, Mapping) and (branches := _branches(value)):
            for each in branches:
                yield from self.value(kind, each, path)
            return
        described = self._objects.get(kind)
        if described is not None and isinstance(value, Mapping) and not is_computed(value):
            yield from self.object(described, value, path)
        else:
            yield from self._plain(kind, value, path)

    def _plain(self, kind: str, value: Any, path: str) -> Iterator[tuple[str, str]]:
        if isinstance(value, str):
            if " | " in kind:
                yield from self._choice(kind.split(" | "), value, path)
        elif kind in {"bool", "int", "string"} and not is_computed(value) and not _fits(kind, value):
            yield path, f"must be {kind}, and is {value!r}"

    def _choice(self, options: list[str], value: str, path: str) -> Iterator[tuple[str, str]]:
        if "string" not in options and value not in options and value not in self._names and "$" not in value:
            yield path, f"{value!r} is none of {', '.join(options)}"

    def object(self, described: Mapping[str, Any], value: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
        """The findings in an object; of one that may have several shapes, those of the shape that it says it has."""
        shapes = [_joined(described, each) for each in described.get("elements", ())]
        name, by_word = _told_apart(shapes)
        word = value.get(name)
        if isinstance(word, str) and word in by_word:
            yield from self._shape(by_word[word], value, path)
        elif isinstance(word, str) and word not in self._names and "$" not in word:
            yield f"{path}.{name}", f"{word!r} is none of {', '.join(sorted(by_word))}"
        else:
            found = [list(self._shape(each, value, path)) for each in shapes or [dict(described)]]
            yield from min(found, key=len)

    def _shape(self, described: Mapping[str, Any], value: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
        properties = described.get("properties", {})
        given = {name.strip("'"): each for name, each in value.items()}
        for name, each in given.items():
            here = f"{path}.{name}"
            if name in described.get("read_only", ()):
                yield here, "is read-only; leave it out"
            elif name in properties:
                yield from self.value(properties[name], each, here)
            elif not described.get("additional"):
                yield here, f"there is no such property; there are {', '.join(sorted(properties))}"
        for name in described.get("required", ()):
            if name not in given:
                yield f"{path}.{name}", "is required; add it"


def _branches(value: Mapping[str, Any]) -> list[Any]:
    """What ``condition ? one : other`` may be; ``null`` there leaves the property out."""
    operator = value.get("operator")
    if not isinstance(operator, Mapping) or operator.get("type") != "conditional":
        return []
    return [
        each for each in (operator["operands"]["true_value"], operator["operands"]["false_value"]) if each is not None
    ]


def _joined(described: Mapping[str, Any], shape: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **shape,
        "properties": {**described.get("properties", {}), **shape.get("properties", {})},
        "required": [*described.get("required", ()), *shape.get("required", ())],
        "read_only": [*described.get("read_only", ()), *shape.get("read_only", ())],
    }


def _told_apart(shapes: list[dict[str, Any]]) -> tuple[str, dict[str, dict[str, Any]]]:
    """The property whose one word says which shape it is, and the shapes by that word."""
    for name in shapes[0]["required"] if shapes else ():
        by_word = {each["properties"].get(name): each for each in shapes}
        if len(by_word) == len(shapes) and all(isinstance(word, str) for word in by_word):
            return name, by_word
    return "", {}


def _fits(kind: str, value: Any) -> bool:
    match kind:
        case "bool":
            return isinstance(value, bool)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case _:
            # A text is a str, and was looked at before; None is the null of Bicep.
            return value is None
