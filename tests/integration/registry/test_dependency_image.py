"""``edgetrain dependency-image`` as a person runs it, with two small libraries and a base of a few bytes."""

import io
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from shared.oci.images import describe
from shared.oci.references import ImageName
from shared.oci.transfer import FoundImage, Parts, find_image, push_image
from shared.training_code.environment_key import environment_key
from tests.support.arrivals import EVALUATE, train_command
from tests.support.azurite import running_azurite
from tests.support.image_registry import a_base_image
from tests.support.registry import RunningRegistry
from tests.support.signing import image_signatures, signing_settings

ROOT = Path(__file__).resolve().parents[3]
LOCK = "threadpoolctl==3.8.0\ntyping-extensions==4.16.0\n"
PIPELINE = """
name: {name}
data: {{site: s, container: c, holdout: h, format: files}}
train: {{folder: {folder}, compute: vm, command: "{train}"}}
evaluate: {{command: "{evaluate}"}}
judge: {{metric: m, floor: 0}}
deliver: {{model: m, targets: [{{name: vm}}]}}
"""


class Tool:
    """The command in a folder of its own: its app root, its cache, its base."""

    def __init__(self, folder: Path, registry: RunningRegistry, name: str) -> None:
        self.app_root, self.cache, self.base = folder / "app", folder / "cache", folder / "base.tar"
        self.registry, self.pipeline, self.folder = registry, name, name.replace("-", "_")
        self.more: dict[str, str] = {}
        files = {
            f"pipelines/{name}.yaml": PIPELINE.format(
                name=name, folder=self.folder, train=train_command(), evaluate=EVALUATE
            ),
            f"training/{self.folder}/sample.json": "{}",
            f"training/{self.folder}/score.py": "",
            f"training/{self.folder}/requirements.txt": LOCK,
            "training/common/scoring.py": "",
        }
        for path, text in files.items():
            (self.app_root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.app_root / path).write_text(text)
        with tarfile.open(self.base, "w") as archive:
            archive.addfile(tarfile.TarInfo("etc"))

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*arguments), check=False, capture_output=True, text=True, env=self.environment(), cwd=ROOT
        )

    def command(self, *arguments: str) -> list[str]:
        where = ["--app-root", str(self.app_root), "--cache", str(self.cache)]
        return [sys.executable, "-m", "cli", "dependency-image", "--pipeline", self.pipeline, *where, *arguments]

    def environment(self) -> dict[str, str]:
        settings = {"EDGETRAIN_CONTAINER_REGISTRY__URL": self.registry.url, **signing_settings(self.cache.parent)}
        return os.environ | settings | self.more

    @property
    def name(self) -> ImageName:
        return ImageName(f"scoring/{self.folder}", environment_key(LOCK))

    def image(self) -> FoundImage:
        with self.registry.client() as client:
            found = find_image(client, self.name)
        assert found is not None
        return found


@pytest.fixture
def tool(tmp_path: Path, open_registry: RunningRegistry, repository: str) -> Tool:
    return Tool(tmp_path, open_registry, f"p-{repository.removeprefix('test/')}")


def test_the_image_holds_the_libraries_and_knows_how_to_serve(tool: Tool) -> None:
    done = tool.run("--base-tar", str(tool.base))

    assert done.returncode == 0, done.stderr
    assert f"{tool.registry.host}/{tool.name} is ready" in done.stdout
    image = tool.image().image
    runtime = image.config["config"]
    assert runtime["Entrypoint"] == [
        "python3",
        "-m",
        "azureml_inference_server_http",
        "--entry_script",
        "/var/azureml-app/score.py",
    ]
    assert runtime["Cmd"] == ["--port", "5001"]
    assert runtime["User"] == "10001:10001"
    assert runtime["ExposedPorts"] == {"5001/tcp": {}}
    variables = dict(line.split("=", 1) for line in runtime["Env"])
    assert variables["PYTHONPATH"] == "/opt/site"
    assert variables["HOME"] == "/tmp"
    assert variables["AZUREML_MODEL_DIR"] == "/var/azureml-app/model"
    assert variables["AML_APP_ROOT"] == "/var/azureml-app"
    names = _names(tool, image.layers[1].digest)
    assert {"opt/site/threadpoolctl.py", "opt/site/typing_extensions.py", "var/azureml-app"} <= names
    assert "opt/site/__pycache__/threadpoolctl.cpython-311.pyc" in names
    assert not any(name.startswith("opt/site/bin") for name in names)


def test_a_second_run_finds_the_image_and_a_rebuild_makes_the_same(tool: Tool) -> None:
    tool.run("--base-tar", str(tool.base))
    first = tool.image().digest

    again = tool.run("--base-tar", str(tool.base))
    assert f"is there already, and signed ({first})" in again.stdout

    # Another cache: nothing is reused, and yet not a byte differs.
    tool.cache = tool.cache.parent / "a-cache-with-a-longer-name"
    rebuilt = tool.run("--base-tar", str(tool.base), "--rebuild")
    assert "libraries" in rebuilt.stdout
    assert tool.image().digest == first


def test_the_image_is_pinned_and_a_tag_that_moved_is_refused(tool: Tool, tmp_path: Path) -> None:
    unpinned = tool.run("--base-tar", str(tool.base))
    assert "AzureWebJobsStorage" in unpinned.stdout, "without the ledger's setting it says who will pin it"
    assert tool.run("--base-tar", str(tool.base), "--pin").returncode == 1

    with running_azurite(tmp_path / "ledger", services=("table",)) as accounts:
        tool.more = {"AzureWebJobsStorage": accounts["testaccount"]}
        first = tool.image()
        assert f"is pinned to {first.digest}" in tool.run().stdout
        moved = describe(first.image, {"moved": "yes"})
        with tool.registry.client() as client:
            push_image(client, moved, tool.name, Parts(repository=tool.name.repository))

        unsigned = tool.run("--base-tar", str(tool.base))
        assert (unsigned.returncode, moved.digest in unsigned.stderr) == (1, True)
        assert "--rebuild" in unsigned.stderr
        with tool.registry.client() as client:
            image_signatures(client).sign(tool.name.repository, moved.descriptor, [])
        refused = tool.run()
        assert (refused.returncode, first.digest in refused.stderr) == (1, True)
        assert f"is pinned to {moved.digest}" in tool.run("--pin").stdout
        assert tool.run().returncode == 0


def test_an_image_of_the_registry_can_be_the_base(tool: Tool, tmp_path: Path) -> None:
    base, parts = a_base_image(tmp_path)
    with tool.registry.client() as client:
        push_image(client, base, ImageName(f"base/{tool.folder}", "1"), parts)

    done = tool.run("--base", f"base/{tool.folder}:1")

    assert done.returncode == 0, done.stderr
    found = tool.image()
    assert found.image.layers[:1] == base.layers
    assert found.image.annotations["org.opencontainers.image.base.digest"] == base.digest
    assert "A=1" in found.image.config["config"]["Env"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--base", "no/such:1"), "no/such:1; import it, use --base-tar"),
        (("--base", "nonsense"), "'nonsense' names no tag"),
        (("--base-tar", "/no/such.tar"), "--base-tar /no/such.tar"),
    ],
)
def test_a_bad_base_is_one_sentence(tool: Tool, arguments: tuple[str, ...], said: str) -> None:
    done = tool.run(*arguments)

    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_pipeline_is_one_sentence(tool: Tool) -> None:
    tool.pipeline = "unheard-of"

    done = tool.run()

    assert (done.returncode, done.stdout) == (1, "")
    assert "'unheard-of'; known: p-" in done.stderr


def test_a_library_that_does_not_exist_is_one_sentence(tool: Tool) -> None:
    lock = tool.app_root / "training" / tool.folder / "requirements.txt"
    lock.write_text("threadpoolctl==0.0.1.dev999\n")

    done = tool.run("--base-tar", str(tool.base))

    assert done.returncode == 1
    assert "error: pip failed: ERROR: " in done.stderr
    assert _left_over(tool.cache) == []


@pytest.mark.parametrize("before", [(), ("sh", "-c", 'trap "" INT; exec "$@"', "sh")], ids=["usual", "background"])
def test_an_interrupted_run_leaves_nothing(tool: Tool, tmp_path: Path, before: tuple[str, ...]) -> None:
    """With a base builder that never ends, and that notes when it is told to; also as a background job starts it."""
    programs = tmp_path / "programs"
    programs.mkdir()
    builder = programs / "mmdebstrap"
    builder.write_text(
        "#!/bin/sh\n"
        f"trap 'touch {tmp_path}/interrupted; exit 1' INT\n"
        "echo half a tar\n"
        f"touch {tmp_path}/started\n"
        "while :; do sleep 0.05; done\n"
    )
    builder.chmod(0o755)
    environment = tool.environment() | {"PATH": f"{programs}:{os.environ['PATH']}"}
    process = subprocess.Popen([*before, *tool.command()], env=environment, cwd=ROOT, stderr=subprocess.PIPE)
    _wait_for_file(tmp_path / "started", process)

    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=300)

    assert process.returncode == 130
    assert errors == b"interrupted; nothing incomplete was left behind\n"
    assert (tmp_path / "interrupted").exists()
    assert _left_over(tool.cache) == []


def test_a_file_that_is_missing_is_named(tool: Tool) -> None:
    (tool.app_root / "training" / tool.folder / "requirements.txt").unlink()

    done = tool.run("--base-tar", str(tool.base))

    assert done.returncode == 1
    assert f"training/{tool.folder}/requirements.txt is missing" in done.stderr


def _names(tool: Tool, digest: str) -> set[str]:
    with tool.registry.client() as client:
        blob = client.get_blob(tool.name.repository, digest)
    with tarfile.open(fileobj=io.BytesIO(blob), mode="r:gz") as archive:
        return set(archive.getnames())


def _left_over(cache: Path) -> list[str]:
    """Everything but whole layers and their notes."""
    return [path.name for path in (cache / "layers").iterdir() if path.suffix not in {".gz", ".json", ".txt"}]


def _wait_for_file(path: Path, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 300
    while not path.exists():
        assert process.poll() is None, "it ended before it began"
        assert time.monotonic() < deadline, f"there is no {path.name}"
        time.sleep(0.02)
