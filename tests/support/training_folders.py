"""Runs the programs of a training folder as a run does: its files and the common ones lie in one directory."""

import importlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from local_stack.demo_data import DataStory

TRAINING = Path(__file__).resolve().parents[2] / "training"


def folder_modules(folder: str, *names: str) -> tuple[ModuleType, ...]:
    """Modules of a training folder and of ``training/common``; for other imports, nothing changes."""
    places = [str(TRAINING / folder), str(TRAINING / "common")]
    before = {name: module for name, module in sys.modules.items() if _is_ours(module)}
    for name in before:
        del sys.modules[name]
    sys.path[:0] = places
    try:
        return tuple(importlib.import_module(name) for name in names)
    finally:
        del sys.path[: len(places)]
        for name in [name for name, module in sys.modules.items() if _is_ours(module)]:
            del sys.modules[name]
        sys.modules.update(before)


def _is_ours(module: ModuleType) -> bool:
    return str(getattr(module, "__file__", None) or "").startswith(str(TRAINING))


@dataclass(frozen=True)
class Evaluated:
    """What ``evaluate.py`` left."""

    metrics: dict[str, float]
    rows: list[list[str]]

    @property
    def losses(self) -> list[float]:
        """The loss of each held-out row."""
        return [float(row[0]) for row in self.rows]


@dataclass(frozen=True)
class Programs:
    """The programs of one folder, and a place for what they read and write."""

    train: ModuleType
    evaluate: ModuleType
    score: ModuleType
    place: Path

    def fit(self, *drops: dict[str, bytes], name: str = "model", options: tuple[str, ...] = ()) -> Path:
        """Run ``train.py`` on all drops; the folder with the model."""
        data, model = self.place / f"{name}-data", self.place / name
        model.mkdir()
        for drop in drops:
            for blob, content in drop.items():
                path = data / blob
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        self.train.main(["--data", str(data), "--model", str(model), *options])
        return model

    def measure(self, model: Path, story: DataStory) -> Evaluated:
        """Run ``evaluate.py`` on the story's hold-out."""
        holdout, out = self.place / Path(story.holdout_name).name, self.place / f"{model.name}-evaluation"
        holdout.write_bytes(story.holdout)
        out.mkdir()
        self.evaluate.main(["--model", str(model), "--holdout", str(holdout), "--out", str(out)])
        header, *lines = (out / "rows.csv").read_text().splitlines()
        assert header in {"loss", "loss,slice"}
        return Evaluated(json.loads((out / "metrics.json").read_text()), [line.split(",") for line in lines])

    def answers(self, model: Path, request: Any) -> Any:
        """What ``score.py`` answers."""
        return self.score.answer(self.score.load(model), request)


def programs(folder: str, place: Path) -> Programs:
    """The programs of a folder."""
    train, evaluate, score = folder_modules(folder, "train", "evaluate", "score")
    return Programs(train, evaluate, score, place)


def sample_of(folder: str) -> Any:
    """The request in ``sample.json``."""
    return json.loads((TRAINING / folder / "sample.json").read_text())
