"""The registry as whoever waits for a model sees it: which models arrived, when, and on how many rows."""

import importlib
import io
import sys
import tarfile
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import requests

ROOT: Final = Path(__file__).resolve().parents[2]
_FILE: Final = "model.skops"
_ACCEPT: Final = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"


class Models:
    """The models of one repository."""

    def __init__(self, registry: Mapping[str, str], repository: str) -> None:
        self._url = f"{registry['url']}/v2/{repository}"
        self._session = requests.Session()
        self._session.auth = (registry["username"], registry["password"])

    def tags(self) -> set[str]:
        """Of models; what is attached to one (signatures, documents) has a tag that is a digest."""
        answer = self._session.get(f"{self._url}/tags/list", timeout=30)
        if answer.status_code == 404:
            return set()
        answer.raise_for_status()
        return {tag for tag in answer.json()["tags"] or [] if not tag.startswith("sha256-")}

    def wait_for_new(self, known: set[str], seconds: float) -> tuple[str, float] | None:
        """The next model and when it was there, by the wall clock; None when none comes in time."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            if new := self.tags() - known:
                return min(new), time.time()
            time.sleep(0.2)
        return None

    def file(self, tag: str) -> bytes:
        """The model's file, whether it is a layer itself or lies in one."""
        manifest = self._get(f"manifests/{tag}", Accept=_ACCEPT).json()
        for layer in reversed(manifest["layers"]):
            content = self._get(f"blobs/{layer['digest']}").content
            if "tar" not in layer["mediaType"]:
                return content
            with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                for member in archive:
                    if Path(member.name).name == _FILE and (file := archive.extractfile(member)) is not None:
                        return file.read()
        raise AssertionError(f"there is no {_FILE} in {tag}")

    def close(self) -> None:
        """Give the connections back."""
        self._session.close()

    def _get(self, path: str, **headers: str) -> requests.Response:
        answer = self._session.get(f"{self._url}/{path}", headers=headers, timeout=120)
        answer.raise_for_status()
        return answer


def rows_trained_on(model: bytes) -> int:
    """How many rows the scaler has seen; the model itself says so."""
    loader = model_files()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / _FILE).write_bytes(model)
        return int(loader.load(Path(folder)).steps[0][1].n_samples_seen_)


def model_files() -> Any:
    """The module by which trainings of this project write and read models."""
    common = str(ROOT / "training" / "common")
    if common not in sys.path:
        sys.path.append(common)
    return importlib.import_module("model_files")
