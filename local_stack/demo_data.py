"""The data of the demo and of the tests, cut into drops: a hold-out, a first, a second and a bad drop. Repeatable.

Two are data sets that scikit-learn ships, shuffled once with a fixed seed; their bad drop repeats rows from the rest,
with their labels shuffled among them, as if a column had been sorted by mistake. How the others are made is told in
:mod:`local_stack.demo_patients` and :mod:`local_stack.demo_scans`.
"""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits

from local_stack import demo_patients, demo_scans
from shared.pipelines import Pipelines

PIPELINES = Path(__file__).resolve().parent.parent / "pipelines"
SEED = 7
HOLDOUT_BLOB = "holdout/holdout.csv"


@dataclass(frozen=True, slots=True)
class DataStory:
    """What lands on the hub, drop by drop (blob name -> content), and what to ask the deployed model.

    The requests speak the pipeline's scoring format; every pipeline answers with ``{"predictions": [...], ...}``.
    ``sample_request`` asks about one held-out row, ``holdout_request`` about all of them; ``holdout_truths`` are what
    they really are.
    """

    pipeline: str
    holdout_name: str
    holdout: bytes
    first: dict[str, bytes]
    second: dict[str, bytes]
    bad: dict[str, bytes]
    sample_request: dict[str, Any]
    holdout_request: dict[str, Any]
    holdout_truths: tuple[int | float | str, ...]


def breast_cancer_story() -> DataStory:
    """119 rows held out; drops of 200 rows (two files), 150 rows (one file) and 200 shuffled rows."""
    data = load_breast_cancer()
    return _cut(
        _Source("breast-cancer", data.data, data.target, _features("breast-cancer")),
        sizes=(119, 200, 150, 200),
        request=lambda rows: {"rows": rows.tolist()},
    )


def breast_cancer_burst() -> DataStory:
    """The same hold-out and bad drop; the first drop is 250 samples, each measured twice, in 500 files of one row.

    The second drop has the 100 rows that are left.
    """
    data = load_breast_cancer()
    source = _Source("breast-cancer", data.data, data.target, _features("breast-cancer"))
    story = _cut(source, sizes=(119, 250, 100, 200), request=lambda rows: {"rows": rows.tolist()})
    rows = [row for content in story.first.values() for row in content.splitlines()[1:]]
    header = next(iter(story.first.values())).splitlines()[0]
    files = {f"landing/part-{number:03d}.csv": b"%s\n%s\n" % (header, row) for number, row in enumerate(rows * 2, 1)}
    return replace(
        story,
        first=files,
        second={"landing/second-drop.csv": only(story.second)},
        bad={"landing/bad-drop.csv": only(story.bad)},
    )


def only(files: dict[str, bytes]) -> bytes:
    """The content of the one file."""
    (content,) = files.values()
    return content


def digits_story() -> DataStory:
    """397 images held out; drops of 500 images (two files), 400 images (one file) and 500 shuffled images."""
    data = load_digits()
    return _cut(
        _Source("digits", data.data, data.target, _features("digits")),
        sizes=(397, 500, 400, 500),
        request=lambda rows: {"images": rows.reshape(-1, 8, 8).tolist()},
    )


def diabetes_story() -> DataStory:
    """300 visits held out; drops of 1,000 visits (two files), 800 visits (one file) and 1,200 shuffled visits."""
    holdout, training, bad = demo_patients.tables((300, 500, 500, 800, 1200))
    parts = [demo_patients.parquet(table) for table in (*training, bad)]
    return DataStory(
        pipeline="diabetes",
        holdout_name=demo_patients.HOLDOUT_BLOB,
        holdout=demo_patients.parquet(holdout),
        first={f"landing/part-{number}.parquet": parts[number - 1] for number in (1, 2)},
        second={"landing/part-3.parquet": parts[2]},
        bad={"landing/part-4.parquet": parts[3]},
        sample_request=demo_patients.requests(holdout.iloc[:1]),
        holdout_request=demo_patients.requests(holdout),
        holdout_truths=tuple(holdout[demo_patients.TARGET].tolist()),
    )


def scans_story() -> DataStory:
    """150 scans held out, in one zip archive; drops of 180, 120 and 180 scans, each a file."""
    held_out, *parts = demo_scans.drops(150, 180, 120, 180)
    first, second, bad = (
        demo_scans.files(scans, below="landing/", drop=number) for number, scans in enumerate(parts, 1)
    )
    # In the order of the names in the archive, which is the order that it is read in.
    held_out.sort(key=lambda scan: scan[0])
    return DataStory(
        pipeline="scans",
        holdout_name=demo_scans.HOLDOUT_BLOB,
        holdout=demo_scans.archive(demo_scans.files(held_out, below="", drop=0)),
        first=first,
        second=second,
        bad=bad,
        sample_request=demo_scans.requests(held_out[:1]),
        holdout_request=demo_scans.requests(held_out),
        holdout_truths=tuple(kind for kind, _ in held_out),
    )


@dataclass(frozen=True, slots=True)
class _Source:
    pipeline: str
    features: NDArray[np.float64]
    labels: NDArray[np.int64]
    columns: Sequence[str]

    def take(self, rows: NDArray[np.int64]) -> "_Source":
        return _Source(self.pipeline, self.features[rows], self.labels[rows], self.columns)

    def csv(self) -> bytes:
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*self.columns, "label"])
        for row, label in zip(self.features.tolist(), self.labels.tolist(), strict=True):
            writer.writerow([*row, label])
        return text.getvalue().encode()


def _features(pipeline: str) -> list[str]:
    """The columns that the pipeline's file declares, in the order of the data set's, but for the label."""
    return [name for name in Pipelines(PIPELINES).get(pipeline).data.columns if name != "label"]


def _cut(
    source: _Source, *, sizes: tuple[int, int, int, int], request: Callable[[NDArray[np.float64]], dict[str, Any]]
) -> DataStory:
    chance = np.random.default_rng(SEED)
    order = chance.permutation(len(source.labels))
    held_out, first, second, bad = sizes
    parts = np.split(order, np.cumsum([held_out, first // 2, first - first // 2, second]))
    rest = source.take(order[-bad:])
    shuffled = _Source(rest.pipeline, rest.features, chance.permutation(rest.labels), rest.columns)
    holdout = source.take(parts[0])
    return DataStory(
        pipeline=source.pipeline,
        holdout_name=HOLDOUT_BLOB,
        holdout=holdout.csv(),
        first={f"landing/part-{number}.csv": source.take(parts[number]).csv() for number in (1, 2)},
        second={"landing/part-3.csv": source.take(parts[3]).csv()},
        bad={"landing/part-4.csv": shuffled.csv()},
        sample_request=request(holdout.features[:1]),
        holdout_request=request(holdout.features),
        holdout_truths=tuple(holdout.labels.tolist()),
    )
