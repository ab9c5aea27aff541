import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from site_agent.job.failures import OUTSIDE
from site_agent.job.order import OrderError, parse_order
from tests.support.job_orders import an_order, order_text


def test_an_order_is_read_with_every_field() -> None:
    order = parse_order(order_text(parameters={"alpha": 0.5, "deep": True, "name": "a b"}))

    assert (order.run_id, order.pipeline, order.site) == ("breast-cancer-0123456789ab-1", "breast-cancer", "factory")
    assert order.resources.memory == 4 * 1024**3
    assert order.parameters == {"alpha": 0.5, "deep": True, "name": "a b"}
    assert order.data.columns["age"].kind == "integer"
    assert order.champion is None


def test_a_champion_is_read() -> None:
    image = f"registry.example/models/breast-cancer@sha256:{'b' * 64}"

    order = parse_order(order_text(champion={"run_id": "r-1", "image": image}))

    assert order.champion is not None
    assert order.champion.image == image


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("run_id", "../x"),
        ("run_id", "-x"),
        ("pipeline", "Breast"),
        ("image", "registry.example/scoring/x:latest"),
        ("image", f"registry.example/../x@sha256:{'a' * 64}"),
        ("seconds", 0),
        ("seconds", True),
        ("model_format", "onnx"),
        ("resources.memory", "4 GB"),
        ("resources.cpus", "2"),
        ("resources.gpus", -1),
        ("data.format", "parquet"),
        ("data.columns.age.kind", "float"),
        ("data.columns.age.values", []),
        ("parameters.alpha", [1]),
        ("champion.image", "x"),
        ("train", ""),
        ("train", "python\0train.py"),
        ("surprise", 1),
        ("data.columns.age.unit", "years"),
    ],
)
def test_a_wrong_field_is_named(field: str, value: Any) -> None:
    order = an_order(champion={"run_id": "r-1", "image": f"h/models/x@sha256:{'c' * 64}"})
    place: Any = order
    *path, last = field.split(".")
    for part in path:
        place = place[part]
    place[last] = value

    with pytest.raises(OrderError, match=rf"\b{field}\b") as caught:
        parse_order(json.dumps(order))

    assert caught.value.kind == OUTSIDE


@pytest.mark.parametrize("field", sorted(an_order().keys() - {"champion", "model_format"}))
def test_a_missing_field_is_named(field: str) -> None:
    order = an_order()
    del order[field]

    with pytest.raises(OrderError, match=rf"\b{field}\b"):
        parse_order(json.dumps(order))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"schema": 1, "schema": 1}', '{"schema": NaN}', "[" * 100_000, "1"])
def test_what_is_no_order_is_refused(text: str) -> None:
    with pytest.raises(OrderError):
        parse_order(text)


def test_an_order_of_another_version_says_what_to_do() -> None:
    with pytest.raises(OrderError, match="prepare-vm"):
        parse_order(order_text(schema=2))


@given(st.text(max_size=200))
def test_any_text_is_an_order_or_refused(text: str) -> None:
    with pytest.raises(OrderError):
        parse_order(text)


@given(
    st.dictionaries(
        st.sampled_from(sorted(an_order())),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        ),
        max_size=3,
    )
)
def test_any_values_are_an_order_or_refused(changes: dict[str, Any]) -> None:
    with contextlib.suppress(OrderError):
        parse_order(order_text(**changes))
