"""The shipped pipelines, each in its own dependency image, through the installed job: real data, real containers.

And one whose script was not written for this: it logs with MLflow's autolog and saves its model as MLflow does.
"""

import json
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from cli.dependency_image import debian_base, ensure_dependency_image
from cli.layer_cache import LayerCache
from local_stack.demo_data import DataStory, breast_cancer_story
from local_stack.sample_data import STORIES
from shared.clients.container_registry import connect
from shared.decisions.admission.run_plan import plan_of
from shared.messages import ModelFormat
from shared.pipelines import Pipeline, Pipelines
from shared.serving.smoke import difference, parse_smoke
from shared.settings import ContainerRegistry
from shared.training_code.job_folders import JobFolders
from shared.training_code.job_trees import JobTree
from shared.training_code.scoring_images import scoring_parts
from shared.wire_contracts.job_order import order_text
from tests.integration.training_driver import hub as hubs
from tests.support.builders import a_training_order
from tests.support.job_vm import Ended, Site, Vm
from tests.support.scoring_image import ImageRegistry
from tests.support.signing import image_signatures

ROOT = Path(__file__).resolve().parents[3]
AUTOLOG = ROOT / "tests/support/autolog"
IN_E2E = ("breast-cancer", "diabetes")  # test_story.py and test_every_kind.py train them sealed
SHIPPED = ["digits", "scans", *(pytest.param(name, marks=pytest.mark.on_demand) for name in IN_E2E)]
RECEIPTS = {"receipt.json", "receipt.dsse.json", "checksums.json"}

_ANSWER = "import json, sys, score; score.init(); print(json.dumps(score.run(sys.stdin.read())))"

# The first one that needs an image makes it, which takes a minute and asks the package index.
pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@dataclass
class Case:
    """A pipeline with its code and data, ready to be run as often as one likes."""

    vm: Vm
    pipeline: Pipeline
    tree: JobTree
    story: DataStory
    image: str
    policy: dict[str, Any] = field(default_factory=dict)

    def run(self, **changes: Any) -> Ended:
        """Run the job on what is on the hub; ``changes`` are of the plan's workload."""
        rule = {"site": "factory", "containers": [self.vm.container], "prefixes": ["landing/", "holdout/"]}
        policy = {"registries": [self.vm.registry.address], "pipelines": {self.pipeline.name: rule | self.policy}}
        self.vm.installed.write_policy(json.dumps(policy))
        shutil.rmtree(self.vm.folder, ignore_errors=True)
        self.tree.stage(self.vm.work / "code")
        return self.vm.run(self.order(**changes))

    def assert_what_left_answers(self) -> None:
        """In the image, with the released files and nothing else, the sample is answered as the site said."""
        smoke = parse_smoke((self.vm.outputs / "model/smoke.json").read_text())
        printed = self.vm.podman(
            *("run", "--rm", "--network", "none", "--user", "0", "--interactive", "--entrypoint", "python3"),
            *("--env", "AZUREML_MODEL_DIR=/model", "--volume", f"{self.vm.outputs / 'model'}:/model:ro"),
            *("--volume", f"{self.vm.work / 'code'}:/code:ro", "--workdir", "/code", self.image, "-c", _ANSWER),
            stdin=json.dumps(smoke.request).encode(),
        )
        answer = json.loads(printed.splitlines()[-1])
        assert difference(smoke.response, answer, tolerance=smoke.tolerance) is None

    def order(self, **changes: Any) -> str:
        """What the app would send."""
        workload = plan_of(self.pipeline, self.tree.frozen).workload
        assert workload is not None
        snapshot = hubs.take_snapshot(
            self.vm.hub, self.pipeline.name, container=self.vm.container, holdout=self.story.holdout_name
        )
        order = a_training_order(
            pipeline=self.pipeline.name,
            snapshot=snapshot,
            parameters=dict(self.pipeline.train.parameters),
            judged_metric=self.pipeline.judge.metric,
        )
        return order_text(order, replace(workload, **changes), image=self.image, seconds=600)


@pytest.fixture
def case(site: Site, tmp_path: Path) -> Callable[[str], Case]:
    def prepared(name: str) -> Case:
        story = replace(breast_cancer_story(), pipeline=name) if name == "autolog" else STORIES[name]()
        root = with_autolog(tmp_path / "app") if name == "autolog" else ROOT
        pipeline = Pipelines(root / "pipelines").get(name)
        tree = JobFolders(root).read(pipeline.train.folder)
        container = f"{name}-{secrets.token_hex(8)}"
        vm = Vm(site.installed, site.podman, site.registry, site.hub, "", tmp_path / "vm", container, patience=500)
        vm.put({story.holdout_name: story.holdout, **story.first, **story.second})
        return Case(vm, pipeline, tree, story, built(tree, site.registry))

    return prepared


def with_autolog(root: Path) -> Path:
    """An app with that one pipeline."""
    (root / "pipelines").mkdir(parents=True)
    shutil.copy(AUTOLOG / "autolog.yaml", root / "pipelines")
    shutil.copytree(ROOT / "training/common", root / "training/common")
    shutil.copytree(AUTOLOG, root / "training/autolog", ignore=shutil.ignore_patterns("*.yaml", "__pycache__"))
    return root


def built(tree: JobTree, registry: ImageRegistry) -> str:
    """The dependency image of a folder, by digest."""
    cache = LayerCache(ROOT / ".local/cache")
    parts = scoring_parts(tree)
    settings = ContainerRegistry(
        url=f"http://{registry.address}", username=registry.username, password=SecretStr(registry.password)
    )
    with connect(settings) as client:
        digest = ensure_dependency_image(
            parts,
            signatures=image_signatures(client),
            make_base=lambda: debian_base(cache, print),
            cache=cache,
            say=print,
        )
    return f"{registry.address}/{parts.dependency_image.repository}@{digest}"


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_pipeline_trains_sealed_and_its_model_leaves(name: str, case: Callable[[str], Case]) -> None:
    run = case(name)

    ended = run.run()

    assert (ended.status, ended.tags) == (0, {}), ended.printed
    models = {left for left in run.vm.left() if left.startswith("model/")} - {"model/smoke.json"}
    assert models == ({"model/model.onnx"} if name == "scans" else {"model/model.skops"})
    assert run.vm.left() == models | RECEIPTS | {"model/smoke.json", "metrics.json"}
    metric = ended.metrics[run.pipeline.judge.metric]
    assert 0 < metric < run.pipeline.judge.floor
    smoke = json.loads((run.vm.outputs / "model/smoke.json").read_text())
    assert smoke["request"] == json.loads(run.tree.files["sample.json"])
    assert len(smoke["response"]["predictions"]) >= 2
    run.assert_what_left_answers()
    receipt = run.vm.receipt()
    assert receipt["held_back"] == []
    assert all(each["result"] in {"passed", "not_applicable"} for each in receipt["checks"])
    assert all((each["received"], each["sent"]) == (0, 0) for each in receipt["network"])


def test_a_script_that_logs_with_mlflow_runs_as_it_is(case: Callable[[str], Case]) -> None:
    run = case("autolog")

    ended = run.run()

    assert (ended.status, ended.tags) == (0, {}), ended.printed
    assert {"model/trained_model/MLmodel", "model/trained_model/model.skops"} <= run.vm.left()
    assert {"accuracy", "log_loss", "training_accuracy_score"} <= ended.metrics.keys()
    assert ended.metrics["log_loss"] < run.pipeline.judge.floor
    assert [each["name"] for each in run.vm.receipt()["held_back"]] == ["trained_model/requirements.txt"]
    run.assert_what_left_answers()


def test_its_pickle_leaves_only_where_pipeline_and_site_say_so(case: Callable[[str], Case]) -> None:
    run = case("autolog")
    command = f"{run.pipeline.train.command} --format pickle"
    pickle = "model/trained_model/model.pkl"

    alone = run.run(train=command)
    assert alone.status == 1
    assert pickle in alone.reason, "what leaves without it is no model"
    assert run.vm.left() == RECEIPTS
    held = {each["name"]: each["reason"] for each in run.vm.receipt()["held_back"]}
    assert "pickle" in held["trained_model/model.pkl"]

    refused = run.run(train=command, model_format=ModelFormat.PICKLE)
    assert refused.status == 1
    assert "pipelines.autolog.pickles" in refused.reason

    run.policy = {"pickles": "allowed"}
    ended = run.run(train=command, model_format=ModelFormat.PICKLE)
    assert (ended.status, ended.tags) == (0, {}), ended.printed
    assert pickle in run.vm.left()
    run.assert_what_left_answers()
