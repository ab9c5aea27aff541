"""The tables of `edgetrain`, on wide and narrow terminals, on one without UTF-8, and in a pipe."""

import io
import time
from collections.abc import Iterable, Iterator

import pytest
from rich.text import Text

from cli.client import AppRefusedError, NotReachableError, WrongUseError
from cli.client import answers as a
from cli.client import delivery_answers as d
from cli.operating.blocks import Block
from cli.operating.delivery_views import (
    action_blocks,
    comparison_blocks,
    decided_blocks,
    model_blocks,
    model_table,
    target_blocks,
    target_table,
)
from cli.operating.pipeline_views import pipeline_blocks, pipeline_table, why_blocks
from cli.operating.rendering import console_for, draw
from cli.operating.run_views import run_blocks, run_table
from cli.operating.screen import Screen
from function_app.api.delivery_models import ActionState, ModelList
from shared.errors import EdgetrainError
from shared.values.wire import to_wire
from tests.support import app_answers as app
from tests.support.golden import compare


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


def drawn(blocks: Iterable[Block], width: int | None = 120, *, unicode: bool = True) -> str:
    """``width`` None: not a terminal but a pipe."""
    stream = Terminal() if width else io.StringIO()
    draw(console_for(stream, {"NO_COLOR": "1", "TERM": "xterm"}, width), blocks, unicode=unicode)
    plain = Text.from_ansi(stream.getvalue()).plain
    return "\n".join(line.rstrip() for line in plain.splitlines())


def read(view: object, model: type[a.View]) -> a.View:
    return a.read(model, to_wire(view), "it")


def test_tables_of_the_command_line() -> None:
    runs = read(app.page(app.promoted(), app.failed(), app.running()), a.Runs).runs
    promoted, running = read(app.promoted(), a.Run), read(app.running(), a.Run)
    wide = [run_table(runs, of_one=True)]
    odd = read(app.failed(reason="\x1b[2JMühle 数据 [bold]not markup[/] :smile: " + "long " * 30), a.Run)

    compare(
        "tables_of_edgetrain",
        "What `edgetrain` shows on a terminal, in a time zone an hour ahead of UTC.",
        {
            "runs PIPELINE, 160 columns": drawn(wide, 160),
            "runs, 80 columns": drawn([run_table(runs, of_one=False)], 80),
            "runs, 50 columns": drawn([run_table(runs, of_one=False)], 50),
            "runs PIPELINE, 160 columns, without UTF-8": drawn(wide, 160, unicode=False),
            "runs PIPELINE, in a pipe": drawn(wide, None),
            "runs, none": drawn([run_table((), of_one=False)]),
            "run RUN, promoted": drawn(run_blocks(promoted)),
            "run RUN, promoted, 40 columns": drawn(run_blocks(promoted), 40),
            "run RUN, under way": drawn(run_blocks(running)),
            "run RUN, with odd characters": drawn(run_blocks(odd), 80),
            "run RUN, with odd characters, without UTF-8": drawn(run_blocks(odd), 80, unicode=False),
            "pipelines": drawn(pipeline_table(read(app.every_pipeline(), a.Pipelines))),
            "pipelines PIPELINE": drawn(
                pipeline_blocks(read(app.detail(app.failed(), troubled=True), a.Pipeline)), 160
            ),
            "targets": drawn([target_table(read(app.targets(drifted=True), d.Targets).targets)]),
            "targets PIPELINE": drawn(target_blocks(read(app.targets(), d.Targets).targets[0]), 140),
            "models": drawn([model_table(read(ModelList(models=(app.a_model(),)), d.Models).models)]),
            "models MODEL": drawn(model_blocks(read(app.a_model(), d.Model))),
            "compare RUN RUN": drawn(comparison_blocks(read(app.compared(), d.Compared))),
            "compare RUN RUN, not comparable": drawn(
                comparison_blocks(
                    read(app.compared(files=None, files_unknown="the manifest is gone", comparable=False), d.Compared)
                )
            ),
            "approve RUN": drawn(decided_blocks(read(app.decided(), d.Decided))),
            "roll-back PIPELINE": drawn(action_blocks(read(app.an_action(), d.Action))),
            "roll-back PIPELINE --wait, failed": drawn(
                action_blocks(read(app.an_action(ActionState.FAILED, left=("restart the VM hub-vm",)), d.Action))
            ),
            "why PIPELINE BLOB": drawn(why_blocks(read(app.a_why(app.promoted()), a.Why)), 160),
            "why PIPELINE BLOB, nothing known": drawn(
                why_blocks(read(app.a_why(None, verdict=None, arrivals=(), sentence="no event of it was seen"), a.Why))
            ),
        },
    )


@pytest.mark.parametrize("width", [1, 2, 10, 39, 81, 300])
@pytest.mark.parametrize("unicode", [True, False])
def test_no_text_is_lost_at_any_width(width: int, unicode: bool) -> None:
    run = read(app.promoted(reason="it is better: \u6570\u636e"), a.Run)

    shown = drawn(run_blocks(run), width, unicode=unicode)

    assert all(name in "".join(shown.split()) for name in (app.PROMOTED, app.ENDPOINT, "log_loss"))


ERRORS: dict[str, EdgetrainError] = {
    "refused": AppRefusedError("there is no run 'x'; the list of runs has them all", code="unknown_run", status=404),
    "wrong use": WrongUseError("--url and --profile name two apps; give one"),
    "not reachable": NotReachableError("nothing answers", remedy="check the address and whether the app runs"),
}


def test_errors_of_the_command_line() -> None:
    said = {}
    for name, error in ERRORS.items():
        for as_json in (False, True):
            out, err = io.StringIO(), io.StringIO()
            screen = Screen(as_json=as_json, out=console_for(out, {}), err=console_for(err, {}), environment={})
            status = screen.fail(error)
            case = f"{name}{', with --json' if as_json else ''}: exit status {status}"
            said[case] = f"standard output:\n{out.getvalue()}standard error:\n{err.getvalue()}"

    compare("errors_of_edgetrain", "How `edgetrain` says what went wrong.", said)
