"""Large files and odd names, in both directions, on the SDK at both ends."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from tests.integration.azure_ml import sdk as calls
from tests.integration.azure_ml.conftest import Lab

Source = Callable[[str], Path]

MEBIBYTE = 1 << 20
BULKY = """
import hashlib, pathlib, random
from azureml.core import Run
run = Run.get_context(allow_offline=False)
pathlib.Path("outputs").mkdir()
for name, seed in (("outputs/collected.bin", 1), ("uploaded.bin", 2)):
    pathlib.Path(name).write_bytes(random.Random(seed).randbytes(30 << 20))
    print(hashlib.sha256(pathlib.Path(name).read_bytes()).hexdigest())
run.upload_file("outputs/uploaded.bin", "uploaded.bin")
"""
ODD = """
import pathlib
for name in NAMES:
    path = pathlib.Path("outputs", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(name)
pathlib.Path("outputs/link").symlink_to("/etc/hostname")
"""
NAMES = ["a b.txt", "100% done.txt", "a%20b.txt", "é+&=#?.txt", "deep/er/file", "empty folder/x", "same", "same2"]


def peak_memory(lab: Lab) -> int:
    assert lab.azure_ml.process is not None
    status = Path(f"/proc/{lab.azure_ml.process.pid}/status").read_text(encoding="utf-8")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) << 10


def test_thirty_mebibytes_pass_through_without_being_held(lab: Lab, source: Source) -> None:
    before = peak_memory(lab)

    lab.submit("bulky-1", source(BULKY))
    end = lab.end("bulky-1")
    files = lab.sdk(calls.digests, "bulky-1", "outputs")

    assert end["status"] == "Completed", end
    collected, uploaded = end["log"].split()
    assert files == {"collected.bin": collected, "uploaded.bin": uploaded}
    assert peak_memory(lab) - before < 25 * MEBIBYTE
    assert [path.name for path in (lab.azure_ml.state / "blobs").iterdir() if path.suffix] == []


def test_names_are_kept_as_they_are_and_links_are_not_followed(lab: Lab, source: Source) -> None:
    lab.submit("odd-1", source(f"NAMES = {NAMES!r}\n{ODD}"))
    end = lab.end("odd-1")

    assert end["status"] == "Completed", end
    assert end["files"] == sorted([*(f"outputs/{name}" for name in NAMES), "user_logs/std_log.txt"])
    assert lab.sdk(calls.download, "odd-1", "outputs") == {name: name.encode() for name in NAMES}
    assert list(lab.sdk(calls.download, "odd-1", "outputs/same").values()) == [b"same"]  # and not same2


def test_a_name_that_is_taken_is_a_conflict(lab: Lab, source: Source) -> None:
    script = (
        "import pathlib\n"
        "from azureml.core import Run\n"
        "run = Run.get_context(allow_offline=False)\n"
        "for text in ('first', 'second'):\n"
        "    pathlib.Path('x').write_text(text)\n"
        "    run.upload_file('kept/x', 'x')\n"
    )
    lab.submit("taken-1", source(script))
    end = lab.end("taken-1")

    assert end["status"] == "Failed"
    assert "Resource Conflict: ArtifactId ExperimentRun/dcid.taken-1/kept/x already exists" in end["error"]
    assert lab.sdk(calls.digests, "taken-1", "kept") == {"x": hashlib.sha256(b"first").hexdigest()}


def test_a_name_whose_content_never_came_is_not_offered(lab: Lab, source: Source) -> None:
    lab.submit("nameless-1", source("print('done')"))
    lab.end("nameless-1")
    send, token = lab.azure_ml.request, lab.azure_ml.token()
    place = lab.azure_ml.service("artifact/v2.0") + "/artifacts"
    history = f"{lab.azure_ml.service('history/v1.0')}/experiments/{calls.EXPERIMENT}"
    container, never = "ExperimentRun/dcid.nameless-1", "user_logs/never.txt"

    send("POST", f"{place}/batch/metadata/{container}", json={"paths": [{"path": never}]}, token=token)

    details = send("GET", f"{history}/runs/nameless-1/details", token=token).json()
    assert details["logFiles"].keys() == {"user_logs/std_log.txt"}
    assert send("GET", f"{place}/contentinfo/{container}/{never}", token=token).status_code == 404
    assert lab.sdk(calls.facts, "nameless-1")["files"] == ["user_logs/std_log.txt"]
