"""Modules get what they ask for, and give what is asked of them; parameters, outputs and the script agree."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from infra.checks.bicep import BicepFile, Module
from infra.checks.findings import Finding
from infra.checks.source import without_texts

ROOTS = ("main.bicep", "after-code.bicep")
"""What is deployed by itself."""

OF_AZD = frozenset({"AZURE_ENV_NAME", "AZURE_LOCATION"})
"""Variables that azd sets besides the outputs of main.bicep."""

_OUTPUT = re.compile(r"(?<![\w.])(\w+)\.outputs\.(\w+)")
_VARIABLE = re.compile(r"\$\{?([A-Z][A-Z0-9_]+)")
_ARGUMENT = re.compile(r"(\w+)=\"\$")


def check(files: Mapping[str, BicepFile]) -> Iterator[Finding]:
    """``files``: by their names below ``infra/``."""
    asked: set[tuple[str, str]] = set()
    for file in files.values():
        modules = {module.name: module for module in file.modules}
        for module in file.modules:
            yield from _arguments(module, files.get(module.path))
        for source, name in sorted(set(_OUTPUT.findall(without_texts(file.source)))):
            path = modules[source].path if source in modules else ""
            asked.add((path, name))
            if path not in files:
                yield Finding(file.name, f"{source}.outputs.{name}: {source} is no module here")
            elif name not in files[path].outputs:
                yield Finding(file.name, f"{source}.outputs.{name}: {path} has no such output")
    used = {module.path for file in files.values() for module in file.modules}
    for path, file in sorted(files.items()):
        if path in ROOTS:
            continue
        if path not in used:
            yield Finding(path, "is used by nothing; delete it, or use it in main.bicep")
        for name in sorted(file.outputs - {given for asker, given in asked if asker == path}):
            yield Finding(path, f"nobody asks for its output {name}; remove it")


def check_parameters(main: BicepFile, path: Path) -> Iterator[Finding]:
    """``path``: the file with values of the parameters of ``main``."""
    text = path.read_text(encoding="utf-8")
    given = json.loads(text)["parameters"]
    for name in sorted(set(given) - main.parameters):
        yield Finding(path.name, f"{name} is no parameter of {main.name}; remove it")
    for name in sorted(main.required - set(given)):
        yield Finding(path.name, f"{name} has no value and no default; add it")


def check_script(script: Path, main: BicepFile, deployed: BicepFile) -> Iterator[Finding]:
    """``script``: deploys ``deployed`` with the outputs of ``main`` in its environment."""
    text = script.read_text(encoding="utf-8")
    for name in sorted(set(_VARIABLE.findall(text)) - main.outputs - OF_AZD):
        yield Finding(script.name, f"${name} is no output of {main.name}; add it there")
    arguments = set(_ARGUMENT.findall(text))
    for name in sorted(arguments - deployed.parameters):
        yield Finding(script.name, f"{name} is no parameter of {deployed.name}; remove it")
    for name in sorted(deployed.required - arguments):
        yield Finding(script.name, f"{deployed.name} needs the parameter {name}; give it")


def _arguments(module: Module, file: BicepFile | None) -> Iterator[Finding]:
    where = f"{module.file}: {module.name}"
    if file is None:
        yield Finding(where, f"there is no {module.path}")
        return
    for name in sorted(set(module.arguments) - file.parameters):
        yield Finding(where, f"{module.path} has no parameter {name}; it has {', '.join(sorted(file.parameters))}")
    for name in sorted(file.required - set(module.arguments)):
        yield Finding(where, f"{module.path} needs the parameter {name}; give it")
