"""No false alarm: models of the common kinds leave, and the checks of their receipt have passed."""

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import skops.io
from skl2onnx import to_onnx
from sklearn import (
    cluster,
    compose,
    decomposition,
    ensemble,
    feature_extraction,
    linear_model,
    naive_bayes,
    neural_network,
    svm,
    tree,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, QuantileTransformer, StandardScaler

from tests.integration.egress_guard.conftest import LOADERS, MakeRun
from tests.integration.egress_guard.data import reviews
from tests.support.egress import EgressRun

FIXTURES = Path(__file__).parent / "models"
PICKLES = "    pickles: allowed\n"

CLASSIFIERS: dict[str, Callable[[], Any]] = {
    "logistic regression": lambda: make_pipeline(StandardScaler(), linear_model.LogisticRegression(max_iter=200)),
    "random forest": lambda: ensemble.RandomForestClassifier(30, random_state=1),
    "extra trees": lambda: ensemble.ExtraTreesClassifier(20, random_state=1),
    "gradient boosting": lambda: ensemble.GradientBoostingClassifier(n_estimators=10, random_state=1),
    "histogram boosting": lambda: ensemble.HistGradientBoostingClassifier(max_iter=10),
    "AdaBoost": lambda: ensemble.AdaBoostClassifier(n_estimators=10),
    "bagging": lambda: ensemble.BaggingClassifier(n_estimators=5, random_state=1),
    "deep tree": lambda: tree.DecisionTreeClassifier(random_state=1),
    "linear support vectors": lambda: make_pipeline(MinMaxScaler(), svm.LinearSVC()),
    "stochastic gradient": lambda: make_pipeline(StandardScaler(), linear_model.SGDClassifier(random_state=1)),
    "naive Bayes": naive_bayes.GaussianNB,
    "principal components": lambda: make_pipeline(
        StandardScaler(), decomposition.PCA(0.95), linear_model.LogisticRegression(max_iter=200)
    ),
    "neural network": lambda: make_pipeline(
        StandardScaler(), neural_network.MLPClassifier((100, 30), max_iter=20, random_state=1)
    ),
    "isolation forest": lambda: ensemble.IsolationForest(n_estimators=20, random_state=1),
    "k-means": lambda: make_pipeline(StandardScaler(), cluster.KMeans(3, n_init=3, random_state=1)),
    "quantiles": lambda: make_pipeline(QuantileTransformer(n_quantiles=20), linear_model.LogisticRegression()),
}
REGRESSORS: dict[str, Callable[[], Any]] = {
    "ridge": linear_model.Ridge,
    "lasso": linear_model.Lasso,
    "random forest": lambda: ensemble.RandomForestRegressor(30, random_state=1),
    "gradient boosting": lambda: ensemble.GradientBoostingRegressor(n_estimators=10, random_state=1),
    "deep tree": lambda: tree.DecisionTreeRegressor(random_state=1),
    "neural network": lambda: make_pipeline(
        StandardScaler(), neural_network.MLPRegressor(hidden_layer_sizes=(50,), max_iter=20, random_state=1)
    ),
    "linear support vectors": lambda: make_pipeline(StandardScaler(), svm.LinearSVR()),
}
CASES = [
    *((table, name, make) for table in ("breast cancer", "digits") for name, make in CLASSIFIERS.items()),
    *(("diabetes", name, make) for name, make in REGRESSORS.items()),
]


def leaves(run: EgressRun, name: str) -> None:
    receipt = run.release()

    assert not receipt.held_back
    assert {each.result for each in receipt.checks} == {"passed"} or "passed" in {
        each.result for each in receipt.checks
    }
    assert f"model/{name}" in run.left()


@pytest.mark.parametrize(("table", "name", "make"), CASES, ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.filterwarnings("ignore")
def test_a_model_as_skops_leaves(make_run: MakeRun, table: str, name: str, make: Callable[[], Any]) -> None:
    data = LOADERS[table]()
    run = make_run(data)
    skops.io.dump(make().fit(data.features, data.labels), run.model / "model.skops")

    leaves(run, "model.skops")


@pytest.mark.parametrize(
    "name", ["logistic regression", "random forest", "gradient boosting", "neural network", "naive Bayes"]
)
@pytest.mark.parametrize("table", ["breast cancer", "digits"])
@pytest.mark.filterwarnings("ignore")
def test_a_model_as_onnx_leaves(make_run: MakeRun, table: str, name: str) -> None:
    data = LOADERS[table]()
    run = make_run(data)
    model = CLASSIFIERS[name]().fit(data.features, data.labels)
    (run.model / "model.onnx").write_bytes(to_onnx(model, data.features[:1].astype(np.float32)).SerializeToString())

    leaves(run, "model.onnx")


def _joblib(model: Any) -> bytes:
    file = io.BytesIO()
    joblib.dump(model, file)
    return file.getvalue()


def _compressed(model: Any) -> bytes:
    file = io.BytesIO()
    joblib.dump(model, file, compress=("gzip", 3))
    return file.getvalue()


@pytest.mark.parametrize("write", [_joblib, _compressed, pickle.dumps], ids=["joblib", "gzip", "pickle"])
@pytest.mark.parametrize("name", [*CLASSIFIERS])
@pytest.mark.filterwarnings("ignore")
def test_a_pickle_leaves_when_pipeline_and_site_allow_it(
    make_run: MakeRun, name: str, write: Callable[[Any], bytes]
) -> None:
    data = LOADERS["breast cancer"]()
    run = make_run(data, policy=PICKLES, order={"model_format": "pickle"})
    (run.model / "model.joblib").write_bytes(write(CLASSIFIERS[name]().fit(data.features, data.labels)))

    leaves(run, "model.joblib")


@pytest.mark.parametrize("file", ["lightgbm.txt", "xgboost.json", "xgboost.ubj"])
def test_boosters_of_other_libraries_leave(make_run: MakeRun, file: str) -> None:
    run = make_run(LOADERS["breast cancer"]())
    (run.model / file).write_bytes((FIXTURES / file).read_bytes())

    leaves(run, file)


@pytest.mark.filterwarnings("ignore")
def test_a_vocabulary_of_frequent_words_leaves(make_run: MakeRun) -> None:
    text, texts, labels = reviews(names=False)
    run = make_run(text=text)
    words = feature_extraction.text.TfidfVectorizer(min_df=20)
    skops.io.dump(make_pipeline(words, linear_model.LogisticRegression()).fit(texts, labels), run.model / "m.skops")

    leaves(run, "m.skops")


@pytest.mark.filterwarnings("ignore")
def test_categories_that_many_rows_have_leave(make_run: MakeRun) -> None:
    random = np.random.default_rng(3)
    wards = random.choice(["surgery", "cardiology", "paediatrics"], 300)
    ages = random.normal(50, 12, 300).round(1)
    lines = [f"{ward},{age}" for ward, age in zip(wards, ages, strict=True)]
    run = make_run(text="\n".join(["ward,age", *lines]) + "\n")
    columns = compose.make_column_transformer((OneHotEncoder(), [0]), (StandardScaler(), [1]))
    table = np.array(list(zip(wards, ages, strict=True)), dtype=object)
    skops.io.dump(make_pipeline(columns, linear_model.Ridge()).fit(table, ages), run.model / "m.skops")

    leaves(run, "m.skops")
