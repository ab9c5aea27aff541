"""The app's services over memory, and requests as the worker hands them to a function."""

import asyncio
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure.functions as func

from function_app.api.handlers import call, respond
from function_app.api.operations import OPERATIONS
from function_app.composition import Services
from shared.access_settings import AccessSettings
from shared.clients.ledger import Ledger
from shared.errors import Code, PermanentError
from shared.formats.manifest import BlobEntry
from shared.pipelines import Pipeline, Pipelines
from shared.settings import Retention
from shared.training_code.job_trees import JobTree
from tests.support.jobs import a_job_tree
from tests.support.memory_tables import memory_ledger
from tests.support.training import MemoryRegistry

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"


class MemoryHub:
    """A site's storage: its blobs, and the blobs that manifests list. ``trouble``: what it raises when asked."""

    def __init__(self) -> None:
        self.blobs: dict[str, BlobEntry] = {}
        self.manifests: dict[str, dict[str, BlobEntry]] = {}
        self.read: list[str] = []
        self.trouble: Exception | None = None

    def hub(self, site: str) -> "MemoryHub":
        return self

    def blob(self, pipeline: Pipeline, name: str) -> BlobEntry | None:
        if self.trouble is not None:
            raise self.trouble
        return self.blobs.get(name)

    def entries_of(self, manifest: str) -> Iterator[BlobEntry]:
        if self.trouble is not None:
            raise self.trouble
        if manifest not in self.manifests:
            raise ValueError("not a whole manifest")
        found = self.manifests[manifest]
        return iter([found[name] for name in sorted(found)])

    def find_in_manifest(self, manifest: str, blob: str) -> BlobEntry | None:
        self.read.append(manifest)
        return self.manifests.get(manifest, {}).get(blob)


class DeployedJobs:
    """The code of every pipeline; a test deploys another, or None for one that cannot be read."""

    def __init__(self) -> None:
        self.tree: JobTree | None = a_job_tree()

    def read(self, folder: str) -> JobTree:
        if self.tree is None:
            raise PermanentError(f"training/{folder}/job.py is missing", code=Code.BAD_PIPELINE)
        return self.tree


class MemoryServices(Services):
    """Services that need no settings: the repository's pipelines, a ledger and a hub in memory."""

    def __init__(self, folder: Path = PIPELINES) -> None:
        self.hub = MemoryHub()
        self.__dict__["pipelines"] = _the_repositorys() if folder == PIPELINES else Pipelines(folder)
        self.__dict__["ledger"] = memory_ledger()
        self.__dict__["hubs"] = self.hub
        self.__dict__["settings"] = SimpleNamespace(retention=Retention())
        self.__dict__["access"] = AccessSettings()
        self.__dict__["job_folders"] = self.deployed = DeployedJobs()
        self.__dict__["model_registry"] = self.registry = MemoryRegistry()

    ledger: Ledger
    pipelines: Pipelines


@cache
def _the_repositorys() -> Pipelines:
    """Read once: nobody changes them, and parsing them takes longer than most tests."""
    return Pipelines(PIPELINES)


def a_request(
    method: str = "GET", *, body: Any = b"", headers: dict[str, str] | None = None, path: str = "", **params: str
) -> func.HttpRequest:
    """A request; ``path`` is the value of the route's one parameter, ``params`` are those of the address.

    A path ``target/pipeline`` gives both.
    """
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return func.HttpRequest(
        method=method,
        url="http://127.0.0.1/api",
        headers=headers or {},
        params=params,
        route_params={
            **dict.fromkeys(("run_id", "action_id", "model"), path),
            "target": path.partition("/")[0],
            "name": path.rpartition("/")[2],
        },
        body=content,
    )


_BY_NAME = {known.name: known for known in OPERATIONS}


def answer_of(name: str, request: func.HttpRequest, services: Services, client: Any = None) -> Any:
    """The model with which an operation answers a request; raises what the host would show as a problem."""
    return asyncio.run(call(_BY_NAME[name], request, services, client))


def response_to(name: str, request: func.HttpRequest, services: Services, client: Any = None) -> func.HttpResponse:
    """The answer as the host gets it."""
    return asyncio.run(respond(_BY_NAME[name], request, services, client))


def text_of(answer: func.HttpResponse) -> dict[str, Any]:
    """What an answer says."""
    said: dict[str, Any] = json.loads(answer.get_body())
    return said
