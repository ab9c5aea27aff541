"""The site's policy on the VM: what its owner allows, here all that the pipelines of a folder ask for.

A policy that somebody wrote by hand is left alone.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from local_stack.files import write_private

FILE: Final = "edgetrain/policy.yaml"
"""Below the home of the VM's user."""

_WRITTEN_BY_US: Final = "# Written by the local stack for the pipelines that it knows; edit it, and it is left alone.\n"


def write_policy(home: Path, registry: str, pipelines: Path) -> None:
    """Allow the pipelines of a folder, with images of one registry, unless the file was written by hand."""
    file = home / FILE
    if file.exists() and not file.read_text(encoding="utf-8").startswith(_WRITTEN_BY_US):
        return
    write_private(file, _WRITTEN_BY_US + policy_text(registry, dict(_sections(pipelines))))


def policy_text(registry: str, sections: Mapping[str, Mapping[str, Any]]) -> str:
    """The policy as YAML. ``sections``: pipeline -> the section ``data`` of its file."""
    return yaml.safe_dump(
        {
            "registries": [registry],
            "pipelines": {name: _rule(data) for name, data in sorted(sections.items())},
            "limits": {"memory": "4g", "cpus": 4, "disk": "10g", "cache": "2g"},
            "keep_runs": 3,
        },
        sort_keys=False,
    )


def _rule(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "site": data["site"],
        "containers": [data["container"]],
        "prefixes": sorted({str(data.get("prefix", "")), str(data["holdout"])}),
    }


def _sections(pipelines: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The pipelines that can be read; the app says what is wrong with the others."""
    for path in sorted(pipelines.glob("*.yaml")):
        try:
            data = yaml.safe_load(path.read_text(encoding="utf-8"))["data"]
            _rule(data)
        except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
            continue
        yield path.stem, data
