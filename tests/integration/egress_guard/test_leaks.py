"""Ways in which a model can hold training rows; each must end the run at the guard with nothing but a reason sent."""

import base64
import bz2
import gzip
import io
import json
import lzma
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import pytest
import skops.io
from skl2onnx import to_onnx
from sklearn import cluster, compose, ensemble, feature_extraction, linear_model, naive_bayes, neighbors, svm
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from site_agent.job.guard.findings import Finding
from site_agent.job.guard.release import EgressRefusedError
from tests.integration.egress_guard.conftest import LOADERS, MakeRun
from tests.integration.egress_guard.data import TableData, breast_cancer, reviews
from tests.support.egress import EgressRun, an_archive, an_array, local_box

Rows = np.ndarray[Any, np.dtype[np.float64]]

pytestmark = pytest.mark.filterwarnings("ignore")


def refused(run: EgressRun) -> list[Finding]:
    """The findings; nothing of the data may be in what is sent."""
    with pytest.raises(EgressRefusedError) as caught:
        run.release()
    assert run.left() == {"receipt.json", "receipt.dsse.json", "checksums.json"}
    sent = b"".join((run.outputs / name).read_bytes() for name in sorted(run.left()))
    lines = [line for file in run.data.glob("*.csv") for line in file.read_text().splitlines()[1:]]
    assert not any(cell in sent.decode() for line in lines[:50] for cell in line.split(",") if len(cell) >= 6)
    return list(caught.value.findings)


MODELS: dict[str, Callable[[], Any]] = {
    "nearest neighbours": neighbors.KNeighborsClassifier,
    "nearest neighbours, brute force": lambda: neighbors.KNeighborsClassifier(algorithm="brute"),
    "support vectors": svm.SVC,
    "support vectors, a linear kernel": lambda: svm.SVC(kernel="linear", max_iter=2000),
    "one class": svm.OneClassSVM,
    "outliers by neighbours": lambda: neighbors.LocalOutlierFactor(novelty=True, algorithm="brute"),
    "label spreading": lambda: __import__("sklearn.semi_supervised").semi_supervised.LabelSpreading(kernel="knn"),
    "affinity": lambda: cluster.AffinityPropagation(max_iter=30),
}
SCALERS: dict[str, Callable[[], Any]] = {
    "standardised": StandardScaler,
    "between 0 and 1": MinMaxScaler,
    "divided by the largest": MaxAbsScaler,
    "by quartiles": RobustScaler,
    "of length 1": Normalizer,
    "made normal": PowerTransformer,
    "as quantiles": lambda: QuantileTransformer(n_quantiles=20),
    "products": lambda: PolynomialFeatures(2, include_bias=False),
}


@pytest.mark.parametrize("table", ["breast cancer", "digits"])
@pytest.mark.parametrize("name", MODELS)
def test_models_that_keep_their_rows(make_run: MakeRun, table: str, name: str) -> None:
    data = LOADERS[table]()
    few = TableData(data.features[:400], data.labels[:400])
    run = make_run(few, policy="    pickles: allowed\n", order={"model_format": "pickle"})
    joblib.dump(MODELS[name]().fit(few.features, few.labels), run.model / "model.joblib")

    assert {"training_rows"} & {each.check for each in refused(run)}


@pytest.mark.parametrize("name", SCALERS)
@pytest.mark.parametrize("last", ["nearest neighbours, brute force", "support vectors"])
def test_rows_in_another_scale(make_run: MakeRun, name: str, last: str) -> None:
    data = breast_cancer()
    run = make_run(data)
    skops.io.dump(make_pipeline(SCALERS[name](), MODELS[last]()).fit(data.features, data.labels), run.model / "m.skops")

    assert {"rows_after_each_step"} & {each.check for each in refused(run)}


@pytest.mark.parametrize("name", ["standardised", "between 0 and 1", "divided by the largest", "by quartiles"])
@pytest.mark.parametrize("last", ["nearest neighbours, brute force", "support vectors"])
def test_rows_in_another_scale_where_no_library_can_load_the_model(make_run: MakeRun, name: str, last: str) -> None:
    data = breast_cancer()
    run = make_run(data)
    model = make_pipeline(SCALERS[name](), MODELS[last]()).fit(data.features, data.labels)
    (run.model / "m.onnx").write_bytes(to_onnx(model, data.features[:1].astype(np.float32)).SerializeToString())

    assert {"row_shaped_arrays"} & {each.check for each in refused(run)}


FORMS: dict[str, Callable[[Rows], Any]] = {
    "as they are": lambda rows: rows,
    "single precision": lambda rows: rows.astype(np.float32),
    "half precision": lambda rows: rows.astype(np.float16),
    "big-endian": lambda rows: rows.astype(">f8"),
    "transposed": lambda rows: np.ascontiguousarray(rows.T),
    "column by column": np.asfortranarray,
    "flattened": np.ravel,
    "flattened by column": lambda rows: rows.ravel(order="F"),
    "in three dimensions": lambda rows: rows[:500].reshape(50, 10, -1),
    "the last rows first": lambda rows: rows[::-1],
    "the last column first": lambda rows: rows[:, ::-1],
    "without a column": lambda rows: np.delete(rows, 3, axis=1),
    "every second row": lambda rows: rows[::2],
    "one row": lambda rows: rows[17],
    "behind something else": lambda rows: np.concatenate([np.linspace(0, 1, 1000), rows[3:9].ravel()]),
    "as bytes": lambda rows: np.frombuffer(rows.tobytes(), np.uint8),
    "as bytes at an odd place": lambda rows: np.frombuffer(b"x" + rows.tobytes(), np.uint8),
    "bytes in reverse": lambda rows: np.frombuffer(rows.tobytes()[::-1], np.uint8),
    "deflated": lambda rows: np.frombuffer(zlib.compress(rows.tobytes()), np.uint8),
    "gzip": lambda rows: np.frombuffer(gzip.compress(rows.tobytes()), np.uint8),
    "bzip2": lambda rows: np.frombuffer(bz2.compress(rows.tobytes()), np.uint8),
    "xz": lambda rows: np.frombuffer(lzma.compress(rows.tobytes()), np.uint8),
    "base64": lambda rows: np.frombuffer(base64.b64encode(rows.tobytes()), np.uint8),
    "hexadecimal": lambda rows: np.frombuffer(rows.tobytes().hex().encode(), np.uint8),
    "text": lambda rows: np.frombuffer("\n".join(map(str, rows.tolist())).encode(), np.uint8),
    "texts": lambda rows: np.array([" ".join(map(repr, row)) for row in rows.tolist()]),
    "bytes as floats": lambda rows: np.frombuffer(b"12345" + rows.tobytes() + b"123", np.float32),
    "standardised": lambda rows: (rows - rows.mean(axis=0)) / rows.std(axis=0),
    "some, standardised": lambda rows: ((rows - rows.mean(axis=0)) / rows.std(axis=0))[40:80],
    "standardised and transposed": lambda rows: ((rows - rows.mean(axis=0)) / rows.std(axis=0)).T.copy(),
    "standardised and flattened": lambda rows: ((rows - rows.mean(axis=0)) / rows.std(axis=0)).ravel(),
    "the columns in another order": lambda rows: rows[:, np.random.default_rng(1).permutation(rows.shape[1])],
    "one measurement of each row": lambda rows: rows[:, 4] * 3 + 1,
}


@pytest.mark.parametrize("form", FORMS)
def test_rows_in_an_array(make_run: MakeRun, form: str) -> None:
    data = breast_cancer()
    run = make_run(data)
    (run.model / "weights.npy").write_bytes(an_array(FORMS[form](data.features)))

    assert refused(run)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("form", ["as they are", "single precision"])
def test_rows_of_a_table_in_an_archive(make_run: MakeRun, form: str, method: int) -> None:
    data = breast_cancer()
    run = make_run()
    (run.data / "rows.csv").unlink()
    (run.data / "all.zip").write_bytes(an_archive({"a/rows.csv": data.as_csv().encode()}, method=method))
    (run.model / "weights.npy").write_bytes(an_array(FORMS[form](data.features)))

    assert refused(run)


LINES: dict[str, Callable[[list[str]], str]] = {
    "a list of lines": lambda lines: json.dumps(lines[:40]),
    "numbers in lists": lambda lines: json.dumps([[float(cell) for cell in line.split(",")] for line in lines[:40]]),
    "numbers by name": lambda lines: json.dumps({f"w{n}": float(cell) for n, cell in enumerate(lines[7].split(","))}),
    "numbers as texts": lambda lines: json.dumps([line.split(",") for line in lines[:40]]),
    "names of fields": lambda lines: json.dumps(dict.fromkeys(lines[:40], 1)),
    "base64": lambda lines: json.dumps([base64.b64encode(line.encode()).decode() for line in lines[:40]]),
    "backwards": lambda lines: json.dumps([line[::-1] for line in lines[:40]]),
    "a table": lambda lines: "a,b,c\n" + "\n".join(",".join(line.split(",")[:3]) for line in lines[:400]),
    "YAML": lambda lines: "coefficients:\n" + "\n".join(f"- {cell}" for cell in lines[3].split(",")),
}


@pytest.mark.parametrize("form", LINES)
def test_rows_in_a_small_text(make_run: MakeRun, form: str) -> None:
    run = make_run(breast_cancer())
    lines = (run.data / "rows.csv").read_text().splitlines()[1:]
    (run.model / "weights.npy").write_bytes(an_array(np.linspace(-1, 1, 40)))
    (run.model / "coefficients").write_text(LINES[form](lines))

    try:
        found = refused(run)
    except pytest.fail.Exception:
        # A text of a kind that may not leave is held back without being looked at.
        assert run.left().isdisjoint({"model/coefficients"})
    else:
        assert found


def _with_attribute(value: Any) -> Any:
    data = breast_cancer()
    model = linear_model.LogisticRegression(max_iter=50).fit(data.features, data.labels)
    model.notes_ = value
    return model


HIDDEN: dict[str, Callable[[TableData], Any]] = {
    "an attribute": lambda data: data.features,
    "a list": lambda data: data.features[:20].tolist(),
    "a dictionary": lambda data: {f"r{n}": row.tolist() for n, row in enumerate(data.features[:20])},
    "bytes": lambda data: data.features.tobytes(),
    "an array of objects": lambda data: np.array([list(row) for row in data.features[:20].tolist()], dtype=object),
    "texts": lambda data: [",".join(map(repr, row)) for row in data.features[:20].tolist()],
    "names": lambda data: {",".join(map(repr, row)): 1 for row in data.features[:20].tolist()},
}


@pytest.mark.parametrize("where", HIDDEN)
def test_rows_beside_an_honest_model(make_run: MakeRun, where: str) -> None:
    data = breast_cancer()
    run = make_run(data)
    skops.io.dump(_with_attribute(HIDDEN[where](data)), run.model / "model.skops")

    assert {each.check for each in refused(run)} & {"training_rows", "words_of_the_data"}


@pytest.mark.parametrize("where", HIDDEN)
def test_rows_beside_an_honest_model_in_a_pickle(make_run: MakeRun, where: str) -> None:
    data = breast_cancer()
    run = make_run(data, policy="    pickles: allowed\n", order={"model_format": "pickle"})
    joblib.dump(_with_attribute(HIDDEN[where](data)), run.model / "model.joblib", compress=3)

    assert {each.check for each in refused(run)} & {"training_rows", "words_of_the_data"}


def test_the_centre_of_a_cluster_of_one_row_is_the_row(make_run: MakeRun) -> None:
    data = breast_cancer()
    run = make_run(data)
    skops.io.dump(cluster.KMeans(60, n_init=1, random_state=1).fit(data.features), run.model / "m.skops")

    assert {each.where for each in refused(run)} == {"m.skops cluster_centers_"}


def test_means_of_a_class_with_few_rows(make_run: MakeRun) -> None:
    data = breast_cancer()
    labels = data.labels.copy()
    labels[:5] = 2
    run = make_run(TableData(data.features, labels))
    skops.io.dump(naive_bayes.GaussianNB().fit(data.features, labels), run.model / "m.skops")

    assert "least_rows" in {each.check for each in refused(run)}


def test_words_of_single_rows_in_a_vocabulary(make_run: MakeRun) -> None:
    """The finding is right: a name that stands in one review is in the vocabulary."""
    text, texts, labels = reviews(names=True)
    run = make_run(text=text)
    words = feature_extraction.text.TfidfVectorizer()
    skops.io.dump(make_pipeline(words, linear_model.LogisticRegression()).fit(texts, labels), run.model / "m.skops")

    assert {each.check for each in refused(run)} == {"words_of_the_data"}


def test_categories_that_single_rows_have(make_run: MakeRun) -> None:
    random = np.random.default_rng(3)
    names = [f"patient {chr(97 + number % 26)}{chr(97 + number // 26)}" for number in range(300)]
    ages = random.normal(50, 12, 300).round(1)
    lines = [f"{name},{age}" for name, age in zip(names, ages, strict=True)]
    run = make_run(text="\n".join(["name,age", *lines]) + "\n")
    columns = compose.make_column_transformer((OneHotEncoder(), [0]), (StandardScaler(), [1]))
    table = np.array(list(zip(names, ages, strict=True)), dtype=object)
    skops.io.dump(make_pipeline(columns, linear_model.Ridge()).fit(table, ages), run.model / "m.skops")

    assert "words_of_the_data" in {each.check for each in refused(run)}


def test_names_of_classes_that_are_rows(make_run: MakeRun) -> None:
    data = breast_cancer()
    run = make_run(data)
    lines = (run.data / "rows.csv").read_text().splitlines()[1:41]
    model = linear_model.LogisticRegression(max_iter=5).fit(data.features[:40], lines)
    skops.io.dump(model, run.model / "m.skops")

    assert refused(run)


def test_the_box_runs_in_a_process_of_its_own(make_run: MakeRun) -> None:
    data = breast_cancer()
    run = make_run(data)
    run.box = local_box
    model = make_pipeline(PowerTransformer(), neighbors.KNeighborsClassifier(algorithm="brute"))
    skops.io.dump(model.fit(data.features, data.labels), run.model / "m.skops")

    assert {each.where for each in refused(run) if each.check == "rows_after_each_step"} == {"m.skops steps._fit_X"}


def test_rows_of_parquet_are_looked_for_in_the_box(make_run: MakeRun) -> None:
    import pandas as pd

    data = breast_cancer()
    run = make_run(data)
    (run.data / "rows.csv").unlink()
    table = pd.DataFrame(data.features, columns=[f"m{number}" for number in range(30)])
    table["ward"] = np.where(data.labels == 1, "east", "west")
    table.to_parquet(run.data / "rows.parquet")
    honest = ensemble.RandomForestClassifier(10).fit(data.features, data.labels)
    skops.io.dump(honest, run.model / "m.skops")
    assert not run.release().held_back

    skops.io.dump(neighbors.KNeighborsClassifier().fit(data.features, data.labels), run.model / "m.skops")
    run.outputs.rename(run.folder / "earlier")

    assert {each.check for each in refused(run)} >= {"training_rows"}


def test_pictures_are_looked_for_as_bytes_and_as_pixels(make_run: MakeRun) -> None:
    from PIL import Image

    random = np.random.default_rng(2)
    run = make_run()
    (run.data / "rows.csv").unlink()
    pictures = random.integers(0, 255, (60, 16, 16), dtype=np.uint8)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(run.data / f"{number}.png")
    one = (run.data / "7.png").read_bytes()
    for name, values in (
        ("bytes", np.frombuffer(one, np.uint8)),
        ("pixels", pictures.reshape(60, -1)),
        ("pixels, scaled", (pictures.reshape(60, -1) / 255).astype(np.float32)),
    ):
        (run.model / "w.npy").write_bytes(an_array(values))
        assert refused(run), name
        run.outputs.rename(run.folder / f"earlier {name}")


def test_a_box_that_cannot_look_fails_the_run(make_run: MakeRun) -> None:
    def broken(task: Any) -> bytes:
        return b"{}"

    data = breast_cancer()
    run = make_run(data)
    run.box = broken
    skops.io.dump(linear_model.LogisticRegression().fit(data.features, data.labels), run.model / "m.skops")

    assert {each.check for each in refused(run)} == {"rows_after_each_step"}


def _appended(content: bytes, rows: Rows) -> bytes:
    return content + rows.tobytes()


@pytest.mark.parametrize("kind", ["onnx", "skops", "npy", "joblib", "ubj", "lightgbm"])
def test_rows_behind_the_end_of_a_valid_file_fail_the_run(make_run: MakeRun, kind: str) -> None:
    run = with_rows_behind_a_valid_file(make_run, kind)

    assert [(each.check, each.where) for each in refused(run)] == [("formats", "model/appended")]


def test_rows_behind_the_end_of_a_picture_are_held_back_with_it(make_run: MakeRun) -> None:
    run = with_rows_behind_a_valid_file(make_run, "png")

    receipt = run.release()

    assert [each.name for each in receipt.held_back] == ["appended"]
    assert "model/appended" not in run.left()


def with_rows_behind_a_valid_file(make_run: MakeRun, kind: str) -> EgressRun:
    data = breast_cancer()
    run = make_run(data, policy="    pickles: allowed\n", order={"model_format": "pickle"})
    (run.model / "weights.npy").write_bytes(an_array(np.linspace(-1, 1, 40)))
    (run.model / "appended").write_bytes(_appended(_valid(kind, data), data.features))
    return run


def _valid(kind: str, data: TableData) -> bytes:
    model = linear_model.LogisticRegression(max_iter=50).fit(data.features, data.labels)
    if kind == "onnx":
        return bytes(to_onnx(model, data.features[:1].astype(np.float32)).SerializeToString())
    if kind == "skops":
        return bytes(skops.io.dumps(model))
    if kind == "npy":
        return an_array(model.coef_)
    if kind == "joblib":
        file = io.BytesIO()
        joblib.dump(model, file)
        return file.getvalue()
    if kind == "png":
        from PIL import Image

        picture = io.BytesIO()
        Image.new("L", (4, 4)).save(picture, "PNG")
        return picture.getvalue()
    from tests.integration.egress_guard.test_honest_models import FIXTURES

    return (FIXTURES / {"ubj": "xgboost.ubj", "lightgbm": "lightgbm.txt"}[kind]).read_bytes()
