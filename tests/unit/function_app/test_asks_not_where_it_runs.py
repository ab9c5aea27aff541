"""Nothing in the app asks where it runs: it is the same on each plan, in a container and here (plans-and-limits.md)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.documents import ROOT

PARTS = ("function_app", "orchestrations", "activities", "shared")
OF_A_PLACE = re.compile(
    r"(?:WEBSITES?|FUNCTIONS|AZURE_FUNCTIONS|IDENTITY|MSI|CONTAINER_APP|KUBERNETES|APPSETTING|SCM)_\w+"
    r"|AzureWebJobs(?:Env|ScriptRoot)|HOME_STAMPNAME"
)
"""Variables that Azure, a host or a cluster sets, each in its own place."""
EXCUSES = {
    (
        "function_app/doctor/arrivals.py",
        "WEBSITE_SITE_NAME",
    ): "a name to show: which of a topic's subscriptions are its",
    ("function_app/telemetry_export.py", "WEBSITE_SITE_NAME"): "a name to show, where no service.name is given",
    ("shared/clients/identity.py", "IDENTITY_ENDPOINT"): "says by itself what is wrong when no identity is assigned",
}
"""File and variable, and why it may read it: what it does is the same without."""


def read_variables(source: str) -> Iterator[str]:
    """Names of such variables among the texts of a module, without its docstrings."""
    tree = ast.parse(source)
    documents = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents:
            yield from OF_A_PLACE.findall(node.value)


def found(root: Path) -> set[tuple[str, str]]:
    files = [path for part in PARTS for path in (root / part).rglob("*.py")]
    return {
        (path.relative_to(root).as_posix(), name)
        for path in files
        for name in read_variables(path.read_text(encoding="utf-8"))
    }


def test_nothing_asks_where_it_runs() -> None:
    assert found(ROOT) == EXCUSES.keys()


def test_one_that_asks_is_seen(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "places.py").write_text(
        '"""WEBSITE_SKU is only spoken of."""\nimport os\nFLEX = os.environ.get("WEBSITE_SKU") == "FlexConsumption"\n'
    )

    assert found(tmp_path) == {("shared/places.py", "WEBSITE_SKU")}
