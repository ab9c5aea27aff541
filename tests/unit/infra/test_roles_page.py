"""The table of roles in docs/deploy.md is that of Bicep. ``make golden`` writes it anew."""

import os
import re

from infra.checks.bicep import BicepFile, parse
from infra.checks.roles import NEEDED, grants
from infra.checks.tools import ROOT

PAGE = ROOT / "docs" / "deploy.md"
BETWEEN = re.compile(r"(?<=<!-- roles -->\n).*?(?=<!-- /roles -->)", re.DOTALL)


def table() -> str:
    files = [parse(path, path.relative_to(ROOT / "infra").as_posix()) for path in (ROOT / "infra").rglob("*.bicep")]
    resources = [each for file in files if isinstance(file, BicepFile) for each in file.resources]
    rows = [
        f"| {grant.who} | {grant.role} | {grant.on} | {resource.body['properties']['description'].partition(': ')[2]} |"
        for grant, resource in sorted(grants(resources).items())
    ]
    return "\n".join(["| who | role | on (file: resource) | why |", "| --- | --- | --- | --- |", *rows, ""])


def test_the_page_has_every_role() -> None:
    text = PAGE.read_text(encoding="utf-8")
    wanted = BETWEEN.sub(lambda _: table(), text)
    if os.environ.get("WRITE_GOLDEN"):
        PAGE.write_text(wanted, encoding="utf-8")
        return

    assert text == wanted
    assert table().count("\n| ") == len(NEEDED) + 1


def test_of_every_role_it_is_known_what_needs_it() -> None:
    assert [str(grant) for grant, words in NEEDED.items() if not words] == []
