"""What the app logs: on one line, without control characters, bounded; libraries are heard from WARNING on."""

import io
import logging
from collections.abc import Iterator

import pytest

from function_app import logs

FORGED = "a\n2026-05-01 10:00:00 INFO function_app run is promoted\x1b[2J\x1b]0;owned\x07\r\u202e\u2028end"


@pytest.fixture(autouse=True)
def kept() -> Iterator[None]:
    """What is set for the whole process is put back."""
    factory = logging.getLogRecordFactory()
    levels = {name: logging.getLogger(name).level for name in logs.LIBRARIES}
    yield
    logging.setLogRecordFactory(factory)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def written(name: str, *arguments: object, error: bool = False) -> str:
    """What a handler of the worker's, with a formatter of its own, makes of a record."""
    logs.set_up()
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    try:
        logger.error(str(arguments[0]), *arguments[1:], exc_info=error)
    finally:
        logger.removeHandler(handler)
    return stream.getvalue()


@pytest.mark.parametrize(
    "name", ["function_app.intake.arrivals", "activities.x", "shared.clients.x", "azure.core", "paramiko"]
)
def test_a_text_from_outside_stays_on_its_line_and_acts_on_no_terminal(name: str) -> None:
    text = written(name, "event %s is rejected: %s", FORGED, FORGED)

    assert text.count("\n") == 1
    assert text.rstrip("\n").isprintable()
    assert r"\x1b[2J" in text


def test_a_long_text_is_cut_in_the_middle() -> None:
    text = written("function_app.x", "it is %s!", "x" * 100_000)

    assert len(text) < logs.LONGEST_LINE + 100
    assert text.endswith("x!\n")


def test_the_lines_of_a_traceback_cannot_be_taken_for_lines_of_the_log() -> None:
    try:
        raise ValueError(FORGED)
    except ValueError:
        first, *more = written("function_app.x", "incident", error=True).splitlines()

    assert first == "ERROR function_app.x incident"
    assert more[0] == "  | Traceback (most recent call last):"
    assert all(line.startswith("  | ") and line.isprintable() for line in more)
    assert any("run is promoted" in line for line in more)


def test_arguments_that_do_not_fit_are_left_to_logging() -> None:
    logs.set_up()

    record = logging.getLogger("function_app.x").makeRecord("function_app.x", 40, "f", 1, "%d", ("x",), None)

    assert record.args == ("x",)


def test_setting_up_twice_is_setting_up_once() -> None:
    logs.set_up()
    factory = logging.getLogRecordFactory()
    logs.set_up()

    assert logging.getLogRecordFactory() is factory


@pytest.mark.parametrize(
    ("asked", "level"),
    [(None, "WARNING"), ("", "WARNING"), ("debug", "DEBUG"), (" INFO ", "INFO"), ("loud", "WARNING")],
)
def test_libraries_are_heard_from_the_level_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, asked: str | None, level: str
) -> None:
    monkeypatch.delenv(logs.LEVEL_SETTING, raising=False)
    if asked is not None:
        monkeypatch.setenv(logs.LEVEL_SETTING, asked)
    # azureml sets the level of this one when it is first used, which another test may have done.
    monkeypatch.setattr(logging.getLogger("azure.core"), "level", logging.NOTSET)

    logs.set_up()

    for name in ("azure", "azure.core.pipeline.policies.http_logging_policy", "paramiko.transport", "azureml"):
        assert logging.getLevelName(logging.getLogger(name).getEffectiveLevel()) == level
    assert ("EDGETRAIN_LIBRARY_LOG_LEVEL is 'LOUD'" in caplog.text) == (asked == "loud")
