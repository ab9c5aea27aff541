"""ARM templates of the hub, ``infra/hub/*.json``: API versions that a hub knows, and expressions that lead somewhere.

A hub refuses what is newer than its profile 2020-09-01-hybrid:
https://learn.microsoft.com/azure-stack/user/azure-stack-profiles-azure-resource-manager-versions
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from infra.checks.findings import Finding

NEWEST: Mapping[str, str] = {
    "Microsoft.Compute": "2020-06-01",
    "Microsoft.Compute/disks": "2019-07-01",
    "Microsoft.KeyVault": "2019-09-01",
    "Microsoft.Network": "2018-11-01",
    "Microsoft.Resources": "2020-06-01",
    "Microsoft.Storage": "2019-06-01",
}
"""By provider, or type where it differs: the version of the profile."""

_TEMPLATE = re.compile(r"/deploymentTemplate\.json#?$")
_CALL = re.compile(r"(parameters|variables)\(\s*'(\w+)'\s*\)", re.IGNORECASE)
_SECRET = re.compile(r"(password|secret|privateKey|accountKey|token)$", re.IGNORECASE)
_GIVES_KEYS = re.compile(r"\blist(Keys|AccountSas|ServiceSas|Credentials)\s*\(", re.IGNORECASE)


def check(path: Path, name: str) -> Iterator[Finding]:
    """``name``: of the file, for findings. What is no template is left alone, unless it cannot be read."""
    try:
        template = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        yield Finding(name, f"is no JSON: {error}")
        return
    if not isinstance(template, dict) or not _TEMPLATE.search(str(template.get("$schema", ""))):
        return
    for resource in _resources(template.get("resources", [])):
        yield from _version(resource, name)
    yield from _expressions(template, name)
    yield from _secrets(template, name)


def is_template(path: Path) -> bool:
    """Whether a JSON file is an ARM template."""
    return bool(re.search(r"/deploymentTemplate\.json#?\"", path.read_text(encoding="utf-8")))


def _resources(rows: Any) -> Iterator[Mapping[str, Any]]:
    for each in rows if isinstance(rows, list) else []:
        yield each
        yield from _resources(each.get("resources", []))


def _version(resource: Mapping[str, Any], name: str) -> Iterator[Finding]:
    kind, version = str(resource.get("type", "")), str(resource.get("apiVersion", ""))
    where = f"{name}: {resource.get('name', kind)}"
    newest = NEWEST.get(kind) or NEWEST.get(kind.partition("/")[0])
    if newest is None:
        yield Finding(where, f"a hub knows no {kind}, as far as {__name__} tells; take another, or add it there")
    elif version != newest:
        yield Finding(where, f"{kind}@{version or 'without version'}: a hub's profile has {newest}; use that")


def _expressions(template: Mapping[str, Any], name: str) -> Iterator[Finding]:
    there = {part: set(template.get(part, {})) for part in ("parameters", "variables")}
    text = json.dumps({key: value for key, value in template.items() if key != "parameters"})
    text += json.dumps([each.get("defaultValue") for each in template.get("parameters", {}).values()])
    used: dict[str, set[str]] = {"parameters": set(), "variables": set()}
    for part, key in _CALL.findall(text):
        used[part.lower()].add(key)
    for part in ("parameters", "variables"):
        for key in sorted(used[part] - there[part]):
            yield Finding(name, f"{part}('{key}') is used and not there; add it")
        for key in sorted(there[part] - used[part]):
            yield Finding(name, f"nothing uses {part}('{key}'); remove it")


def _secrets(template: Mapping[str, Any], name: str) -> Iterator[Finding]:
    for key, each in template.get("parameters", {}).items():
        kind = str(each.get("type", "")).lower()
        if _SECRET.search(key) and not kind.startswith("secure"):
            yield Finding(name, f"the parameter {key} is a secret; make it a securestring")
        if kind.startswith("secure") and each.get("defaultValue"):
            yield Finding(name, f"the parameter {key} has a secret as its default; remove it")
    if _GIVES_KEYS.search(json.dumps(template.get("outputs", {}))):
        yield Finding(name, "an output has a key in it; whoever may read deployments reads it: remove it")
