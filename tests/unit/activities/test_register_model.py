from pathlib import Path

from activities.register_model import register_model
from shared.decisions.delivery.model_stages import TagChange
from shared.errors import TransientError
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
    assert [(name, path) for name, _, path in registry.registered] == [("breast-cancer", "outputs/model")] * 2


def test_the_name_is_the_one_that_the_run_was_admitted_with() -> None:
    gone = Pipelines(Path("nowhere"))

    registered = register_model(command("r-1", "as-it-was"), registry=MemoryRegistry(), pipelines=gone)

    assert registered == RegisteredModel(name="as-it-was", version="1")


def test_of_two_versions_of_a_run_the_lower_one_is_it_and_the_other_is_marked() -> None:
    mine = command("r-1")

    class AnotherIsQuicker(MemoryRegistry):
        """Another command for the same run registers after this one has looked."""

        def register(self, lineage: Lineage, *, name: str, path: str) -> RegisteredModel:
            super().register(lineage, name=name, path=path)
            return super().register(lineage, name=name, path=path)

    registry = AnotherIsQuicker()
    answer = register_model(mine, registry=registry, pipelines=PIPELINES)

    assert answer == RegisteredModel(name="breast-cancer", version="1")
    assert registry.tags == {1: {"stage": "candidate"}, 2: {"stage": "retired", "duplicate_of": "1"}}


def test_a_double_that_cannot_be_marked_now_does_not_fail_the_run() -> None:
    class NoTags(MemoryRegistry):
        def tag(self, change: TagChange) -> None:
            raise TransientError("Azure ML answers 503")

    registry = NoTags()
    for _ in range(2):
        registry.register(command("r-1").lineage, name="breast-cancer", path="outputs/model")

    answer = register_model(command("r-1"), registry=registry, pipelines=PIPELINES)

    assert answer == RegisteredModel(name="breast-cancer", version="1")
