"""What ``edgetrain --help`` and the local stack's help say."""

import pytest
from typer.testing import CliRunner

import local_stack.__main__ as stack
from cli.app import app
from tests.support.golden import compare

WIDTH = "100"
OPERATING = ("pipelines", "runs", "run", "start", "cancel", "upload", "score", "logs", "login")


def test_help_of_edgetrain() -> None:
    runner = CliRunner(env={"COLUMNS": WIDTH, "TERMINAL_WIDTH": WIDTH, "NO_COLOR": "1", "TERM": "dumb"})
    commands = ("new", "validate", "try", "prepare-vm", "dependency-image", "schemas", *OPERATING)
    arguments: dict[str, list[str]] = {"edgetrain": []} | {f"edgetrain {name}": [name] for name in commands}
    sentences = {name: runner.invoke(app, [*given, "--help"]).output.strip() for name, given in arguments.items()}
    sentences["edgetrain prepare-vm, without a pipeline"] = runner.invoke(app, ["prepare-vm"]).output.strip()

    compare("help_of_edgetrain", "The help of `edgetrain`.", sentences)


def test_help_of_the_local_stack(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", WIDTH)
    sentences = {}
    for command in ([], ["up"], ["down"], ["status"], ["logs"], ["clean"]):
        with pytest.raises(SystemExit):
            stack.main([*command, "--help"])
        sentences[" ".join(["python -m local_stack", *command])] = capsys.readouterr().out.strip()

    compare(
        "help_of_the_local_stack", "The help of the local stack, which make up, down, status and clean run.", sentences
    )
