"""The steps of a retraining as a user of Dagster or Prefect writes them; both sides import this file as it is.

Read from the hub, train with the pipeline's own program, judge on the hold-out, deliver the model's file to a registry.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from azure.storage.blob import ContainerClient

PREFIX, HOLDOUT = "landing/", "holdout/holdout.csv"
FLOOR = 0.2
AT_ONCE = 8
EMPTY = b"{}"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def listing() -> dict[str, str]:
    """The files on the hub, each with its ETag."""
    with _container() as container:
        return {blob.name: blob.etag for blob in container.list_blobs(PREFIX) if blob.name.endswith(".csv")}


def digest_of(files: dict[str, str]) -> str:
    """What stands for these files in this version."""
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def retrain(files: dict[str, str], version: str) -> dict[str, float]:
    """Train on the files, judge, and deliver under the version as tag; the metrics. Raises when anything fails."""
    with tempfile.TemporaryDirectory(prefix="retrain-") as folder:
        work = Path(folder)
        for name in ("data", "model", "evaluation"):
            (work / name).mkdir()
        _download(list(files), work / "data")
        _program("train.py", "--data", work / "data", "--model", work / "model", *os.environ["PARAMETERS"].split())
        holdout = work / "holdout.csv"
        _program("evaluate.py", "--model", work / "model", "--holdout", holdout, "--out", work / "evaluation")
        metrics: dict[str, float] = json.loads((work / "evaluation/metrics.json").read_text(encoding="utf-8"))
        if metrics["log_loss"] > FLOOR:
            raise ValueError(f"log_loss {metrics['log_loss']:.3f} is above {FLOOR}: the model is not delivered")
        deliver((work / "model/model.skops").read_bytes(), version[:12])
    return metrics


def _container() -> ContainerClient:
    return ContainerClient.from_connection_string(
        os.environ["HUB_CONNECTION"], os.environ["HUB_CONTAINER"], api_version="2019-07-07"
    )


def _download(names: list[str], folder: Path) -> None:
    with _container() as container, ThreadPoolExecutor(AT_ONCE) as pool:

        def fetch(name: str, file: Path) -> None:
            file.write_bytes(container.download_blob(name).readall())

        list(pool.map(lambda name: fetch(name, folder / Path(name).name), names))
        fetch(HOLDOUT, folder.parent / "holdout.csv")


def _program(name: str, *arguments: str | Path) -> None:
    code = Path(os.environ["TRAINING"])
    environment = os.environ | {"PYTHONPATH": str(code.parent / "common"), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, name, *arguments], cwd=code, env=environment, check=True)


def deliver(model: bytes, tag: str, *, media_type: str = "application/octet-stream") -> None:
    """Push the model as an OCI artifact of one layer."""
    registry = f"{os.environ['REGISTRY']}/v2/{os.environ['REPOSITORY']}"
    with requests.Session() as session:
        session.auth = (os.environ["REGISTRY_USERNAME"], os.environ["REGISTRY_PASSWORD"])
        for content in (model, EMPTY):
            opened = session.post(f"{registry}/blobs/uploads/", timeout=60)
            opened.raise_for_status()
            address = requests.compat.urljoin(registry, opened.headers["Location"])
            done = session.put(address, params={"digest": _digest(content)}, data=content, timeout=600)
            done.raise_for_status()
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": "application/vnd.example.model",
            "config": _descriptor("application/vnd.oci.empty.v1+json", EMPTY),
            "layers": [_descriptor(media_type, model)],
        }
        headers = {"Content-Type": MANIFEST}
        body = json.dumps(manifest).encode()
        session.put(f"{registry}/manifests/{tag}", data=body, headers=headers, timeout=60).raise_for_status()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _descriptor(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}
