"""Log hygiene: every record on one line, without control characters; the libraries' own chatter is silenced.

Blob names, event subjects and reasons come from outside: a line break in one could forge a log line, an escape sequence
could act on a reader's terminal. Handlers belong to the worker, so records are cleaned where they are created. There,
too, they get what the work is about that logs them: run, pipeline, target and trace, before the text and as fields.
"""

import logging
import os
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from shared.values.texts import shortened

LEVEL_SETTING: Final = "EDGETRAIN_LIBRARY_LOG_LEVEL"
LONGEST_LINE: Final = 2000
# A request and its answer are some twenty lines each at INFO, of which an idle hour has hundreds.
LIBRARIES: Final = ("azure", "azureml", "paramiko", "msrest", "msal", "adal", "urllib3", "opentelemetry")
_OURS: Final = frozenset({"function_app", "activities", "orchestrations", "shared", *LIBRARIES})
_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_TRACEBACK_PREFIX: Final = "  | "

_NO_FACTS: Final[Mapping[str, str]] = {}
_about: ContextVar[Mapping[str, str]] = ContextVar("edgetrain_log_facts", default=_NO_FACTS)

log = logging.getLogger(__name__)


@contextmanager
def about(facts: Mapping[str, str]) -> Iterator[None]:
    """What is logged within the block is about these; their values must be names of ours."""
    token = _about.set({**_about.get(), **facts})
    try:
        yield
    finally:
        _about.reset(token)


def set_up() -> None:
    """Install the record factory and silence libraries; safe to repeat. The app's own level is the host's setting."""
    before = logging.getLogRecordFactory()
    if not isinstance(before, _CleanRecords):
        logging.setLogRecordFactory(_CleanRecords(before))
    asked = os.environ.get(LEVEL_SETTING, "").strip().upper() or "WARNING"
    level = asked if asked in _LEVELS else "WARNING"
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(level)
    if asked != level:
        log.warning("setting %s is %r; known: %s; WARNING is used", LEVEL_SETTING, asked, ", ".join(_LEVELS))


class _CleanRecords:
    """Wraps a record factory; records of the app and its libraries become one line of bounded length."""

    def __init__(self, make: Any) -> None:
        self._make = make

    def __call__(self, *arguments: Any, **named: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._make(*arguments, **named)
        if record.name.partition(".")[0] not in _OURS:
            return record
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):  # arguments that do not match the format; logging reports that itself
            return record
        facts = _about.get()
        record.msg, record.args = _prefix(facts) + shortened(message, LONGEST_LINE), ()
        for name, value in facts.items():
            setattr(record, f"edgetrain_{name}", value)  # exporters of logs send them as fields
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = _shown(traceback.format_exception(*record.exc_info))
        return record


def _prefix(facts: Mapping[str, str]) -> str:
    return f"[{' '.join(f'{name}={value}' for name, value in facts.items())}] " if facts else ""


def _shown(blocks: list[str]) -> str:
    """A traceback whose lines cannot be mistaken for log lines, whatever the exception's text holds."""
    lines = [line for block in blocks for line in block.rstrip("\n").split("\n")]
    return "\n".join(f"{_TRACEBACK_PREFIX}{_indented(line)}" for line in lines)


def _indented(line: str) -> str:
    indent = len(line) - len(line.lstrip(" "))
    return " " * indent + shortened(line, LONGEST_LINE)
