"""Small real images for roll-out tests: this machine's Python in a root file system, and a scoring server of 30 lines.

They are pushed to a registry by HTTP. What a candidate does is told by the ``model.json`` in its second layer.
"""

import gzip
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import requests

_SERVER = """
import http.server, json, os, signal, sys, time

model = json.load(open("/var/azureml-app/model/model.json"))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
if model.get("dies"):
    time.sleep(0.2)
    sys.exit("init() failed: " + model["dies"])
if model.get("eats"):
    eaten = b"x" * 1_000_000_000


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(503 if model.get("unhealthy") else 200, "Healthy")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if len(body) > 10_000_000:
            os._exit(137)
        request = json.loads(body)
        time.sleep(model.get("seconds", 0))
        if sum(request["data"]) > model.get("most", 1e300):
            return self.answer(500, {"error": "too much"})
        self.answer(model.get("status", 200), {"version": model["version"], "sum": sum(request["data"])})

    def log_message(self, *arguments):
        pass


class Server(http.server.HTTPServer if model.get("one_at_a_time") else http.server.ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, *arguments):
        pass  # a client that hung up; the modules to print a traceback with are not in the image


Server(("0.0.0.0", model.get("port", 5001)), Handler).serve_forever()
"""
_MODULES = (
    "sys, os, http.server, json, signal, time, encodings.utf_8, encodings.idna, encodings.ascii, encodings.latin_1"
)
_LIST = f"import {_MODULES}\nfor m in list(sys.modules.values()):\n  print(getattr(m, '__file__', None) or '')"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True)
class ImageRegistry:
    """A registry at ``address`` (host:port, plain http), and who may push and pull."""

    address: str
    username: str
    password: str

    def push(self, repository: str, *, version: int, smoke: Any = None, **behaviour: Any) -> str:
        """Push an image whose model is of that version; returns its reference by digest.

        ``behaviour``: ``dies`` (last words), ``eats`` (more memory than it gets),
        ``port`` (that it listens on), ``unhealthy``, ``status`` (of scores), ``most`` (the largest sum that it bears),
        ``seconds`` (a score takes),
        ``one_at_a_time`` (as a scoring server with one worker). A body that is too large for its memory ends it.
        ``smoke``: the sample to put into the image, ``none`` for none.
        """
        model = {"version": version, **behaviour}
        files = {"var/azureml-app/model/model.json": json.dumps(model).encode()}
        if smoke != "none":
            sample = smoke or {"request": {"data": [1, 2.5]}, "response": {"version": version, "sum": 3.5}}
            files["var/azureml-app/model/smoke.json"] = json.dumps({"tolerance": 1e-6, **sample}).encode()
        layers = [_base_layer(), _layer(files)]
        config = {
            "architecture": "amd64",
            "os": "linux",
            # As with ours, no two pipelines have the same image: removing the one would remove the other's.
            "config": {"Entrypoint": [_python(), "-I", "-S", "/serve.py"], "Labels": {"repository": repository}},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer) for layer in layers]},
        }
        blobs = [_compressed(layer) for layer in layers]
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": self._upload(repository, json.dumps(config).encode(), _CONFIG),
            "layers": [self._upload(repository, blob, _LAYER) for blob in blobs],
        }
        body = json.dumps(manifest).encode()
        reply = requests.put(
            f"http://{self.address}/v2/{repository}/manifests/v{version}",
            data=body,
            headers={"Content-Type": _MANIFEST},
            auth=(self.username, self.password),
            timeout=30,
        )
        reply.raise_for_status()
        return f"{self.address}/{repository}@{_digest(body)}"

    def _upload(self, repository: str, blob: bytes, media_type: str) -> dict[str, Any]:
        root, auth = f"http://{self.address}", (self.username, self.password)
        started = requests.post(f"{root}/v2/{repository}/blobs/uploads/", auth=auth, timeout=30)
        started.raise_for_status()
        location = root + started.headers["Location"]
        reply = requests.put(location, params={"digest": _digest(blob)}, data=blob, auth=auth, timeout=60)
        reply.raise_for_status()
        return {"mediaType": media_type, "digest": _digest(blob), "size": len(blob)}


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@cache
def _compressed(layer: bytes) -> bytes:
    return gzip.compress(layer, 1, mtime=0)


def _python() -> str:
    return str((Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}").resolve())


@cache
def _base_layer() -> bytes:
    """The interpreter, the modules the server imports, and the libraries these are linked with."""
    listed = subprocess.run([_python(), "-I", "-S", "-c", _LIST], check=True, capture_output=True, text=True).stdout
    paths = {_python(), *filter(None, listed.split("\n"))}
    binaries = [path for path in paths if path == _python() or path.endswith(".so")]
    linked = subprocess.run(["ldd", *binaries], check=True, capture_output=True, text=True).stdout
    paths |= set(re.findall(r"(/\S+) \(0x", linked))
    return _layer({path.lstrip("/"): Path(path).read_bytes() for path in paths} | {"serve.py": _SERVER.encode()})


def _layer(files: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name in sorted(files):
            member = tarfile.TarInfo(name)
            member.size = len(files[name])
            member.mode = 0o755
            archive.addfile(member, io.BytesIO(files[name]))
    return stream.getvalue()
