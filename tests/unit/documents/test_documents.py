"""In the documents: commands that a shell understands, links that lead somewhere, decisions in their index."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.documents import ROOT, Block, blocks, documents

LINK = re.compile(r"\]\((?!https?://|mailto:|#)(?P<target>[^)#\s]+)(?:#[^)]*)?\)")
BLOCKS = [block for document in documents() for block in blocks(document)]
NAMED = {block.document for block in BLOCKS if re.search(r"^edgetrain\(\) \{", block.body, re.MULTILINE)}
"""Documents whose blocks say for themselves what ``edgetrain`` is."""


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.document}:{block.line}")
def test_a_shell_understands_every_block(block: Block) -> None:
    assert block.language == "sh", "one name for shell blocks, and no prompts in them"
    body = block.body
    checked = subprocess.run(["bash", "-n"], input=body, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert not re.search(r"^\s*\$ ", body, re.MULTILINE), "a reader copies the whole line"
    elsewhere = r"^(python|uv)\b" if block.document in NAMED else r"^(python|uv|edgetrain)\b"
    assert not re.search(elsewhere, body, re.MULTILINE), "it is in .venv/bin, not on the path"


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_file(document: Path) -> None:
    missing = [
        found["target"]
        for found in LINK.finditer(document.read_text(encoding="utf-8"))
        if not (document.parent / found["target"]).exists()
    ]
    assert missing == []


def test_every_limit_names_a_test_that_shows_it() -> None:
    page = (ROOT / "docs" / "plans-and-limits.md").read_text(encoding="utf-8")
    rows = [line for line in page.partition("\n## Limits\n")[2].splitlines() if line.startswith("|")][2:]

    assert len(rows) >= 14
    assert [row for row in rows if "/test_" not in row.split("|")[3]] == []


def test_every_decision_stands_in_the_index_with_its_title() -> None:
    index = (ROOT / "docs" / "adr" / "README.md").read_text(encoding="utf-8")
    for decision in sorted((ROOT / "docs" / "adr").glob("0*.md")):
        number, title = decision.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ").split(". ", 1)
        row = next((line for line in index.splitlines() if f"]({decision.name})" in line), "")
        assert row.startswith(f"| [{number}]({decision.name}) | {title} | "), f"{decision.name}: {row or 'no row'}"
        assert re.search(r"\| (accepted|replaced by \d+) \| \d{4}-\d{2}-\d{2} \|$", row), row
