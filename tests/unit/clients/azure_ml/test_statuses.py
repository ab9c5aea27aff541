import math

import pytest

from shared.clients.azure_ml.statuses import finite_metrics, message_of, phase_of, with_remedy
from shared.messages import Phase


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("NotStarted", Phase.QUEUED),
        ("Queued", Phase.QUEUED),
        ("Preparing", Phase.PREPARING),
        ("Provisioning", Phase.PREPARING),
        ("Starting", Phase.PREPARING),
        ("Running", Phase.RUNNING),
        ("NotResponding", Phase.RUNNING),
        ("CancelRequested", Phase.FINALIZING),
        ("Finalizing", Phase.FINALIZING),
        ("Completed", Phase.COMPLETED),
        ("Failed", Phase.FAILED),
        ("Canceled", Phase.CANCELLED),
        ("AWordOfTomorrow", Phase.RUNNING),
    ],
)
def test_every_word_of_azure_ml_has_a_phase(status: str, phase: Phase) -> None:
    assert phase_of(status) is phase


def test_only_finite_numbers_are_metrics() -> None:
    logged = {
        "loss": [0.5, 0.25],
        "rows": 350,
        "nan": math.nan,
        "inf": math.inf,
        "flag": True,
        "text": "0.9",
        "table": {"a": [1]},
        "empty": [],
        "broken": [0.5, math.nan],
    }

    assert finite_metrics(logged) == {"loss": 0.25, "rows": 350.0}


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ({"error": {"code": "UserError", "message": "exit status 1"}}, "exit status 1"),
        ({"message": "flat"}, "flat"),
        ({"error": None}, ""),
        ({}, ""),
        (None, ""),
        ("text", ""),
    ],
)
def test_the_reason_in_an_error_record_is_found_wherever_it_is(error: object, message: str) -> None:
    assert message_of(error) == message


@pytest.mark.parametrize("words", ["not found", "No such file or directory"])
def test_a_missing_environment_comes_with_the_command_that_makes_it(words: str) -> None:
    reason = f"sh: /home/ml/environments/{'0a' * 8}/bin/python: {words}"

    assert with_remedy(reason, "digits") == f"{reason}; prepare the VM: python -m cli.prepare_vm --pipeline digits"
    assert with_remedy("landing/a.csv: the file is empty", "digits") == "landing/a.csv: the file is empty"
