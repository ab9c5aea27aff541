"""``python -m infra.checks.describe``: write what is missing in ``types/``, from PyPI's ``msmcp-azure`` (Microsoft).

Its program carries the descriptions of the types, asks no network, takes a second or more for each, and answers with
the newest version that it knows. With ``--all`` every description is written anew. What our files cannot use (what is
read-only, descriptions, functions) is left out.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from infra.checks.azure_types import FOLDER, OWN, file_of
from infra.checks.bicep import BicepFile, parse
from infra.checks.tools import ROOT, Tool

_SECONDS = 120.0
_SHAPES = {"Object", "DiscriminatedObject"}


def compact(name: str, items: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What the program says of a type, in the form of ``infra.checks.azure_types``."""
    rows = list(items)
    resource = next(each for each in rows if each["$type"] == "Resource")
    objects = {each["name"]: _shape(each) for each in rows if each["$type"] in _SHAPES}
    body = _shape(resource["bodyType"])
    return {
        "type": name,
        "api_version": resource["name"].partition("@")[2],
        "body": body,
        "objects": {key: objects[key] for key in sorted(_reached(body, objects))},
    }


def written(found: Mapping[str, Any]) -> str:
    """As text, with a line for each object: what changes between versions is seen."""
    objects = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in found["objects"].items())
    head = "".join(f" {json.dumps(key)}: {json.dumps(found[key])},\n" for key in ("type", "api_version", "body"))
    return f'{{\n{head} "objects": {{\n{objects}\n }}\n}}\n'


def _shape(raw: Mapping[str, Any]) -> dict[str, Any]:
    properties = [*raw.get("properties", []), *raw.get("baseProperties", [])]
    shape: dict[str, Any] = {
        "properties": {each["name"]: each["type"] for each in properties if "ReadOnly" not in each.get("flags", "")},
        "required": [each["name"] for each in properties if "Required" in each.get("flags", "")],
        "read_only": [each["name"] for each in properties if "ReadOnly" in each.get("flags", "")],
    }
    if raw.get("additionalPropertiesType"):
        shape["additional"] = raw["additionalPropertiesType"]
    elements = raw.get("elements", [])
    if elements:
        shape["elements"] = [_shape(each) for each in (elements.values() if isinstance(elements, dict) else elements)]
    return {key: value for key, value in shape.items() if value}


def _reached(body: Mapping[str, Any], objects: Mapping[str, Mapping[str, Any]]) -> set[str]:
    found: set[str] = set()
    ahead = [body]
    while ahead:
        for kind in _kinds(ahead.pop()):
            if kind in objects and kind not in found:
                found.add(kind)
                ahead.append(objects[kind])
    return found


def _kinds(shape: Mapping[str, Any]) -> Iterator[str]:
    for kind in shape.get("properties", {}).values():
        yield kind.removesuffix("[]")
    if isinstance(shape.get("additional"), str):
        yield shape["additional"].removesuffix("[]")
    for each in shape.get("elements", ()):
        yield from _kinds(each)


def ask(program: Path, name: str) -> list[Mapping[str, Any]] | None:
    """The program's description of a type; None: it has none."""
    answer = subprocess.run(
        [str(program), "bicepschema", "get", "--resource-type", name],
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
        env={**os.environ, "AZURE_MCP_COLLECT_TELEMETRY": "false"},
    )
    try:
        reply = json.loads(answer.stdout)
        found = reply["results"]["BicepSchemaResult"] if reply["status"] == 200 else None
    except (ValueError, KeyError, TypeError) as error:
        raise RuntimeError(f"azmcp answered what is no description of {name}: {answer.stderr[:300]}") from error
    return found if isinstance(found, list) else None


def main() -> int:
    """Describe every type that a Bicep file uses."""
    program = Tool("azmcp").program()
    infra = ROOT / "infra"
    files = [parse(path, path.name) for path in sorted(infra.rglob("*.bicep"))]
    used = {each.type for file in files if isinstance(file, BicepFile) for each in file.resources}
    for old in FOLDER.glob("*.json"):
        if "--all" in sys.argv[1:] or old.name not in {file_of(name) for name in used}:
            old.unlink()
    for name in sorted(used):
        if (OWN / file_of(name)).exists() or (FOLDER / file_of(name)).exists():
            continue
        found = ask(program, name)
        if found is None:
            print(f"{name}: the program has no description; write one into {OWN}")
            continue
        (FOLDER / file_of(name)).write_text(written(compact(name, found)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
