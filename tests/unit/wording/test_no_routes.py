"""Sentences of the app are read by people at the page too: none names a route of the API, nor a part of the app."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[3]
OURS: Final = ("function_app/api", "function_app/run_hands.py", "shared/decisions", "activities", "orchestrations")
FILES: Final = sorted(
    file for each in OURS for file in ([ROOT / each] if each.endswith(".py") else (ROOT / each).rglob("*.py"))
)
_OF_THE_API: Final = re.compile(r"\b(GET|POST|PUT|DELETE) \.{0,3}/")
_OF_THE_APP: Final = re.compile(r"\breconciler\b")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_sentence_says_what_can_be_done_and_no_route(file: Path) -> None:
    said = [text for text in sentences(file) if _OF_THE_API.search(text) or _OF_THE_APP.search(text)]

    assert not said


def sentences(file: Path) -> Iterator[str]:
    """Every text of the module that is no docstring and goes into no log."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    apart = {id(node) for node in _docstrings(tree)} | {id(node) for node in _logged(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in apart:
            yield node.value


def _docstrings(tree: ast.Module) -> Iterator[ast.AST]:
    """Texts that are statements: nobody but a reader of the code sees them."""
    return (node.value for node in ast.walk(tree) if isinstance(node, ast.Expr))


def _logged(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_log(node.func.value):
            yield from ast.walk(node)


def _is_log(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "log"
