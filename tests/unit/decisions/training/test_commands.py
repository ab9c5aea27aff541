import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.training.commands import EVALUATE, TRAIN, command_trouble, used_parameters
from site_agent.job.commands import EVALUATE_PLACES, TRAIN_PLACES, CommandError, split_command

PLACES = {TRAIN: TRAIN_PLACES, EVALUATE: EVALUATE_PLACES}
TRAINS = "python train.py --data ${{inputs.data}} --model ${{outputs.model}}"
EVALUATES = "python e.py ${{inputs.model}} --rows=${{inputs.holdout}} ${{outputs.evaluation}}"


@pytest.mark.parametrize(
    ("field", "command"),
    [
        (TRAIN, TRAINS),
        (TRAIN, f"{TRAINS} --alpha ${{{{parameters.alpha}}}}"),
        (TRAIN, "python -m pkg --data ${{ inputs.data }}/landing '--out=${{outputs.model}}'"),
        (TRAIN, 'sh -c "cp -r ${{inputs.data}} ${{outputs.model}}"'),
        (EVALUATE, EVALUATES),
    ],
)
def test_commands_that_can_be_filled(field: str, command: str) -> None:
    assert command_trouble(field, command, {"alpha"}) == ""


@pytest.mark.parametrize(
    ("field", "command", "said"),
    [
        (TRAIN, "", "is empty"),
        (TRAIN, "   ", "is empty"),
        (TRAIN, f"{TRAINS} 'open", "not closed"),
        (TRAIN, f"{TRAINS} \\", "not closed"),
        (TRAIN, f"{TRAINS} && rm x", "no shell"),
        (TRAIN, f"{TRAINS} > log", "no shell"),
        (TRAIN, f"{TRAINS} \x1b[1m", "cannot be printed"),
        (TRAIN, "${{inputs.data}}/run.sh ${{outputs.model}}", "begin with a program"),
        (TRAIN, "python train.py ${{inputs.data}}", "lacks ${{outputs.model}}"),
        (TRAIN, "python train.py ${{outputs.model}}", "lacks ${{inputs.data}}"),
        (TRAIN, f"{TRAINS} ${{{{inputs.holdout}}}}", "which only evaluate.command may have"),
        (TRAIN, f"{TRAINS} ${{{{inputs.rows}}}}", "is unknown; usable are ${{inputs.data}}, ${{outputs.model}}"),
        (TRAIN, f"{TRAINS} ${{{{parameters.beta}}}}", "train.parameters does not declare (declared: alpha)"),
        (TRAIN, f"{TRAINS} ${{{{inputs.data}}", "is no placeholder"),
        (TRAIN, f"{TRAINS} ${{{{}}}}", "is no placeholder"),
        (EVALUATE, f"{EVALUATES} ${{{{inputs.data}}}}", "which only train.command may have"),
        (EVALUATE, "python e.py ${{inputs.model}} ${{outputs.evaluation}}", "lacks ${{inputs.holdout}}"),
    ],
)
def test_what_is_wrong_is_named_with_the_remedy(field: str, command: str, said: str) -> None:
    assert said in command_trouble(field, command, {"alpha"})


def test_the_parameters_that_a_command_uses() -> None:
    assert used_parameters("a ${{parameters.x}} ${{ parameters.y }}${{parameters.x}} ${{inputs.data}}") == {"x", "y"}


PIECES = st.sampled_from(
    [
        "python",
        "train.py",
        "${{inputs.data}}",
        "${{ outputs.model }}",
        "${{inputs.model}}",
        "${{inputs.holdout}}",
        "${{outputs.evaluation}}",
        "${{parameters.alpha}}",
        "${{parameters.b}}",
        "${{x",
        "}}",
        "'",
        '"',
        "\\",
        "a b",
        "=",
        "$",
    ]
)


@given(
    field=st.sampled_from([TRAIN, EVALUATE]),
    command=st.lists(PIECES | st.text(max_size=3), max_size=12).flatmap(
        lambda pieces: st.sampled_from([" ", ""]).map(lambda between: between.join(pieces))
    ),
)
def test_what_is_accepted_here_can_be_filled_on_the_vm(field: str, command: str) -> None:
    if command_trouble(field, command, {"alpha"}):
        return
    try:
        split_command(command, name=field, places=PLACES[field], parameters={"alpha": 1})
    except CommandError as error:
        pytest.fail(f"{command!r}: {error}")
