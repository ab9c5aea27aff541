"""Every answer names run, model and version, and no model names them otherwise."""

from collections.abc import Iterable
from typing import Any
from wsgiref.util import setup_testing_defaults

from shared.clients.container_apps.gunicorn_hooks import named


def answered(environment: dict[str, str]) -> list[tuple[str, str]]:
    def application(_: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("X-Edgetrain-Run", "another")])
        return [b"ok"]

    found: list[tuple[str, str]] = []
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    body = named(application, environment)(environ, lambda _, headers, *__: found.extend(headers))
    assert list(body) == [b"ok"]
    return found


def test_what_the_container_is_told_is_in_the_headers() -> None:
    headers = answered({"EDGETRAIN_RUN_ID": "run-1", "EDGETRAIN_MODEL": "digits", "EDGETRAIN_VERSION": "7"})
    assert dict(headers) == {
        "Content-Type": "text/plain",
        "x-edgetrain-run": "run-1",
        "x-edgetrain-model": "digits",
        "x-edgetrain-version": "7",
    }


def test_a_name_breaks_no_header_and_what_is_not_known_is_not_said() -> None:
    headers = answered({"EDGETRAIN_RUN_ID": "a\r\nSet-Cookie: b", "EDGETRAIN_MODEL": ""})
    assert dict(headers)["x-edgetrain-run"] == "a%0D%0ASet-Cookie%3A%20b"
    assert "x-edgetrain-model" not in dict(headers)
