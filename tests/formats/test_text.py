"""Numbers as texts, against Python's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from actcli.formats.text import numbers

TABLES = arrays.arrays(
    st.sampled_from([np.float32, np.float64, np.int64, np.uint8]),
    st.tuples(st.integers(1, 20), st.integers(1, 7)),
    elements=None,
)


@given(TABLES, st.sampled_from(",\t"))
def test_numbers_read_back_to_the_same_value(values: np.ndarray[Any, Any], separator: str) -> None:
    """In their own precision, whatever they are, row by row."""
    texts = numbers("\n", values, separator=separator).to_pylist()
    assert all(text.startswith("\n") for text in texts)
    found = np.array([text[1:].split(separator) for text in texts])
    assert np.array_equal(found.astype(values.dtype), values, equal_nan=values.dtype.kind == "f")


@given(TABLES, st.data())
def test_columns_beside_one_another(values: np.ndarray[Any, Any], data: st.DataObject) -> None:
    """Are one table, however it is divided."""
    cut = data.draw(st.integers(0, values.shape[1]))
    parts = (values[:, :cut], values[:, cut:])
    assert numbers(",", *parts).equals(numbers(",", values))
    assert numbers(",", *values.T).equals(numbers(",", values))


@given(arrays.arrays(np.float64, st.integers(1, 30), elements=st.floats(allow_nan=False, allow_infinity=False)))
def test_numbers_are_as_short_as_can_be(values: np.ndarray[Any, Any]) -> None:
    """No text of fewer digits reads back to the same value: Python's own have as many."""

    def digits(text: str) -> int:
        return len(text.lower().partition("e")[0].replace(".", "").replace("-", "").strip("0"))

    for text, value in zip(numbers(":", values).to_pylist(), values.tolist(), strict=True):
        assert digits(text[1:]) == digits(repr(value))


@pytest.mark.parametrize(("null", "expected"), [(False, ["nan", "inf", "-inf"]), (True, ["null"] * 3)])
def test_what_is_not_finite_has_a_name(null: bool, expected: list[str]) -> None:
    """As Python says it, or as JSON does; its neighbours are what they would be without it."""
    values = np.array([[1.0, np.nan], [np.inf, 0.1], [-np.inf, -2.5]])
    texts = numbers(":", values, null=null).to_pylist()
    assert texts == [f":1.0,{expected[0]}", f":{expected[1]},0.1", f":{expected[2]},-2.5"]


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0)])
def test_no_numbers(shape: tuple[int, ...]) -> None:
    """Are no texts, or texts without numbers."""
    assert numbers(":", np.empty(shape)).to_pylist() == [":"] * shape[0]
