"""Every command of the runbooks is typed by a test as it is printed: by one that has what the command is about."""

import ast
import shlex
from collections.abc import Iterator
from pathlib import Path

from tests.support.documents import ROOT
from tests.support.runbooks import as_printed, printed


def asked_for(source: Path) -> Iterator[str]:
    """The commands that a test asks the runbooks for."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == as_printed.__name__:
            (command,) = node.args
            assert isinstance(command, ast.Constant)
            yield str(command.value)


def test_tests_of_a_running_stack_type_every_command() -> None:
    sources = [*(ROOT / "tests" / "e2e").glob("*.py"), ROOT / "tests" / "support" / "changed_app.py"]

    assert {command for source in sources for command in asked_for(source)} == printed().keys()


def test_what_a_reader_fills_in_is_filled_in() -> None:
    assert shlex.join(as_printed("approve", RUN="r-1")).startswith("approve r-1 --reason 'the metrics hold'")
