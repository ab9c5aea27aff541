"""A training folder's code before it runs: does it compile, does it have what is called, are its imports pinned."""

import ast
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from packaging.utils import canonicalize_name

from cli.validation.findings import Finding, FindingCode, error, warning

SCORE = "score.py"
SAMPLE = "sample.json"
LARGEST_SAMPLE = 64 * 1024
"""Bytes; the smoke test that is made of it is bounded by as much."""

ENTRY_POINTS = ("init", "run")
"""What the scoring server calls in ``score.py``."""

# Distributions whose module has another name; anything else is looked for under its own.
_DISTRIBUTIONS: Mapping[str, str] = {
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
_NAMESPACES = ("azure", "google")
"""Modules that many distributions share."""

# Come with a library of another name, or are there in the container anyway.
_COMES_WITH: Mapping[str, tuple[str, ...]] = {
    "azureml_inference_server_http": ("azureml-inference-server-http",),
    "mlflow": ("mlflow", "mlflow-skinny"),
    "mpl_toolkits": ("matplotlib",),
    "pkg_resources": ("setuptools",),
    "pylab": ("matplotlib",),
}


def code_findings(
    own: Mapping[str, bytes], common: Mapping[str, bytes], pins: Mapping[str, str] | None, *, shown: str
) -> Iterator[Finding]:
    """What is wrong with the code of a run. ``own`` and ``common``: path in each folder -> content of Python files.

    Of ``common``, what the own code does not use does not matter. ``pins``: canonical name -> version of the lock, None
    without one. ``shown``: the own folder for people.
    """
    files = {**common, **own}
    trees = {name: _parsed(content) for name, content in files.items()}
    for name in sorted(_used(own, trees)):
        where, tree = f"{shown if name in own else 'training/common'}/{name}", trees[name]
        if isinstance(tree, str):
            yield error(FindingCode.DOES_NOT_COMPILE, where, tree)
            continue
        if name == SCORE:
            yield from _entry_points(tree, where)
        if pins is not None:
            yield from _imports(tree, where, set(map(_module, files)), pins)


def _used(own: Mapping[str, bytes], trees: Mapping[str, ast.Module | str]) -> set[str]:
    """The files of a folder, and those that they import, and so on."""
    used, waiting = set[str](), list(own)
    while waiting:
        name = waiting.pop()
        if name in used:
            continue
        used.add(name)
        tree = trees[name]
        imported = {module for node in ast.walk(tree) for module in _modules(node)} if not isinstance(tree, str) else ()
        waiting += [other for other in trees if _module(other) in imported]
    return used


def _module(name: str) -> str:
    """The module or package that a file belongs to."""
    return PurePosixPath(name).parts[0].removesuffix(".py")


def sample_findings(content: bytes | None, *, shown: str) -> Iterator[Finding]:
    """What is wrong with the request that every new model must answer before it serves."""
    where = f"{shown}/{SAMPLE}"
    if content is None:
        what = 'is missing; write a request of made-up values that score.py answers, such as {"rows": [[1, 2]]}'
        yield error(FindingCode.FILE_MISSING, where, what)
        return
    if len(content) > LARGEST_SAMPLE:
        yield error(
            FindingCode.BAD_SAMPLE, where, f"has {len(content)} bytes, and at most {LARGEST_SAMPLE} are allowed"
        )
    try:
        json.loads(content)
    except ValueError as problem:
        yield error(FindingCode.BAD_SAMPLE, where, f"is not JSON: {problem}")


def program_of(words: list[str]) -> str | None:
    """The file that a command runs, if it is one of the code's own: ``train.py`` of ``python -W error train.py``."""
    if words and re.fullmatch(r"python(3(\.\d+)?)?", PurePosixPath(words[0]).name):
        for word in words[1:]:
            if word in {"-m", "-c"}:
                return None
            if word.endswith(".py"):
                return word
    return None


def _parsed(content: bytes) -> ast.Module | str:
    """The module, or what keeps Python from reading it."""
    try:
        tree = ast.parse(content)
        compile(content, "<code>", "exec", dont_inherit=True)  # finds what parsing does not: return outside a function
    except SyntaxError as problem:
        return f"line {problem.lineno}: Python cannot read it ({problem.msg})"
    except ValueError as problem:
        return f"Python cannot read it ({problem})"
    return tree


def _entry_points(tree: ast.Module, where: str) -> Iterator[Finding]:
    defined = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            defined.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            defined |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                defined |= {each.id for each in ast.walk(target) if isinstance(each, ast.Name)}
    if "*" in defined:
        return
    for name in ENTRY_POINTS:
        if name not in defined:
            what = f"defines no {name}(), which the scoring server calls; add it, see docs/add-a-pipeline.md"
            yield error(FindingCode.ENTRY_POINT_MISSING, where, what)


def _imports(tree: ast.Module, where: str, own: set[str], pins: Mapping[str, str]) -> Iterator[Finding]:
    """Modules that nothing in the container seems to have: a guess by names, so only a warning."""
    seen = set()
    for node in tree.body:  # what is imported inside a function or a try may be optional
        for module in _modules(node):
            if module in own or module in seen or module in sys.stdlib_module_names or _pinned(module, pins):
                continue
            seen.add(module)
            what = (
                f"line {node.lineno}: imports {module}, and no library of that name is pinned; add it to"
                " requirements.in and run `make lock`"
            )
            yield warning(FindingCode.IMPORT_WITHOUT_PIN, where, what)


def _modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name.partition(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module.partition(".")[0]]
    return []


def _pinned(module: str, pins: Mapping[str, str]) -> bool:
    names = _COMES_WITH.get(module, (_DISTRIBUTIONS.get(module, module),))
    if any(canonicalize_name(name) in pins for name in names):
        return True
    return module in _NAMESPACES and any(pin.startswith(f"{module}-") for pin in pins)
