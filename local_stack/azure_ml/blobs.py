"""The blob sub-protocol that the SDK's vendored storage client speaks for uploads, and plain GETs for downloads.

Files are streamed to disk. A URL's signature authorises it: blob requests carry no bearer.
"""

import asyncio
import base64
import hashlib
import hmac
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree as ET

from aiohttp import web

from local_stack.azure_ml.answers import ServiceError
from local_stack.azure_ml.workspace import Workspace

_PIECE = 1 << 18
_READ, _WRITE = "r", "rcw"
_UNCOMMITTED_SECONDS = 7 * 86400  # as long as the real service keeps blocks that nobody committed


def upload_url(workspace: Workspace, path: str) -> str:
    """A writable URL. The fake account stands in the user part: the SDK rebuilds the host from its first two dots."""
    return f"https://emu.blob.local@{urlsplit(workspace.url).netloc}{_signed(workspace, path, _WRITE)}"


def download_url(workspace: Workspace, path: str) -> str:
    """A readable URL."""
    return f"{workspace.url}{_signed(workspace, path, _READ)}"


def file_of(workspace: Workspace, path: str) -> Path:
    """Where the blob lies on disk: named by its digest, so that no path can leave the folder."""
    return workspace.blobs / hashlib.sha256(path.encode()).hexdigest()


def routes(workspace: Workspace) -> list[web.RouteDef]:
    """Put (whole or by blocks), head, get."""
    workspace.blobs.mkdir(exist_ok=True)
    _sweep(workspace.blobs)

    def target(request: web.Request) -> Path:
        path, granted = request.match_info["path"], request.query.get("sp", "")
        if not hmac.compare_digest(request.query.get("sig", ""), _signature(workspace, path, granted)):
            raise ServiceError(403, "AuthenticationFailed", "the signature does not fit the path")
        if request.method == "PUT" and granted != _WRITE:
            raise ServiceError(403, "AuthorizationPermissionMismatch", "this URL is for reading")
        return file_of(workspace, path)

    async def put(request: web.Request) -> web.Response:
        return await _put(request, target(request))

    async def get(request: web.Request) -> web.StreamResponse:
        file = target(request)
        if not file.exists():
            raise ServiceError(404, "BlobNotFound", "The specified blob does not exist.")
        headers = _headers(file) | {"Content-MD5": await asyncio.to_thread(_md5, file)}
        if request.method == "HEAD":
            return web.Response(headers=headers | {"Content-Length": str(file.stat().st_size)})
        return web.FileResponse(file, headers=headers)

    return [web.put("/blobs/{path:.+}", put), web.get("/blobs/{path:.+}", get)]


async def _put(request: web.Request, file: Path) -> web.Response:
    part = request.query.get("comp")
    if part == "block":
        await _receive(request, _block(file, request.query["blockid"]))
        return web.Response(status=201)
    if part != "blocklist" and (part or request.headers.get("x-ms-blob-type") != "BlockBlob"):
        raise ServiceError(400, "UnsupportedHeader", "only block blobs are served here")  # a 5xx would be retried
    if request.headers.get("If-None-Match") == "*" and file.exists():  # noqa: ASYNC240 - one stat of a local file
        raise ServiceError(409, "BlobAlreadyExists", "The specified blob already exists.")
    if part == "blocklist":
        blocks = _listed(file, await request.read())
        await asyncio.to_thread(_assemble, file, blocks)
    else:
        await _receive(request, file)
    return web.Response(status=201, headers=_headers(file))


def _signed(workspace: Workspace, path: str, granted: str) -> str:
    return f"/blobs/{quote(path)}?sv=2021-08-06&sr=b&sp={granted}&sig={_signature(workspace, path, granted)}"


def _signature(workspace: Workspace, path: str, granted: str) -> str:
    text = f"blob\n{granted}\n{path}"
    return hmac.new(workspace.identity["signing_key"].encode(), text.encode(), hashlib.sha256).hexdigest()


async def _receive(request: web.Request, file: Path) -> None:
    with _replacing(file) as partial, partial.open("wb") as stream:
        async for piece in request.content.iter_chunked(_PIECE):
            stream.write(piece)


@contextmanager
def _replacing(file: Path) -> Iterator[Path]:
    """A path to write to, which becomes ``file`` when all went well and is gone when it did not."""
    partial = file.with_name(f"{file.name}.{uuid.uuid4().hex}.partial")
    try:
        yield partial
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def _block(file: Path, block_id: str) -> Path:
    return file.with_name(f"{file.name}.{hashlib.sha256(block_id.encode()).hexdigest()[:24]}.block")


def _listed(file: Path, body: bytes) -> list[Path]:
    """The blocks that a block list names, in its order; each must have been uploaded."""
    try:
        # Our own client wrote this XML on loopback and the signature was checked; it holds block ids only.
        names = [element.text or "" for element in ET.fromstring(body)]  # noqa: S314
    except ET.ParseError:
        raise ServiceError(400, "InvalidXmlDocument", "the block list is not XML") from None
    blocks = [_block(file, name) for name in names]
    if not all(block.exists() for block in blocks):
        raise ServiceError(400, "InvalidBlockList", "the block list names a block that was not uploaded")
    return blocks


def _assemble(file: Path, blocks: list[Path]) -> None:
    with _replacing(file) as partial, partial.open("wb") as stream:
        for block in blocks:
            with block.open("rb") as source:
                shutil.copyfileobj(source, stream, _PIECE)
    for block in blocks:
        block.unlink(missing_ok=True)


def _sweep(folder: Path) -> None:
    """Remove what uploads left that never came to their end."""
    oldest = time.time() - _UNCOMMITTED_SECONDS
    for path in [*folder.glob("*.partial"), *(p for p in folder.glob("*.block") if p.stat().st_mtime < oldest)]:
        path.unlink()


def _headers(file: Path) -> dict[str, str]:
    found = file.stat()
    return {
        "ETag": f'"{found.st_mtime_ns:x}"',
        "Last-Modified": formatdate(found.st_mtime, usegmt=True),
        "x-ms-blob-type": "BlockBlob",
        "x-ms-version": "2021-08-06",
        "x-ms-request-id": str(uuid.uuid4()),
    }


def _md5(file: Path) -> str:
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).digest()
    return base64.b64encode(digest).decode()
