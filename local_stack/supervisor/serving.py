"""The addresses where pipelines are served, as lines of text; only of pipelines that have a file."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from local_stack.processes.client import REPOSITORY


def pipeline_files(root: Path = REPOSITORY) -> list[str]:
    """The names of the files in ``pipelines/`` that are, or are meant to be, a pipeline."""
    return sorted(path.stem for path in (root / "pipelines").glob("*.yaml"))


def addresses(endpoints: Mapping[str, Any], names: Collection[str]) -> Iterator[str]:
    """A line for each pipeline that has a place on the VM. What is removed is promised nothing."""
    for name, url in sorted(endpoints.get("serving", {}).items()):
        if name in names:
            yield f"{name} is served at {url} once its first run is promoted"
        else:
            yield f"{name} has no file in pipelines/ any more: no new model will be served at {url}"
