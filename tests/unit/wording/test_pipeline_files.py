"""What is wrong with a pipeline's file."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.errors import PermanentError
from shared.pipelines import Pipelines, Surroundings, parse_pipeline
from tests.support.arrivals import a_pipeline
from tests.support.golden import compare
from tests.unit.shared import test_sealed_pipelines as sealed_pipelines


def refusal(text: str) -> str:
    with pytest.raises(PermanentError) as refused:
        parse_pipeline(text, source="churn.yaml")
    return refused.value.reason


def changed(field: str, value: object) -> str:
    document = a_pipeline().model_dump(mode="json")
    *parents, last = field.split(".")
    part = document
    for parent in parents:
        part = part[parent]
    part[last] = value
    return yaml.safe_dump(document)


def without(section: str) -> str:
    document = a_pipeline().model_dump(mode="json")
    del document[section]
    return yaml.safe_dump(document)


def test_pipeline_files(tmp_path: Path) -> None:
    fields: dict[str, object] = {
        "name": "Has Spaces",
        "retrain_every": "0 3 * *",
        "retrain_on": ["code"],
        "colour": "red",
        "data.prefix": "landing",
        "data.holdout": "/holdout.csv",
        "data.select": {"latest": 0},
        "settle.done_marker": "",
        "train.folder": "../etc",
        "train.queue.policy": "fifo",
        "train.quarantine_after": 0,
        "train.parameters": {"text": "x" * 9000},
        "judge.floor": "high",
        "judge.direction": "up",
        "deliver.targets": [],
    }
    cases = {f"{name}: {str(value)[:20]}": refusal(changed(name, value)) for name, value in fields.items()}
    sealed: dict[str, dict[str, Any]] = {
        "a placeholder that is unknown": {"train__command": sealed_pipelines.TRAIN.replace("model", "modle")},
        "a placeholder of the other command": {"evaluate__command": sealed_pipelines.TRAIN},
        "a placeholder that is missing": {"train__command": "python train.py ${{inputs.data}}"},
        "a parameter that is not declared": {"train__parameters": {}},
        "a parameter that nothing uses": {"train__parameters": {"alpha": 1, "beta": 2}},
        "a quote that is not closed": {"train__command": f"{sealed_pipelines.TRAIN} 'x"},
        "a command for a shell": {"train__command": f"{sealed_pipelines.TRAIN} && ls"},
        "no command to evaluate": {"evaluate": None},
        "no columns": {"data__columns": None},
        "columns of other files": {"data__format": "files"},
        "a bound of another kind": {"data__columns": {"a": {"kind": "integer", "least": 1.5}}},
        "memory without a unit": {"train__resources": {"memory": "4096"}},
    }
    for case, changes in sealed.items():
        with pytest.raises(PermanentError) as refused:
            sealed_pipelines.parsed(**changes)
        cases[case] = refused.value.reason
    cases |= {
        "a missing part": refusal(without("judge")),
        "not a mapping": refusal("- a\n"),
        "not YAML": refusal("a: [\n"),
        "an alias": refusal("a: *.csv\n"),
        "a key twice": refusal("name: a\nname: b\n"),
        "a date that does not exist": refusal("name: 2026-02-31\n"),
    }
    files = {"churn.yml": "", "folder.yaml/x": "", "other.yaml": changed("name", "another")}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "latin.yaml").write_bytes(b"name: \xe9")
    (tmp_path / "huge.yaml").write_text("#" * 300_000)
    cases |= {f"file {name}": reason for name, reason in Pipelines(tmp_path).broken.items()}
    around = Surroundings(sites=["line-2"], computes=[], targets=["edge"], folders=["churn"], function_seconds=100)
    good = tmp_path / "good"
    good.mkdir()
    for name in ("breast-cancer", "copy"):
        (good / f"{name}.yaml").write_text(yaml.safe_dump(a_pipeline(name).model_dump(mode="json")))
    cases["names that nothing defines"] = Pipelines(good, around=around).broken["breast-cancer"]
    (good / "copy.yaml").write_text(changed("name", "copy"))
    cases["the same model"] = Pipelines(good).broken["copy"]
    (good / "copy.yaml").write_text(yaml.safe_dump(a_pipeline("copy", prefix="").model_dump(mode="json")))
    for number, shared in enumerate(Pipelines(good).overlaps("copy")):
        cases[f"shared with another pipeline, {number}"] = shared
    with pytest.raises(PermanentError) as unknown:
        Pipelines(good).get("nobody")
    cases["an unknown pipeline"] = unknown.value.reason

    compare("pipeline_files", "What is wrong with a pipeline's file.", cases)
