"""The host's storage account as clients with an identity reach it: by TLS, with a token and no key.

Azurite takes tokens (``--oauth basic``) only when it speaks nothing but TLS, which those who come with the account's
key here do not, and looks at no signature of a token. So this stands beside its door: a request whose token is one that
we issued for storage is passed on with a shared access signature instead; any other is refused.
Run as ``python -m local_stack.storage.by_token``; the account is in the environment, as Azurite has it.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import aiohttp
from aiohttp import web

from local_stack.azure_ml.tls import server_tls
from local_stack.identity.tokens import STORAGE, Issuer, RefusedTokenError, bearer
from local_stack.logs import log_to
from local_stack.storage.azurite import HOST, Account, account_in
from local_stack.storage.passing import pass_on, session

_EVERYTHING: Final = "rwdlacup"
_OF_ALL_KINDS: Final = "sco"
_SERVICES: Final = {"blob": "b", "queue": "q", "table": "t"}
_BACKEND: Final = web.AppKey("backend", str)
_SIGNATURE: Final = web.AppKey("signature", str)
_ISSUER: Final = web.AppKey("issuer", Issuer)
log = logging.getLogger("by_token")


def door(kind: str, backend_port: int, account: Account, issuer: Issuer) -> web.AppRunner:
    """The door to one of the account's services: ``kind`` is blob, queue or table."""
    app = web.Application(client_max_size=0)
    app[_BACKEND] = f"http://{HOST}:{backend_port}"
    app[_SIGNATURE] = account.signer().for_account(_EVERYTHING, _OF_ALL_KINDS, services=_SERVICES[kind])
    app[_ISSUER] = issuer
    app.cleanup_ctx.append(session)
    app.router.add_route("*", "/{path:.*}", _handle)
    # Bodies are passed on as they are, so a compressed one must not be unpacked here.
    return web.AppRunner(app, access_log=None, shutdown_timeout=2, auto_decompress=False)


async def _handle(request: web.Request) -> web.StreamResponse:
    try:
        request.app[_ISSUER].check(bearer(request.headers.get("Authorization", "")), STORAGE, now=time.time())
    except RefusedTokenError as error:
        log.warning("refused %s %s: %s", request.method, request.path, error)
        return _refusal(403, "AuthenticationFailed", "Server failed to authenticate the request.")
    url = f"{request.app[_BACKEND]}{request.raw_path}{'&' if request.query_string else '?'}{request.app[_SIGNATURE]}"
    try:
        return await pass_on(request, url, without="Authorization")
    except aiohttp.ClientConnectionError:
        log.warning("%s %s: the storage behind does not answer", request.method, request.path)
        return _refusal(503, "ServerBusy", "The server is currently unable to receive requests.")


def _refusal(status: int, code: str, message: str) -> web.Response:
    text = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    headers = {"x-ms-error-code": code, "x-ms-request-id": str(uuid.uuid4())}
    return web.Response(status=status, headers=headers, text=text, content_type="application/xml")


async def serve(doors: Mapping[str, tuple[int, int]], account: Account, issuer: Issuer, certificates: Path) -> None:
    """Serve until SIGTERM or SIGINT. ``doors``: kind -> port, and the port behind."""
    done = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, done.set)
    context, _ = server_tls(certificates)
    runners: list[web.AppRunner] = []
    try:
        for kind, (port, behind) in doors.items():
            runners.append(runner := door(kind, behind, account, issuer))
            await runner.setup()
            await web.TCPSite(runner, HOST, port, ssl_context=context).start()
        await done.wait()
    finally:
        for runner in runners:
            await runner.cleanup()


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(description="a storage account for clients with tokens")
    for kind in _SERVICES:
        parser.add_argument(f"--{kind}", type=int, nargs=2, metavar=("PORT", "BEHIND"), required=True)
    parser.add_argument("--issuer", type=Path, required=True, help="of local_stack.identity: whose tokens are taken")
    parser.add_argument("--certificates", type=Path, required=True, help="folder of certificate and authority")
    given = parser.parse_args()
    log_to(sys.stderr)
    pairs = {kind: getattr(given, kind) for kind in _SERVICES}
    doors = {kind: (port, behind) for kind, (port, behind) in pairs.items()}
    asyncio.run(serve(doors, account_in(os.environ), Issuer.open(given.issuer), given.certificates))


if __name__ == "__main__":
    main()
