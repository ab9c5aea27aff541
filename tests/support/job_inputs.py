"""A hub with data, as a data owner and the app leave it, and what the job on the VM needs to fetch them."""

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient
from pydantic import SecretStr

from shared.clients.hub_storage import HubStorage
from shared.formats.manifest import CONTAINER as MANIFESTS
from shared.messages import Snapshot
from shared.settings import HUB_API_VERSION, Site
from site_agent.job.cache import Cache
from site_agent.job.inputs import Inputs, fetch_inputs
from tests.support.arrivals import a_pipeline
from tests.support.job_orders import a_policy, parsed_order

HOLDOUT = "holdout/holdout.csv"
PREFIX = "landing/"
COLUMNS: dict[str, Any] = {"age": {"kind": "integer", "least": 0, "most": 150}}
"""Of a table with one column."""

GOOD = b"age\n42\n43\n"


@dataclass
class JobHub:
    """One container of a hub. ``owner``: the data owner's connection string; ``vm``: the VM's, which may only read."""

    owner: str
    vm: str
    container: str
    home: Path
    said: list[str] = field(default_factory=list)
    """What the job wrote to its log."""

    def create(self) -> None:
        """Make the container, with a hold-out, and give the VM its credentials."""
        with self._service() as service:
            service.create_container(self.container)
        self.put({HOLDOUT: GOOD})
        self.give_credentials(self.vm)

    def give_credentials(self, connection_string: str, *, mode: int = 0o600) -> None:
        """Write the file of the site on the VM."""
        path = self.sites / "factory.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"connection_string": connection_string, "api_version": HUB_API_VERSION}))
        path.chmod(mode)

    @property
    def sites(self) -> Path:
        """The VM's folder with a file for each site."""
        return self.home / "sites"

    def put(self, blobs: Mapping[str, bytes]) -> None:
        """Upload blobs under these names, several side by side."""
        with self._service() as service, ThreadPoolExecutor(8) as pool:
            container = service.get_container_client(self.container)
            list(pool.map(lambda item: container.upload_blob(item[0], item[1], overwrite=True), blobs.items()))

    def names(self) -> list[str]:
        """The names of all blobs."""
        with self._service() as service:
            return list(service.get_container_client(self.container).list_blob_names())

    def delete(self, name: str) -> None:
        """Delete a blob."""
        with self._service() as service:
            service.get_blob_client(self.container, name).delete_blob()

    def keep_manifest(self, manifest: object) -> str:
        """Write a manifest that the app would not write; returns its name."""
        text = json.dumps(manifest).encode()
        name = f"breast-cancer/{hashlib.sha256(text).hexdigest()}.json"
        with self._service() as service:
            with suppress(ResourceExistsError):
                service.create_container(MANIFESTS)
            service.get_blob_client(MANIFESTS, name).upload_blob(text, overwrite=True)
        return name

    def snapshot(self) -> Snapshot:
        """The snapshot that the app takes now."""
        pipeline = a_pipeline(container=self.container, prefix=PREFIX, holdout=HOLDOUT, pattern="*")
        with closing(HubStorage("factory", Site(connection_string=SecretStr(self.owner)))) as hub:
            return hub.take_snapshot(pipeline)

    def fetch(self, into: Path, snapshot: Snapshot | str, *, cache: Cache | None = None, **order: Any) -> Inputs:
        """What the job does. ``snapshot``: or the name of a manifest; ``order`` changes fields of the order."""
        manifest = snapshot if isinstance(snapshot, str) else snapshot.manifest
        data = {"format": "files", "columns": {}, "on_bad_file": "fail"}
        fields = {"container": self.container, "manifest_container": MANIFESTS, "manifest": manifest, "data": data}
        policy = f"""
registries: [registry.example]
pipelines:
  breast-cancer: {{site: factory, containers: [{self.container}], prefixes: [{PREFIX}, holdout/]}}
"""
        return fetch_inputs(
            parsed_order(**(fields | order)),
            a_policy(policy),
            sites=self.sites,
            cache=cache or Cache(self.home / "cache", 1 << 30),
            into=into,
            say=self.said.append,
        )

    def _service(self) -> BlobServiceClient:
        return BlobServiceClient.from_connection_string(self.owner, api_version=HUB_API_VERSION)


def a_csv_contract(**changes: Any) -> dict[str, Any]:
    """The order's ``data`` for tables with the column of :data:`COLUMNS`."""
    return {"format": "csv", "columns": COLUMNS, "on_bad_file": "fail"} | changes
