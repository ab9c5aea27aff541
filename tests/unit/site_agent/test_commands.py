import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from site_agent.job.commands import EVALUATE_PLACES, TRAIN_PLACES, CommandError, fill, split_command
from site_agent.job.fields import Scalar
from tests.support.job_orders import EVALUATE, TRAIN

PLACES = {"inputs.data": "/edgetrain/data", "outputs.model": "/edgetrain/model"}


def filled(command: str, **parameters: Scalar) -> list[str]:
    arguments = split_command(command, name="train.command", places=TRAIN_PLACES, parameters=parameters)
    return fill(arguments, PLACES, parameters)


def test_a_command_is_filled_in() -> None:
    command = "python train.py --data ${{inputs.data}} --to=${{ outputs.model }} --alpha ${{parameters.alpha}}"

    assert filled(command, alpha=0.5) == [
        "python",
        "train.py",
        "--data",
        "/edgetrain/data",
        "--to=/edgetrain/model",
        "--alpha",
        "0.5",
    ]


@pytest.mark.parametrize(
    ("value", "argument"),
    [(True, "true"), (False, "false"), (3, "3"), (1e-7, "1e-07"), ("a b; rm -rf / $(x) `y`", "a b; rm -rf / $(x) `y`")],
)
def test_a_value_is_one_argument(value: Scalar, argument: str) -> None:
    assert filled("x ${{parameters.p}}", p=value) == ["x", argument]


def test_both_commands_of_a_pipeline_are_fine() -> None:
    split_command(TRAIN, name="train.command", places=TRAIN_PLACES, parameters={})
    split_command(EVALUATE, name="evaluate.command", places=EVALUATE_PLACES, parameters={})


@pytest.mark.parametrize(
    "command",
    [
        "",
        "   ",
        "python 'train.py",
        "python ${{inputs.holdout}}",
        "python ${{inputs.nothing}}",
        "python ${{parameters.missing}}",
        "python ${{outputs.evaluation}}",
        "python ${{inputs.data",
        "python ${{inputs data}}",
        "python ${{}}",
        "x " * 1_001,
    ],
)
def test_a_command_that_cannot_run_is_refused(command: str) -> None:
    with pytest.raises(CommandError, match=r"train\.command"):
        filled(command, alpha=1)


def test_training_cannot_name_the_hold_out_nor_evaluation_the_data() -> None:
    with pytest.raises(CommandError):
        split_command(EVALUATE, name="train.command", places=TRAIN_PLACES, parameters={})
    with pytest.raises(CommandError):
        split_command(TRAIN, name="evaluate.command", places=EVALUATE_PLACES, parameters={})


_WORDS = st.lists(st.text(min_size=1, max_size=10).filter(lambda word: "${{" not in word), min_size=1, max_size=6)


@given(words=_WORDS, value=st.text(max_size=40), extra=st.integers() | st.booleans() | st.floats(allow_nan=False))
def test_no_value_changes_the_number_of_arguments(words: list[str], value: str, extra: Scalar) -> None:
    command = shlex.join([*words, "${{parameters.p}}", "--e=${{parameters.e}}${{parameters.p}}"])

    arguments = filled(command, p=value, e=extra)

    assert arguments[: len(words)] == words
    assert arguments[len(words)] == value
    assert arguments[len(words) + 1].startswith("--e=")
    assert len(arguments) == len(words) + 2


@given(st.text(max_size=60))
def test_any_text_is_a_command_or_refused(command: str) -> None:
    try:
        arguments = filled(command, p=1)
    except CommandError:
        return
    assert not any("${{" in argument for argument in arguments)


@given(st.text(max_size=20))
def test_a_value_is_not_filled_in_again(value: str) -> None:
    text = value + "${{inputs.data}}"

    assert filled("x ${{parameters.p}}", p=text) == ["x", text]
