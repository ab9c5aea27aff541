from site_agent.job.guard.skops_files import trusted_types
from tests.support.trusted_types import OURS, default_trusted


def test_the_list_has_what_skops_trusts_by_default_and_what_we_add() -> None:
    """After an update of skops or scikit-learn: ``python -m tests.support.trusted_types``."""
    assert default_trusted() <= trusted_types()
    assert trusted_types() >= OURS


def test_the_list_has_nothing_that_runs_a_program() -> None:
    modules = {name.partition(".")[0] for name in trusted_types()}

    assert modules == {"_loss", "builtins", "collections", "numpy", "scipy", "sklearn"}
    assert not {name for name in trusted_types() if name.startswith("builtins.")} & {
        "builtins.eval",
        "builtins.exec",
        "builtins.getattr",
        "builtins.open",
        "builtins.__import__",
        "builtins.compile",
    }
    assert not [name for name in trusted_types() if "testing" in name or "externals" in name]
