import json
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from site_agent.job import statistics
from site_agent.job.statistics import compare

Numbers = NDArray[np.float64]

CASES = 500
FEW = 200  # resamples, where their number does not matter


def losses_of(case: int) -> tuple[Numbers, Numbers]:
    """Paired losses of all shapes: skewed, with outliers, with ties, of 0 and 1, and of few rows."""
    rng = np.random.default_rng(case)
    rows = int(rng.integers(2, 120))
    hard = rng.gamma(float(rng.uniform(0.2, 3)), size=rows)
    shapes: list[Callable[[], Numbers]] = [
        lambda: hard + rng.normal(float(rng.normal()), 0.3, rows),
        lambda: hard * rng.lognormal(0, 1.5, rows),
        lambda: np.round(hard + rng.normal(0, 1, rows)),
        lambda: (rng.random(rows) < rng.random()).astype(float),
    ]
    shape = shapes[case % len(shapes)]
    magnitude = 1.0 if case % len(shapes) == 3 else 10.0 ** float(rng.integers(-8, 9))
    return shape() * magnitude, (shape() if case % 2 else hard) * magnitude


def interval_of_scipy(differences: Numbers, level: float, resamples: int, seed: int, method: Any) -> tuple[Any, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where BCa is undefined, and says nan
        found = stats.bootstrap(
            (differences,),
            np.mean,
            n_resamples=resamples,
            confidence_level=level,
            method=method,
            rng=np.random.default_rng(seed),
        ).confidence_interval
    return found.low, found.high


def test_the_interval_is_that_of_scipy_in_500_random_cases() -> None:
    methods = set()
    for case in range(CASES):
        challenger, champion = losses_of(case)
        level = (0.8, 0.9, 0.95, 0.99)[case % 4]

        found = compare(challenger, champion, level=level, resamples=FEW, seed=case)

        differences = challenger - champion
        low, high = interval_of_scipy(differences, level, FEW, case, "BCa")
        if found["method"] == "percentile":
            assert np.isnan(low) or np.isnan(high) or low == high, case
            low, high = interval_of_scipy(differences, level, FEW, case, "percentile")
        ours = [found["difference"], found["low"], found["high"]]
        theirs = [differences.mean(), low, high]
        assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12 * float(np.abs(differences).max())), case
        methods.add(found["method"])
    assert methods == {"bca", "percentile"}


def test_mcnemar_is_the_exact_test_of_scipy_in_500_random_cases() -> None:
    rng = np.random.default_rng(1)
    for case in range(CASES):
        rows = int(rng.integers(2, 3000))
        challenger, champion = (rng.random((2, rows)) < rng.random((2, 1))).astype(float)

        found = compare(challenger, champion, resamples=1, seed=case)["mcnemar"]

        only_champion = int(np.sum((champion == 1) & (challenger == 0)))
        only_challenger = int(np.sum((champion == 0) & (challenger == 1)))
        assert found["only_champion_wrong"] == only_champion
        assert found["only_challenger_wrong"] == only_challenger
        discordant = only_champion + only_challenger
        expected = stats.binomtest(only_champion, discordant).pvalue if discordant else 1.0
        assert found["p"] == pytest.approx(expected, rel=1e-8, abs=1e-200), case  # scipy says 0 to what is smaller


def test_there_is_no_mcnemar_for_losses_other_than_0_and_1() -> None:
    assert compare([0, 1, 0.5], [0, 1, 1], resamples=FEW, seed=1)["mcnemar"] is None


def test_many_rows_are_drawn_in_pieces_and_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    challenger, champion = rng.normal(size=(2, 1001))
    whole = compare(challenger, champion, resamples=FEW, seed=5)

    monkeypatch.setattr(statistics, "_DRAWS", 100)
    pieces = compare(challenger, champion, resamples=FEW, seed=5)

    assert pieces == {name: pytest.approx(value) for name, value in whole.items()}


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    covered = 0
    for seed in range(400):
        challenger, champion = rng.exponential(size=(2, 60))
        found = compare(challenger + 0.25, champion, level=0.9, resamples=400, seed=seed)
        covered += found["low"] <= 0.25 <= found["high"]

    assert 0.83 <= covered / 400 <= 0.95


magnitudes = st.floats(-1e6, 1e6) | st.floats(-statistics.LARGEST, statistics.LARGEST)
pairs = st.lists(st.tuples(magnitudes, magnitudes), min_size=2, max_size=30)


@example(rows=[(0.0, 1.0), (1.0, 0.0), (0.0, 1.0212035086708838e-174)], seed=0, level=0.5)
@given(rows=pairs, seed=st.integers(0, 2**32), level=st.floats(0.01, 0.999))
def test_any_losses_give_numbers_that_json_holds(rows: list[tuple[float, float]], seed: int, level: float) -> None:
    challenger, champion = zip(*rows, strict=True)

    found = compare(challenger, champion, level=level, resamples=50, seed=seed)

    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found == compare(list(challenger), list(champion), level=level, resamples=50, seed=seed)
    differences = np.subtract(challenger, champion)
    slack = 1e-9 * float(np.abs(differences).max())
    assert differences.min() - slack <= found["low"] <= found["high"] <= differences.max() + slack


@given(rows=pairs, seed=st.integers(0, 100))
def test_losses_in_other_units_give_the_same_interval_in_those_units(
    rows: list[tuple[float, float]], seed: int
) -> None:
    challenger, champion = np.array(rows).T
    found = compare(challenger, champion, resamples=50, seed=seed)

    shrunk = compare(challenger / 1024, champion / 1024, resamples=50, seed=seed)

    if np.array_equal(challenger / 1024 * 1024, challenger) and np.array_equal(champion / 1024 * 1024, champion):
        for name in ("difference", "low", "high"):
            assert shrunk[name] * 1024 == pytest.approx(found[name], rel=1e-12, abs=1e-300)


def test_equal_differences_leave_no_doubt() -> None:
    found = compare([1.5] * 30, [1.0] * 30, resamples=FEW, seed=1)

    assert (found["low"], found["difference"], found["high"]) == (0.5, 0.5, 0.5)
    assert (found["method"], found["rows_needed"]) == ("percentile", None)


def test_an_interval_that_holds_0_says_how_many_rows_would_do() -> None:
    rng = np.random.default_rng(11)
    champion = rng.normal(10, 1, 100_000)
    challenger = champion - 0.05 + rng.normal(0, 1, 100_000)
    few = compare(challenger[:500], champion[:500], seed=1)
    assert few["low"] <= 0 <= few["high"]

    needed = few["rows_needed"]
    more = compare(challenger[:500].repeat(needed // 500 + 1), champion[:500].repeat(needed // 500 + 1), seed=1)

    assert needed > 500
    assert more["high"] < 0, "the same differences on so many rows tell the models apart"
    assert more["rows_needed"] is None


@pytest.mark.parametrize("sign", [1, -1])
def test_rows_needed_is_the_same_whichever_model_is_better(sign: int) -> None:
    rng = np.random.default_rng(2)
    differences = rng.normal(0.05, 1, 300)
    needed = compare(sign * differences, np.zeros(300), seed=1)["rows_needed"]

    assert needed == pytest.approx(300 * (1.96 / abs(differences.mean()) * differences.std()) ** 2 / 300, rel=0.25)


def test_models_that_do_not_differ_need_no_more_rows() -> None:
    found = compare([0.0, 1.0, 1.0], [0.0, 1.0, 1.0], resamples=FEW, seed=1)

    assert (found["difference"], found["rows_needed"]) == (0.0, None)


def test_the_worst_slice_is_where_the_challenger_is_the_most_behind() -> None:
    slices = ["day"] * 30 + ["night"] * 30 + ["dusk"] * 30
    challenger = [0.1] * 30 + [0.9] * 30 + [0.5] * 30

    worst = compare(challenger, [0.5] * 90, slices, resamples=FEW, seed=1)["worst_slice"]

    assert worst == {"name": "night", "rows": 30, "difference": pytest.approx(0.4)}


def test_a_slice_of_few_rows_is_not_told_and_neither_are_the_few_outside_of_it() -> None:
    least = statistics.LEAST_ROWS
    few = ["few"] * (least - 1) + ["many"] * 100
    enough = ["few"] * least + ["many"] * 100
    losses = [1.0] * (least - 1) + [0.0] * 100

    def worst(slices: list[str], challenger: list[float]) -> Any:
        return compare(challenger, [0.0] * len(challenger), slices, resamples=FEW, seed=1)["worst_slice"]

    assert worst(few, losses) is None
    assert worst(enough, [1.0, *losses])["name"] == "few"
    assert worst(["all"] * 50, [1.0] * 50) == {"name": "all", "rows": 50, "difference": 1.0}
    assert worst([""] * 50 + ["named"] * 50, [1.0] * 50 + [0.0] * 50)["name"] == "named"


@given(
    names=st.lists(st.sampled_from("abcd"), min_size=2, max_size=60),
    least=st.integers(1, 10),
    seed=st.integers(0, 1000),
)
def test_any_slice_that_is_told_has_its_rows_and_nothing_can_be_had_by_subtraction(
    names: list[str], least: int, seed: int
) -> None:
    losses = np.random.default_rng(seed).normal(size=len(names))

    worst = compare(losses, np.zeros(len(names)), names, resamples=5, seed=1, least_rows=least)["worst_slice"]

    allowed = {name for name in set(names) if names.count(name) >= least}
    allowed = {name for name in allowed if len(names) - names.count(name) in {0, *range(least, len(names))}}
    means = {name: float(np.mean(losses[[other == name for other in names]])) for name in allowed}
    if not allowed:
        assert worst is None
    else:
        assert worst["difference"] == pytest.approx(max(means.values()))
        assert worst["rows"] == names.count(worst["name"])


@pytest.mark.parametrize(
    ("challenger", "champion", "slices", "cause"),
    [
        ([1.0, 2.0], [1.0], None, "2 rows and the champion of 1"),
        ([1.0, float("nan")], [1.0, 2.0], None, "1 of the challenger's 2 losses are not finite"),
        ([1.0, 2.0], [float("inf"), 2.0], None, "1 of the champion's 2 losses are not finite"),
        ([1.0, 2.0], [1e200, 2.0], None, "too large"),
        ([1.0], [1.0], None, "two rows at least"),
        ([], [], None, "two rows at least"),
        ([[1.0, 2.0]], [1.0, 2.0], None, "one number for each row"),
        ([1.0, 2.0], [1.0, 2.0], ["a"], "slices for 1 rows, and losses for 2"),
    ],
)
def test_losses_that_cannot_be_compared_are_refused_with_the_cause(
    challenger: Any, champion: Any, slices: Any, cause: str
) -> None:
    with pytest.raises(ValueError, match=cause):
        compare(challenger, champion, slices, seed=1)


@pytest.mark.parametrize("changes", [{"level": 0.0}, {"level": 1.0}, {"resamples": 0}])
def test_a_level_or_number_that_means_nothing_is_refused(changes: Any) -> None:
    with pytest.raises(ValueError, match="must be"):
        compare([1.0, 2.0], [1.0, 2.0], seed=1, **changes)
