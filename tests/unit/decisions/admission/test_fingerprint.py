from dataclasses import replace
from itertools import permutations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.decisions.admission.fingerprint import code_digest, evaluator_digest, fingerprint, run_id
from shared.messages import RUN_ID, DataFormat, ModelFormat, Parameters, Workload
from tests.support.builders import a_workload

texts = st.text(max_size=12)
files = st.dictionaries(texts, st.binary(max_size=12), max_size=5)
scalars = st.one_of(texts, st.integers(), st.floats(allow_nan=False), st.booleans())
inputs = st.fixed_dictionaries(
    {
        "data_digest": texts,
        "code_digest": texts,
        "parameters": st.dictionaries(texts, scalars, max_size=4),
        "environment_locks": st.lists(texts, max_size=3),
        "leave_out_faulty": st.booleans(),
    }
)


def _recipe(**changes: Any) -> str:
    recipe: dict[str, Any] = {
        "data_digest": "m",
        "code_digest": "c",
        "parameters": {"depth": 3, "rate": 0.1},
        "environment_locks": ["numpy==2.0\n", "scipy==1.0\n"],
    }
    return fingerprint(**(recipe | changes))


@given(inputs)
def test_it_is_64_hex_digits_and_the_same_every_time(recipe: dict[str, Any]) -> None:
    assert len(bytes.fromhex(fingerprint(**recipe))) == 32
    assert fingerprint(**recipe) == fingerprint(**recipe)


@given(inputs, inputs)
def test_different_inputs_differ(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = repr(_comparable(one)) == repr(_comparable(other))
    assert (fingerprint(**one) == fingerprint(**other)) == same


def _comparable(recipe: dict[str, Any]) -> Any:
    locks = ["\n".join(lock.splitlines()) for lock in recipe["environment_locks"]]
    leave_out = recipe["leave_out_faulty"]
    return recipe["data_digest"], recipe["code_digest"], sorted(recipe["parameters"].items()), locks, leave_out


def test_the_order_of_parameters_does_not_matter() -> None:
    assert _recipe(parameters={"rate": 0.1, "depth": 3}) == _recipe()


def test_each_ingredient_matters() -> None:
    changed = [
        _recipe(data_digest="n"),
        _recipe(code_digest="d"),
        _recipe(parameters={"depth": 3.0, "rate": 0.1}),
        _recipe(parameters={"depth": "3", "rate": 0.1}),
        _recipe(environment_locks=["numpy==2.0\nscipy==1.0\n"]),
    ]
    assert len({_recipe(), *changed}) == len(changed) + 1


def test_line_endings_of_lock_files_do_not_matter() -> None:
    assert _recipe(environment_locks=["numpy==2.0\r\n", "scipy==1.0"]) == _recipe()


@given(files)
def test_code_digest_ignores_the_order_of_files(content: dict[str, bytes]) -> None:
    digests = {code_digest(dict(order)) for order in list(permutations(content.items()))[:6]}
    assert len(digests) == 1


@given(files, files)
def test_code_digest_tells_any_two_folders_apart(one: dict[str, bytes], other: dict[str, bytes]) -> None:
    assert (code_digest(one) == code_digest(other)) == (one == other)


def test_bytes_that_move_between_name_and_content_are_a_change() -> None:
    assert code_digest({"a": b"bc"}) != code_digest({"ab": b"c"})


def test_a_run_id_names_pipeline_fingerprint_and_attempt() -> None:
    made = run_id("breast-cancer", _recipe(), 2)
    assert made == f"breast-cancer-{_recipe()[:12]}-2"
    assert RUN_ID.match(made)


def test_what_runs_counts_and_what_it_may_use_does_not() -> None:
    recipe: dict[str, Any] = {"data_digest": "d", "code_digest": "c", "parameters": {}, "environment_locks": ()}
    workload = a_workload()

    def of(workload: Workload | None) -> str:
        return fingerprint(**recipe, workload=workload)

    more_memory = replace(workload, resources=replace(workload.resources, memory="8g"))
    assert of(more_memory) == of(workload)
    others = [
        None,
        replace(workload, train="python other.py"),
        replace(workload, evaluate="python other.py"),
        replace(workload, data_format=DataFormat.FILES),
        replace(workload, columns={}),
        replace(workload, model_format=ModelFormat.PICKLE),
    ]
    assert len({of(workload), *map(of, others)}) == len(others) + 1


def test_what_measures_is_the_code_and_the_command_as_it_is_filled() -> None:
    workload = a_workload(evaluate="python e.py ${{parameters.cut}}")

    def of(parameters: Parameters, workload: Workload | None = workload) -> str:
        return evaluator_digest("c", (), workload=workload, parameters=parameters)

    assert of({"cut": 1, "alpha": 1}) == of({"cut": 1, "alpha": 2})
    assert len({of({"cut": 1}), of({"cut": 2}), of({"cut": 1}, a_workload()), of({}, None)}) == 4
