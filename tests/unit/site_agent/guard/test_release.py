import gzip
import hashlib
import json
import os
import re
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from site_agent.job.failures import TrainingError
from site_agent.job.guard.contents import MOST_FILES
from site_agent.job.guard.inspection import inspect
from site_agent.job.guard.receipt import FAILED, PASSED
from site_agent.job.guard.release import EgressRefusedError, release_reason
from site_agent.job.guard.signing import verify
from tests.support.egress import FACTS, KEY, EgressRun, an_archive, an_array, measurements
from tests.support.job_orders import a_policy, parsed_order

RECEIPTS = {"receipt.json", "receipt.dsse.json", "checksums.json"}
WEIGHTS = an_array(np.linspace(-1, 1, 40).reshape(4, 10))
COMPARISON = {
    "rows": 114,
    "difference": -0.0123456789,
    "low": -0.02,
    "high": 0.001,
    "level": 0.95,
    "resamples": 2000,
    "method": "bca",
    "mcnemar": {"only_champion_wrong": 3, "only_challenger_wrong": 2, "p": 1.0},
    "worst_slice": {"name": "ward 7", "rows": 40, "difference": 0.1},
    "rows_needed": None,
}


@pytest.fixture
def run(tmp_path: Path) -> EgressRun:
    run = EgressRun(tmp_path / "run")
    (run.model / "weights.npy").write_bytes(WEIGHTS)
    return run


def refused(run: EgressRun) -> EgressRefusedError:
    with pytest.raises(EgressRefusedError) as caught:
        run.release()
    assert run.left() == RECEIPTS
    return caught.value


def test_a_model_and_its_metrics_leave_with_a_receipt(run: EgressRun) -> None:
    receipt = run.release()

    assert run.left() == RECEIPTS | {"model/weights.npy", "metrics.json"}
    assert (run.outputs / "model/weights.npy").read_bytes() == WEIGHTS
    assert [(each.name, each.kind, each.bytes) for each in receipt.released] == [
        ("model/weights.npy", "npy", len(WEIGHTS)),
        ("metrics.json", "json", len((run.outputs / "metrics.json").read_bytes())),
    ]
    assert {each.name: each.result for each in receipt.checks}.items() >= {
        ("formats", PASSED),
        ("training_rows", PASSED),
        ("row_shaped_arrays", PASSED),
        ("least_rows", PASSED),
        ("words_of_the_data", PASSED),
    }
    assert receipt.released_bytes == sum((run.outputs / each.name).stat().st_size for each in receipt.released)


def test_the_receipt_is_signed_and_has_the_digests_of_what_left(run: EgressRun) -> None:
    run.release()

    receipt = json.loads(verify(run.document("receipt.dsse.json"), KEY.public_key()))

    assert receipt == run.document("receipt.json")
    for each in receipt["released"]:
        assert hashlib.sha256((run.outputs / each["name"]).read_bytes()).hexdigest() == each["sha256"]
    assert receipt["network"] == [{"container": "train", "received": 0, "sent": 0}]
    assert (receipt["started_at"], receipt["ended_at"]) == ("2026-11-28T20:00:00+00:00", "2026-11-28T20:01:00+00:00")
    assert receipt["policy_sha256"] == a_policy().sha256


def test_checksums_name_every_other_file(run: EgressRun) -> None:
    run.release()

    sums = run.document("checksums.json")

    assert sums.keys() == run.left() - {"checksums.json"}
    for name, each in sums.items():
        content = (run.outputs / name).read_bytes()
        assert each == {"size": len(content), "md5": hashlib.md5(content, usedforsecurity=False).hexdigest()}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.bin", b"\x00\x01\x02\x03"),
        ("notes.txt", b"the patient in room 7 was treated on Monday"),
        ("picture.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256))),
        ("sitecustomize.py", b"import os\n"),
        ("program", b"\x7fELF" + bytes(64)),
        ("empty.json", b""),
        ("smoke.json", b"{}"),
        ("17.99_10.38_122.8_1001.npy", WEIGHTS),
        ("Zürich.npy", WEIGHTS),
        ("a b.npy", WEIGHTS),
        ("x" * 65 + ".npy", WEIGHTS),
    ],
)
def test_what_is_not_of_a_known_kind_or_has_no_plain_name_is_held_back(
    run: EgressRun, name: str, content: bytes
) -> None:
    (run.model / name).write_bytes(content)

    receipt = run.release()

    assert run.left() == RECEIPTS | {"model/weights.npy", "metrics.json"}
    (held,) = receipt.held_back
    assert held.bytes == len(content)
    text = (run.outputs / "receipt.json").read_text()
    assert not any(data in text for data in ("17.99", "rich", "room 7", "a b.npy"))


def test_links_pipes_and_sockets_are_held_back(run: EgressRun) -> None:
    outside = run.folder / "outside.npy"
    outside.write_bytes(WEIGHTS)
    (run.model / "link.npy").symlink_to(outside)
    (run.model / "folder").symlink_to(run.folder)
    (run.model / "hard.npy").hardlink_to(outside)
    os.mkfifo(run.model / "pipe.npy")
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(run.model)  # the path of a socket may have 107 bytes
        listening.bind("socket.npy")
        os.chdir(here)

        receipt = run.release()

    assert {each.name for each in receipt.held_back} == {"link.npy", "folder", "hard.npy", "pipe.npy", "socket.npy"}
    assert run.left() == RECEIPTS | {"model/weights.npy", "metrics.json"}


def test_a_sparse_file_is_held_back(run: EgressRun) -> None:
    with (run.model / "sparse.npy").open("wb") as file:
        file.write(WEIGHTS)
        file.truncate(1 << 30)

    receipt = run.release()

    assert [each.name for each in receipt.held_back] == ["sparse.npy"]


def test_files_in_folders_leave_under_their_names(run: EgressRun) -> None:
    (run.model / "parts" / "one").mkdir(parents=True)
    (run.model / "parts" / "one" / "w.npy").write_bytes(WEIGHTS)

    run.release()

    assert (run.outputs / "model/parts/one/w.npy").read_bytes() == WEIGHTS


def test_a_model_without_any_file_that_may_leave_fails_the_run(run: EgressRun) -> None:
    (run.model / "weights.npy").rename(run.model / "weights")
    (run.model / "weights").write_bytes(b"\x80\x04N.")

    error = refused(run)

    receipt = json.loads(verify(run.document("receipt.dsse.json"), KEY.public_key()))
    assert [each["kind"] for each in receipt["released"]] == ["reason"]
    assert {each["name"]: each["result"] for each in receipt["checks"]}["formats"] == FAILED
    assert "pickle" in str(error)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.joblib", b"\x80\x04N."),
        ("model.pkl.gz", gzip.compress(b"\x80\x04N.", mtime=0)),
        ("model.onnx", b"\x08\x09 and then what no program writes"),
        ("weights.pt", an_archive({"archive/data.pkl": b"\x80\x04N."})),
        ("objects.npy", WEIGHTS[:-8]),
    ],
)
def test_a_model_that_would_leave_without_a_part_of_it_fails_the_run(run: EgressRun, name: str, content: bytes) -> None:
    """Its candidate would fail where it serves, with an error that tells nobody why."""
    (run.model / name).write_bytes(content)

    error = refused(run)

    (finding,) = error.findings
    assert (finding.check, finding.where) == ("formats", f"model/{name}")
    (held,) = error.receipt.held_back
    assert (held.name, held.kind) == (name, "model")


def test_too_large_a_model_fails_the_run(tmp_path: Path) -> None:
    run = EgressRun(tmp_path / "run", policy="limits: {model: 1k}\n")
    (run.model / "a.npy").write_bytes(WEIGHTS)
    (run.model / "b.npy").write_bytes(an_array(np.zeros(1000)))

    error = refused(run)

    assert [each.where for each in error.findings] == ["model/b.npy"]
    assert "limits.model" in str(error)


def test_more_files_than_a_model_may_have_fail_the_run(run: EgressRun) -> None:
    for number in range(MOST_FILES):
        (run.model / f"part-{number}.npy").write_bytes(WEIGHTS)

    assert {each.check for each in refused(run).findings} == {"formats"}


def test_a_receipt_counts_the_rows_once_for_each_way_of_looking_for_them(run: EgressRun) -> None:
    details = {each.name: each.detail for each in run.release().checks}

    numbers = [int(number) for number in re.findall(r"\d+", details["training_rows"])]
    assert numbers[0] == run.rows
    assert max(numbers) == run.rows, "not more were looked for than there are"


def test_rows_in_the_model_fail_the_run_and_nothing_but_the_reason_leaves(run: EgressRun) -> None:
    (run.model / "extra.npy").write_bytes(an_array(run.table[:, :3]))

    error = refused(run)

    assert {each.check for each in error.findings} >= {"training_rows"}
    assert "extra.npy" in str(error)
    everything = b"".join((run.outputs / name).read_bytes() for name in run.left())
    assert repr(float(run.table[0, 0])).encode() not in everything


def test_the_policy_may_waive_the_check(tmp_path: Path) -> None:
    run = EgressRun(tmp_path / "run", policy="    row_check: waived\n")
    (run.model / "extra.npy").write_bytes(an_array(run.table))

    receipt = run.release()

    assert {each.result for each in receipt.checks if each.name == "training_rows"} == {"not_applicable"}
    assert "model/extra.npy" in run.left()


def test_a_training_on_few_rows_fails_whatever_the_model_is(tmp_path: Path) -> None:
    run = EgressRun(tmp_path / "run", rows=2)
    (run.model / "weights.npy").write_bytes(WEIGHTS)

    assert {each.check for each in refused(run).findings} == {"least_rows"}


def test_the_comparison_leaves_without_slices_that_the_policy_does_not_list(tmp_path: Path) -> None:
    metrics = {"log_loss": 0.3333333333, "of_the_champion_only": 1}
    champion = {"run_id": "r-1", "metrics": metrics, "trouble": "", "comparison": COMPARISON}
    run = EgressRun(tmp_path / "run", champion=champion)
    (run.model / "weights.npy").write_bytes(WEIGHTS)

    run.release()

    found = run.document("champion.json")
    assert found["metrics"] == {"log_loss": 0.333333}
    assert found["comparison"] == COMPARISON | {"difference": -0.0123457, "worst_slice": None}


@pytest.mark.parametrize(("rows", "shown"), [(40, True), (19, False)])
def test_a_listed_slice_leaves_when_it_has_enough_rows(tmp_path: Path, rows: int, *, shown: bool) -> None:
    comparison = COMPARISON | {"worst_slice": {"name": "ward 7", "rows": rows, "difference": 0.1}}
    champion = {"run_id": "r-1", "metrics": {}, "trouble": "", "comparison": comparison}
    run = EgressRun(tmp_path / "run", champion=champion, policy="leaves: {slices: [ward 7]}\n")
    (run.model / "weights.npy").write_bytes(WEIGHTS)

    run.release()

    assert (run.document("champion.json")["comparison"]["worst_slice"] is not None) == shown


@pytest.mark.parametrize("change", [{"low": float("nan")}, {"rows": 1.5}, {"method": "rows"}, {"resamples": -1}])
def test_a_comparison_that_is_not_one_fails_the_run(tmp_path: Path, change: dict[str, Any]) -> None:
    champion = {"run_id": "r-1", "metrics": {}, "trouble": "", "comparison": COMPARISON | change}
    run = EgressRun(tmp_path / "run", champion=champion)
    (run.model / "weights.npy").write_bytes(WEIGHTS)

    with pytest.raises(TrainingError):
        run.release()
    assert not run.outputs.exists()


def test_the_smoke_sample_leaves_with_the_model(tmp_path: Path) -> None:
    smoke = b'{"request": {"rows": [[1, 2, 3]]}, "response": {"predictions": [0]}, "tolerance": 1e-06}'
    run = EgressRun(tmp_path / "run", smoke=smoke)
    (run.model / "weights.npy").write_bytes(WEIGHTS)

    run.release()

    assert (run.outputs / "model/smoke.json").read_bytes() == smoke


def test_a_smoke_sample_with_a_training_row_fails_the_run(tmp_path: Path) -> None:
    run = EgressRun(tmp_path / "run")
    run.smoke = json.dumps({"request": {"rows": [run.table[7, :3].tolist()]}, "response": {}}).encode()
    (run.model / "weights.npy").write_bytes(WEIGHTS)

    assert {each.check for each in refused(run).findings} == {"training_rows"}


def test_metrics_that_are_a_row_of_the_hold_out_fail_the_run(run: EgressRun) -> None:
    run.held_out.mkdir()
    lines = [",".join(map(repr, row)) for row in measurements(60, seed=9).tolist()]
    (run.held_out / "holdout.csv").write_text("\n".join(["a,b,c,label", *lines]) + "\n")
    row = measurements(60, seed=9)[7].tolist()
    metrics = {"log_loss": 0.25} | {f"m{number}": value for number, value in enumerate(row)}
    (run.evaluation / "metrics.json").write_text(json.dumps(metrics))

    (found,) = refused(run).findings

    assert (found.check, found.where) == ("training_rows", "metrics values.numbers")
    assert "hold-out" in found.what


def test_categories_of_a_small_hold_out_leave_when_many_training_rows_have_them(tmp_path: Path) -> None:
    run = EgressRun(tmp_path / "run", smoke=b'{"request": {}, "response": {"ward": "surgery"}}')
    (run.model / "weights.npy").write_bytes(WEIGHTS)
    rows = [f"surgery,{number}" for number in range(200)]
    (run.data / "rows.csv").write_text("\n".join(["ward,age", *rows]) + "\n")
    run.held_out.mkdir()
    (run.held_out / "holdout.csv").write_text("ward,age\nsurgery,7\nsurgery,8\n")

    assert "model/smoke.json" in {each.name for each in run.release().released}


def test_too_large_a_smoke_sample_fails_the_run(tmp_path: Path) -> None:
    run = EgressRun(tmp_path / "run", smoke=json.dumps("x" * 70_000).encode())
    (run.model / "weights.npy").write_bytes(WEIGHTS)

    with pytest.raises(TrainingError):
        run.release()


def test_a_file_that_changes_while_it_is_looked_at_never_leaves(
    run: EgressRun, monkeypatch: pytest.MonkeyPatch
) -> None:

    def change(*arguments: Any, **options: Any) -> Any:
        look = inspect(*arguments, **options)
        with (run.model / "weights.npy").open("r+b") as file:
            file.seek(-8, os.SEEK_END)
            file.write(b"secretly")
        return look

    monkeypatch.setattr("site_agent.job.guard.release.inspect", change)

    with pytest.raises(TrainingError):
        run.release()
    assert not any(run.outputs.rglob("*.npy"))


def test_many_files_are_named_in_part_and_counted(run: EgressRun) -> None:
    for number in range(70):
        (run.model / f"note_{number}.txt").write_bytes(b"plain words, not a table")

    run.release()

    held = run.document("receipt.json")["held_back"]
    assert len(held) == 51
    assert sum(each["bytes"] for each in held) == 70 * len(b"plain words, not a table")


def test_a_run_that_failed_elsewhere_has_a_receipt_too(tmp_path: Path) -> None:
    receipt = release_reason("the training ended with 137", None, parsed_order(), tmp_path, facts=FACTS, key=KEY)

    document = json.loads(verify(json.loads((tmp_path / "receipt.dsse.json").read_text()), KEY.public_key()))
    assert document["released"] == [
        {
            "name": "reason",
            "kind": "reason",
            "bytes": 27,
            "sha256": hashlib.sha256(b"the training ended with 137").hexdigest(),
            "rule": "our own sentence",
        }
    ]
    assert receipt.policy_sha256 == ""


def test_an_archive_with_rows_in_a_member_is_found(run: EgressRun) -> None:
    (run.model / "parts.npz").write_bytes(an_archive({"w.npy": WEIGHTS, "x.npy": an_array(run.table)}))

    assert any(each.where.startswith("parts.npz x") for each in refused(run).findings)
