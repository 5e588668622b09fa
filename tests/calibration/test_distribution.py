"""Ranges of values, and their median, against sorted lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actcli.calibration import distribution
from actcli.calibration.distribution import median, value_ranges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

numbers = st.floats(0, 1e300) | st.sampled_from([0.0, -0.0, 0.5, 1.0, 5e-324])


def in_parts(values: list[float]) -> Callable[[Callable[[Any], Any]], Iterator[Any]]:
    """Return a function that applies another one to the values, three at a time."""
    parts = [np.array(values[start : start + 3]) for start in range(0, len(values), 3)]
    return lambda work: map(work, parts)


@given(st.lists(numbers, min_size=1, max_size=40), st.integers(1, 10), st.booleans())
@settings(max_examples=300)
def test_ranges_hold_every_value_once(values: list[float], most: int, known: bool) -> None:
    """In ascending order, and never more than asked for unless they are equal."""
    found: list[float] = []
    for part in value_ranges(in_parts(values), most, len(values) if known else None):
        inside = [value for value in values if part.where(np.array([value]))[0]]
        assert len(inside) == part.values > 0
        assert part.values <= most or len(set(inside)) == 1
        assert not found or min(inside) > max(found)
        found += sorted(inside)
    assert found == sorted(values)


@given(st.lists(numbers, min_size=1, max_size=40))
@pytest.mark.parametrize("most", [1, 7, 100])
@settings(max_examples=60)
def test_median(most: int, values: list[float]) -> None:
    """As NumPy computes it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distribution, "_MOST", most)
        assert median(in_parts(values), len(values)) == np.median(values)
