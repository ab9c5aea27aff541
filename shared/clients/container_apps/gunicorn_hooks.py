"""Runs inside a revision's container, as gunicorn's configuration: every answer names the run, model and version.

On a VM, HAProxy writes these headers; at Container Apps nobody between client and container does. Standard library
only; mounted from a secret of the app, because what a release is called is not in its image.
"""

import os
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

HEADERS = {
    "x-edgetrain-run": "EDGETRAIN_RUN_ID",
    "x-edgetrain-model": "EDGETRAIN_MODEL",
    "x-edgetrain-version": "EDGETRAIN_VERSION",
}


def post_worker_init(worker: Any) -> None:
    """Called by gunicorn in each worker, once its application is loaded."""
    worker.wsgi = named(worker.wsgi, dict(os.environ))


def named(application: Callable[..., Iterable[bytes]], environment: dict[str, str]) -> Callable[..., Iterable[bytes]]:
    """The WSGI application with the headers; what it writes under these names itself is taken out."""
    said = {
        header: quote(environment[variable], safe="-._~")
        for header, variable in HEADERS.items()
        if environment.get(variable)
    }

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            kept = [(name, value) for name, value in headers if name.lower() not in HEADERS]
            return start_response(status, [*kept, *said.items()], *error)

        return application(environ, start)

    return answer
