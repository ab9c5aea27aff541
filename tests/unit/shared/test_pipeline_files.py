"""Files in the folder of pipelines that are none, and pipelines that do not go together."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from shared.errors import PermanentError
from shared.pipelines import Pipelines, Surroundings
from shared.pipelines.files import LARGEST_FILE
from tests.unit.shared.test_pipelines import GOOD, changed

AROUND = Surroundings(sites={"factory"}, computes={"hub_vm"}, targets={"hub_vm"}, folders={"churn"})


def write(folder: Path, name: str, **changes: object) -> None:
    """A good file of that name, with these values at dotted paths."""
    raw = yaml.safe_load(GOOD) | {"name": name}
    raw["deliver"]["model"] = name
    for path, value in changes.items():
        part, field = path.split("__")
        raw[part][field] = value
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(raw))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfename: churn", "bad.yaml: is not UTF-8 (byte 0); save it as UTF-8"),
        (b"name: \xe9t\xe9", "bad.yaml: is not UTF-8 (byte 6); save it as UTF-8"),
        (b"# " + b"x" * LARGEST_FILE, f"bad.yaml: has {LARGEST_FILE + 2} bytes"),
        (GOOD.encode() + b"judge: {metric: auc, floor: 0.1}\n", "the key 'judge' occurs twice"),
        (changed("name", "bad").encode().replace(b"accuracy", b"a\n  metric: b"), "the key 'metric' occurs twice"),
        (b"name: bad\ndata: 2026-13-45\n", "not valid YAML: month must be in 1..12; put the value in quotes"),
        (b"name: " + b"[" * 5000, "bad.yaml: not valid YAML"),
        (b"name: " + b"9" * 5000, "bad.yaml: not valid YAML"),
        (b"name: bad\n? [a, b]\n: 1\n", "bad.yaml: "),
        (b"name: bad\n--- {}\n", "bad.yaml: not valid YAML: expected a single document"),
        (changed("judge.floor", float("nan")).encode(), "judge.floor: must be a finite number"),
        (changed("data.holdout", "h\x0b.csv").encode(), "data.holdout: must not contain control characters"),
    ],
    ids=range(12),
)
def test_what_cannot_be_read_is_kept_with_the_reason(tmp_path: Path, content: bytes, says: str) -> None:
    write(tmp_path, "churn")
    (tmp_path / "bad.yaml").write_bytes(content)

    pipelines = Pipelines(tmp_path)

    assert [each.name for each in pipelines.all] == ["churn"]
    assert says in pipelines.broken["bad"]
    assert len(pipelines.broken["bad"]) < 1500
    with pytest.raises(PermanentError, match=r"bad\.yaml: "):
        pipelines.get("bad")


def test_a_byte_order_mark_is_fine(tmp_path: Path) -> None:
    (tmp_path / "churn.yaml").write_text(GOOD, encoding="utf-8-sig")

    assert Pipelines(tmp_path).get("churn").name == "churn"


def test_a_value_that_stands_for_millions_is_said_in_few_words(tmp_path: Path) -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 40))
    body = "l0: &l0 [x]\n" + levels + GOOD.replace('pattern: "*.csv"', "select: *l39")
    (tmp_path / "churn.yaml").write_text(body)

    assert "must be all, new, or {latest: N}" in Pipelines(tmp_path).broken["churn"]


def test_what_is_named_otherwise_is_reported_and_not_read(tmp_path: Path) -> None:
    write(tmp_path, "churn")
    for name in ("fraud.yml", "Sales.YAML", "x\x1b[31m.yml"):
        (tmp_path / name).write_text(GOOD)
    (tmp_path / "Churn.yaml").write_text(changed("name", "Churn"))
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.yaml")
    for name in (".churn.yaml.swp", ".hidden.yaml", "churn.yaml~", "README.md"):
        (tmp_path / name).write_text("not ours")

    pipelines = Pipelines(tmp_path)

    assert [each.name for each in pipelines.all] == ["churn"]
    broken = pipelines.broken
    assert broken.pop("Churn").startswith("Churn.yaml: name: must be 1 to 48 lower-case letters")
    assert broken == {
        "Sales.YAML": "Sales.YAML: is not read; rename it to Sales.yaml",
        "folder": "folder.yaml: is a folder, not a file; rename it",
        "fraud.yml": "fraud.yml: is not read; rename it to fraud.yaml",
        "gone": "gone.yaml: cannot be read: No such file or directory; correct its rights, or remove it",
        "pipe": "pipe.yaml: is not an ordinary file; replace it with one",
        r"x\x1b[31m.yml": r"x\x1b[31m.yml: is not read; rename it to x\x1b[31m.yaml",
    }
    with pytest.raises(PermanentError, match=r"rename it to fraud\.yaml"):
        pipelines.get("fraud")


def test_a_file_name_that_is_no_text_is_named_as_text(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.yaml")).write_text(GOOD)

    [(name, reason)] = Pipelines(tmp_path).broken.items()

    assert name == r"caf\xe9"
    reason.encode("utf-8")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"data__site": "mars"}, "data.site: the app settings have no EDGETRAIN_SITES__MARS__...; add them"),
        ({"train__compute": "hub-mv"}, "EDGETRAIN_COMPUTES__HUB_MV__...; add them, or name one that is there (hub-vm)"),
        (
            {"deliver__targets": [{"name": "x"}]},
            "deliver.targets.0.name: the app settings have no EDGETRAIN_TARGETS__X",
        ),
        ({"train__folder": "fraud"}, "train.folder: there is no training/fraud with a score.py; add it"),
    ],
)
def test_a_name_that_nothing_stands_behind_is_refused_when_the_settings_are_known(
    tmp_path: Path, changes: dict[str, object], says: str
) -> None:
    write(tmp_path, "churn")
    write(tmp_path, "other", **changes)

    assert Pipelines(tmp_path).broken == {}
    pipelines = Pipelines(tmp_path, around=AROUND)

    assert [each.name for each in pipelines.all] == ["churn"]
    assert says in pipelines.broken["other"]
    assert pipelines.broken["other"].startswith("other.yaml: ")


@pytest.mark.parametrize(
    ("health", "limit", "broken"),
    [
        (1800, 1800, True),
        (1561, 1800, True),
        (1560, 1800, False),
        (3600, None, False),
        (60, 300, False),
        (60, 200, True),
    ],
)
def test_a_verification_that_the_host_would_end_is_refused(
    tmp_path: Path, health: float, limit: float | None, broken: bool
) -> None:
    write(tmp_path, "churn", deliver__targets=[{"name": "hub-vm", "health_seconds": health}])

    found = Pipelines(tmp_path, around=replace(AROUND, function_seconds=limit)).broken

    assert bool(found) == broken
    if broken:
        assert f"deliver.targets.0.health_seconds: {health}, and" in found["churn"]
        assert "functionTimeout in host.json" in found["churn"]


def test_two_pipelines_under_one_model_name_are_one_too_many(tmp_path: Path) -> None:
    write(tmp_path, "churn", data__container="a")
    write(tmp_path, "churn-two", data__container="b", deliver__model="Churn")

    pipelines = Pipelines(tmp_path)

    assert [each.name for each in pipelines.all] == ["churn"]
    assert pipelines.broken == {
        "churn-two": "churn-two.yaml: deliver.model: Churn is the model of pipeline churn; give it a name of its own"
    }


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"data__prefix": "landing/"}, "watches blobs that pipeline churn watches too (landing/*.csv)"),
        ({"data__prefix": "landing/new/"}, "watches blobs that pipeline churn watches too"),
        ({"data__prefix": "", "data__pattern": "*"}, "watches blobs that pipeline churn watches too"),
        (
            {"data__prefix": "holdout/", "data__holdout": "mine.csv"},
            "includes holdout/holdout.csv, the hold-out of pipeline churn",
        ),
        ({"data__prefix": "other/"}, ""),
        ({"data__container": "other"}, ""),
        ({"data__site": "far"}, ""),
        ({"data__pattern": "*.png"}, ""),
    ],
    ids=range(8),
)
def test_what_two_pipelines_share_is_named_and_not_refused(tmp_path: Path, data: dict[str, object], says: str) -> None:
    write(tmp_path, "churn")
    write(tmp_path, "other", **data)

    pipelines = Pipelines(tmp_path)

    assert pipelines.broken == {}
    found = pipelines.overlaps("other")
    assert len(found) == bool(says)
    assert all(says in each for each in found)
