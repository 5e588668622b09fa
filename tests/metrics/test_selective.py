"""The selective risk against plain Python: the mean over all orders of the rows whose labels are equally probable."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import actcli
from actcli.metrics import selective
from actcli.metrics.curves import GRID, risk_coverage_curve
from actcli.metrics.selective import SelectiveRanking

if TYPE_CHECKING:
    from collections.abc import Iterator

Array = np.ndarray[Any, np.dtype[Any]]


def orders(levels: list[int]) -> Iterator[tuple[int, ...]]:
    """Yield every order of the rows in which a higher level comes first."""
    groups = [[row for row, level in enumerate(levels) if level == each] for each in sorted(set(levels), reverse=True)]
    for parts in itertools.product(*map(itertools.permutations, groups)):
        yield tuple(itertools.chain(*parts))


def enumerated(levels: list[int], wrong: list[bool]) -> Fraction:
    """Return the mean over all orders of the mean over k of the share of wrong rows among the first k."""
    areas = []
    for order in orders(levels):
        missed = itertools.accumulate(int(wrong[row]) for row in order)
        risks = (Fraction(count, k) for k, count in enumerate(missed, start=1))
        areas.append(sum(risks, Fraction(0)) / len(levels))
    return sum(areas, Fraction(0)) * Fraction(1, len(areas))


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=6))
@settings(max_examples=150, deadline=None)
def test_the_area_is_that_of_all_orders(rows: list[tuple[int, bool]]) -> None:
    """So that the order of the rows does not matter."""
    levels, wrong = [level for level, _ in rows], [is_wrong for _, is_wrong in rows]
    expected = enumerated(levels, wrong)
    for chosen in (slice(None), slice(None, None, -1)):
        found = SelectiveRanking(np.array(levels[chosen]) / 4, np.array(wrong[chosen])).area()
        assert found == pytest.approx(float(expected), rel=1e-14, abs=1e-16)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.sampled_from([0.0, 0.5, 1.0, 3.0])), min_size=1, max_size=9)
)
@settings(deadline=None)
def test_weights(rows: list[tuple[int, bool, float]]) -> None:
    """Rows of one level share their weight, and its wrong part: one row after the other, in fractions."""
    kept = missed = area = Fraction(0)
    for level in range(4, -1, -1):
        of_level = [(is_wrong, Fraction(weight)) for each, is_wrong, weight in rows if each == level and weight]
        for place in range(1, len(of_level) + 1):
            share = Fraction(place, len(of_level))
            weight = sum(weight for _, weight in of_level)
            wrong = sum((weight for is_wrong, weight in of_level if is_wrong), Fraction(0))
            area += (missed + wrong * share) / (kept + weight * share) * weight / len(of_level)
        kept += sum((weight for _, weight in of_level), Fraction(0))
        missed += sum((weight for is_wrong, weight in of_level if is_wrong), Fraction(0))
    confidence, is_missed, weights = (np.array(each) for each in zip(*rows, strict=True))
    for scale in (1.0, 1e-300, 1e290):
        found = SelectiveRanking(confidence / 4, is_missed).area(weights * scale)
        if kept:
            assert found == pytest.approx(float(area / kept), rel=1e-13, abs=1e-15)
        else:
            assert math.isnan(found)


@pytest.mark.parametrize("digits", [1, 3, 17])
def test_blocks_change_nothing(digits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """But the last bits of a sum."""
    rng = np.random.default_rng(1)
    confidence, wrong, weights = rng.random(1000).round(digits), rng.random(1000) < 0.3, rng.random(1000)
    ranking = SelectiveRanking(confidence, wrong)
    expected = ranking.area(), ranking.area(weights)
    monkeypatch.setattr(selective, "_ROWS_AT_ONCE", 7)
    assert (ranking.area(), ranking.area(weights)) == pytest.approx(expected, rel=1e-13)


def test_no_rows() -> None:
    """Have no risk."""
    ranking = SelectiveRanking(np.zeros(0), np.zeros(0, dtype=bool))
    assert math.isnan(ranking.area())
    assert math.isnan(ranking.area(np.zeros(0)))
    assert [len(each) for each in risk_coverage_curve(ranking)] == [0, 0, 0]


@pytest.mark.parametrize("task", ["softmax", "binary"])
def test_the_label_decides(task: str) -> None:
    """The confidence is the probability of the label, whether or not it is the most probable one."""
    probabilities = np.array([[0.9, 0.1], [0.65, 0.35], [0.4, 0.6], [0.2, 0.8]])
    options: dict[str, Any] = {"threshold": 0.3} if task == "binary" else {}
    found = actcli.evaluate(probabilities, [1, 0, 1, 1], task=task, origin="probabilities", **options)
    predicted = [0, 1, 1, 1] if task == "binary" else [0, 0, 1, 1]
    confidence = probabilities[range(4), predicted]
    rank = np.argsort(np.argsort(confidence)).tolist()
    wrong = [label != truth for label, truth in zip(predicted, [1, 0, 1, 1], strict=True)]
    assert found.metrics["aurc"] == pytest.approx(float(enumerated(rank, wrong)), rel=1e-14)


@given(st.integers(0, 1000), st.integers(1, 60), st.booleans())
@settings(deadline=None)
def test_the_curve(seed: int, rows: int, weighted: bool) -> None:
    """Has a point for each distinct probability, counted row by row, and begins at a coverage of 0."""
    rng = np.random.default_rng(seed)
    confidence, wrong = rng.random(rows).round(1), rng.random(rows) < 0.4
    weights = rng.random(rows) + 0.1 if weighted else np.ones(rows)
    line = risk_coverage_curve(SelectiveRanking(confidence, wrong), weights if weighted else None)
    assert line.thresholds[0] == np.inf
    assert (line.x[0], line.y[0]) == (0, line.y[1])
    for x, y, threshold in zip(line.x[1:], line.y[1:], line.thresholds[1:], strict=True):
        kept = confidence >= threshold
        assert x == pytest.approx(weights[kept].sum() / weights.sum(), rel=1e-12)
        assert y == pytest.approx(weights[kept & wrong].sum() / weights[kept].sum(), rel=1e-12, abs=1e-15)
    assert line.x[-1] == pytest.approx(1)


def test_many_rows_make_few_points() -> None:
    """As other curves do."""
    rng = np.random.default_rng(2)
    line = risk_coverage_curve(SelectiveRanking(rng.random(100_000), rng.random(100_000) < 0.3))
    assert len(line.x) < 6 * GRID
