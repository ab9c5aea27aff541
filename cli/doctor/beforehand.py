"""The doctor without an app: the same checks, in this process, with the settings of a file.

Where the settings have no key, it asks as whoever signed in with ``az login``: what the identity of the app may do
shows once there is an app.
"""

import json
import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cli.client.delivery_answers import Doctor
from cli.client.errors import WrongUseError
from shared.values.json_text import NotJsonError, read_json
from shared.values.texts import shortened
from shared.values.wire import to_wire

_LINE: Final = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.]*)\s*=(.*)")
_OURS: Final = ("EDGETRAIN_", "AzureWebJobs", "ServiceBusConnection", "AZURE_CLIENT_ID")


def examined(file: Path, *, site: str = "") -> tuple[Doctor, Any]:
    """The findings of all checks that need no deployed app. The settings of the environment do not count."""
    values = settings_in(file)
    for name in [name for name in os.environ if name.startswith(_OURS)]:
        del os.environ[name]
    os.environ.update(values)
    logging.getLogger("azure").setLevel(logging.CRITICAL)  # what it says is in the findings
    from function_app.api.doctor import report_of
    from function_app.composition import SignedIn
    from function_app.doctor.examination import Wanted, examine

    document = to_wire(report_of(examine(SignedIn(), Wanted(site=site, deployed=False))))
    return Doctor.model_validate(document), document


def settings_in(file: Path) -> dict[str, str]:
    """The settings in a file; raises :class:`WrongUseError` for what holds none."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise WrongUseError(f"{file} cannot be read: {error.strerror}") from None
    try:
        found = _of_document(read_json(content))
    except NotJsonError:
        found = _of_lines(content.decode("utf-8", "replace"))
    if not found:
        what = "local.settings.json, a list of name and value, or NAME=VALUE lines"
        raise WrongUseError(f"{file} holds no settings", remedy=f"give a file such as {what}")
    return found


def _of_document(document: Any) -> dict[str, str]:
    if isinstance(document, list):
        rows = [row for row in document if isinstance(row, dict) and isinstance(row.get("name"), str)]
        return {row["name"]: _text(row.get("value")) for row in rows}
    if not isinstance(document, dict):
        return {}
    values = document.get("Values", document)
    return {name: _text(value) for name, value in values.items()} if isinstance(values, Mapping) else {}


def _of_lines(text: str) -> dict[str, str]:
    found = (_LINE.fullmatch(line) for line in text.splitlines())
    return {match[1]: _unquoted(match[2].strip()) for match in found if match}


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        inner = value[1:-1]
        return inner.replace('\\"', '"').replace("\\\\", "\\") if value[0] == '"' else inner
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else shortened(json.dumps(value), 100_000)
