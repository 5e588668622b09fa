"""Numbers as people read them."""

from __future__ import annotations

import numpy as np
import pytest

from actcli.reports.numbers import aligned, counted, json_numbers, number, percent, probability, significant, size


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (float("nan"), "-"),
        (0.0, "0.0000"),
        (12345, "12,345"),
        (0.25, "0.2500"),
        (-0.00005, "-5.0e-05"),
        (0.0001, "0.0001"),
        (1234.5678, "1234.57"),
        (float("inf"), "inf"),
    ],
)
def test_a_number(value: float | None, shown: str) -> None:
    """A number has four decimals, unless these would hide it."""
    assert number(value) == shown


@pytest.mark.parametrize(
    ("value", "precision", "shown"),
    [
        (0.5, None, "0.5000"),
        (0.0, None, "0.0000"),
        (1.0, None, "1.0000"),
        (1e-9, None, "<.0001"),
        (1 - 1e-9, None, ">.9999"),
        (0.5, 3, "0.500"),
        (1e-9, 2, "1.0e-09"),
    ],
)
def test_a_probability(value: float, precision: int | None, shown: str) -> None:
    """A probability is shown as 0 or 1 only if it is exactly that."""
    assert probability(value, precision) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0.0, "0 %"), (1.0, "100 %"), (0.125, "12.5 %"), (0.0002, "under 0.1 %"), (0.99995, "over 99.9 %")],
)
def test_a_share(share: float, shown: str) -> None:
    """A share is a percentage; 0 % and 100 % are exact."""
    assert percent(share) == shown


def test_counts() -> None:
    """A count has its noun."""
    assert counted(1, "class", "classes") == "1 class"
    assert counted(2000, "row") == "2,000 rows"
    assert size(1, 3) == "1 row, 3 classes"
    assert size(2, 1, " x ") == "2 rows x 1 class"


def test_numbers_of_any_scale() -> None:
    """Numbers of any scale have significant digits, with zeros at the end where a column lines up."""
    assert significant(1234567.0) == "1.2346e+06"
    assert significant(2.0) == "2"
    assert significant(None) == "-"
    assert aligned(2.0, 3) == "2.00"
    assert aligned(200.0, 3) == "200"


def test_json_has_no_nan() -> None:
    """Numbers that are not finite are null."""
    assert json_numbers(np.array([0.5, np.nan, np.inf])) == [0.5, None, None]
