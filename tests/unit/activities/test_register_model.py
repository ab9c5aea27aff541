from pathlib import Path

from activities.register_model import register_model
from shared.messages import Lineage, RegisteredModel, RegisterModel
from shared.pipelines import Pipelines
from tests.support.training import MemoryRegistry

PIPELINES = Pipelines(Path(__file__).resolve().parents[3] / "pipelines")


def command(run_id: str, name: str = "") -> RegisterModel:
    lineage = Lineage(
        run_id=run_id,
        pipeline="breast-cancer",
        fingerprint="ab" * 32,
        snapshot_digest="cd" * 32,
        blobs=2,
        metrics={"log_loss": 0.1},
    )
    return RegisterModel(lineage=lineage, model_path="outputs/model", name=name)


def test_a_repeated_command_finds_the_version_it_made_before() -> None:
    registry = MemoryRegistry()

    first = register_model(command("r-1"), registry=registry, pipelines=PIPELINES)
    again = register_model(command("r-1"), registry=registry, pipelines=PIPELINES)
    other = register_model(command("r-2"), registry=registry, pipelines=PIPELINES)

    assert first == again == RegisteredModel(name="breast-cancer", version="1")
    assert other == RegisteredModel(name="breast-cancer", version="2")
    assert [(name, path) for name, _, path in registry.versions] == [("breast-cancer", "outputs/model")] * 2


def test_the_name_is_the_one_that_the_run_was_admitted_with() -> None:
    gone = Pipelines(Path("nowhere"))

    registered = register_model(command("r-1", "as-it-was"), registry=MemoryRegistry(), pipelines=gone)

    assert registered == RegisteredModel(name="as-it-was", version="1")
