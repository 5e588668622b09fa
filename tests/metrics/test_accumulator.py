"""Accumulators of parts of the rows, merged, have the result of one accumulator of all rows."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from actcli.metrics.accumulator import MetricAccumulator
from actcli.metrics.row_statistics import cell_bins, exclusive_rows, label_rows
from actcli.metrics.settings import MetricSettings
from actcli.streaming import spooled_scores
from actcli.streaming.spooled_scores import SpooledScoreStore
from actcli.tasks import Task
from copies import pickled

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = np.ndarray[Any, np.dtype[Any]]

ROWS = 9000
"""They fill two blocks of 4,096 rows and a part of a third."""

CLASSES = 3

CUTS = [(0,), (1,), (17, 18), (4096,), (5000,), (4095, 4096, 8192), (8999,), (ROWS,)]


class Rows:
    """Random rows of a task, with ties, rows without labels and, for exclusive classes, withheld labels."""

    def __init__(self, settings: MetricSettings) -> None:
        rng = np.random.default_rng(3)
        self.settings = settings
        shape = (ROWS, settings.classes)
        self.probabilities = rng.integers(1, 40, shape) / 40
        if settings.exclusive:
            self.probabilities /= self.probabilities.sum(axis=1, keepdims=True)
            self.truth: Array = rng.integers(0, settings.classes, ROWS)
            self.decided: Array = np.where(rng.random(ROWS) < 0.1, -1, self.probabilities.argmax(axis=1))
        else:
            self.truth = rng.random(shape) < 0.3
            self.decided = self.probabilities >= 0.6
        self.best = np.argsort(-self.probabilities, axis=1)[:, :2] if settings.top_k else None

    def add(self, accumulator: MetricAccumulator, start: int, end: int) -> None:
        """Add some of the rows, in chunks of an odd size."""
        for first in range(start, end, 777):
            part = slice(first, min(first + 777, end))
            probabilities = self.probabilities[part]
            known = (self.settings, self.truth[part], self.decided[part], probabilities, np.log(probabilities))
            if self.settings.exclusive:
                statistics = exclusive_rows(*known, None if self.best is None else self.best[part])
            else:
                bins = None if self.settings.equal_mass else cell_bins(self.settings, probabilities)
                with np.errstate(divide="ignore"):
                    complements = np.log1p(-probabilities)
                statistics = label_rows(*known, complements, bins)
            accumulator.add(np.arange(part.start, part.stop), statistics, probabilities)

    def accumulated(self, start: int, end: int, *, spooled: bool = False) -> MetricAccumulator:
        """Return the accumulator of some of the rows, as another process would return it."""
        accumulator = MetricAccumulator(self.settings, SpooledScoreStore() if spooled else None)
        self.add(accumulator, start, end)
        return pickled(accumulator)


def merged(rows: Rows, cuts: Sequence[int], *, spooled: bool = False) -> MetricAccumulator:
    """Return the accumulators of the parts between the cuts, merged in order."""
    first, *others = (rows.accumulated(*part, spooled=spooled) for part in pairwise((0, *cuts, ROWS)))
    for other in others:
        first.merge(other)
    return first


def assert_same(found: MetricAccumulator, expected: MetricAccumulator) -> None:
    """Assert that counts and what is ranked are equal, and all numbers up to 1e-12."""
    assert found.rows == expected.rows
    if expected.confusion is None:
        assert found.confusion is None
    else:
        np.testing.assert_array_equal(found.confusion, expected.confusion)
    for one, other in zip(found.result(), expected.result(), strict=True):
        assert list(one) == list(other)
        for name, values in other.items():
            exact = name.startswith(("roc_auc", "average_precision")) or name in ("support", "count", "edges")
            tolerance = 0 if exact else 1e-12
            np.testing.assert_allclose(one[name], values, rtol=tolerance, atol=tolerance, err_msg=name)
    if expected.settings.ranking:
        for number in range(expected.settings.classes):
            for mine, theirs in zip(found.ranked(number), expected.ranked(number), strict=True):
                np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("task", Task)
@pytest.mark.parametrize(
    "options",
    [
        {"ranking": False},
        {"bootstrap": 20, "seed": 4},
        {"bootstrap": 17, "equal_mass": True, "ranking": False},
        {"equal_mass": True, "coverage": True, "top_k": True},
    ],
    ids=["sums", "bootstrap", "equal mass", "ranking"],
)
def test_merged_parts_are_the_whole(task: Task, options: dict[str, Any]) -> None:
    """For any cut of the rows, also inside a block and with empty parts."""
    settings = MetricSettings(task, 2 if task is Task.BINARY else CLASSES, **options)
    rows = Rows(settings)
    whole = rows.accumulated(0, ROWS)
    for cuts in CUTS:
        assert_same(merged(rows, cuts), whole)


def test_the_order_of_the_parts_does_not_matter() -> None:
    """The rows keep their numbers."""
    rows = Rows(MetricSettings(Task.SOFTMAX, CLASSES, bootstrap=20))
    last, first = rows.accumulated(5000, ROWS), rows.accumulated(0, 5000)
    last.merge(first)
    for one, other in zip(last.result(), rows.accumulated(0, ROWS).result(), strict=True):
        for name, values in other.items():
            np.testing.assert_allclose(one[name], values, rtol=1e-12, atol=1e-12, err_msg=name)


def test_rows_can_be_added_after_a_merge() -> None:
    """Also those of a block that was cut."""
    rows = Rows(MetricSettings(Task.MULTILABEL, CLASSES, bootstrap=20))
    found = merged(rows, ())
    parts = rows.accumulated(0, 3000)
    parts.merge(rows.accumulated(3000, 4000))
    rows.add(parts, 4000, ROWS)
    assert_same(parts, found)


def test_scores_in_a_temporary_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Are merged and pickled like those in memory."""
    rows = Rows(MetricSettings(Task.SOFTMAX, CLASSES, bootstrap=3))
    whole = rows.accumulated(0, ROWS)
    monkeypatch.setattr(spooled_scores, "MEMORY_BYTES", 30_000)
    monkeypatch.setattr(spooled_scores, "_BLOCK_BYTES", 8_000)
    assert_same(merged(rows, (4000,), spooled=True), whole)


def test_a_merge_leaves_the_other_as_it_is() -> None:
    """So it can be merged into several."""
    rows = Rows(MetricSettings(Task.BINARY, 2, bootstrap=3))
    first, second = rows.accumulated(0, 100), rows.accumulated(100, ROWS)
    expected = rows.accumulated(100, ROWS)
    first.merge(second)
    rows.add(first, 0, 50)
    assert_same(second, expected)


def test_different_settings_do_not_merge() -> None:
    """Their sums mean different things."""
    one, other = (MetricAccumulator(MetricSettings(Task.SOFTMAX, CLASSES, bins=bins)) for bins in (10, 15))
    with pytest.raises(ValueError, match="different settings"):
        one.merge(other)


def test_bins_of_equal_mass_need_little_memory() -> None:
    """Beside the 9 bytes that are kept of each cell, at most two copies of them."""
    rows, classes = 4096, 64
    settings = MetricSettings(Task.MULTILABEL, classes, ranking=False, equal_mass=True)
    accumulator = MetricAccumulator(settings)
    rng = np.random.default_rng(0)
    for start in range(0, 4 * rows, rows):
        probabilities = rng.random((rows, classes))
        logarithms = np.log(probabilities), np.log1p(-probabilities)
        truth = rng.random((rows, classes)) < probabilities
        statistics = label_rows(settings, truth, probabilities >= 0.5, probabilities, *logarithms, None)
        accumulator.add(np.arange(start, start + rows), statistics, probabilities)
    tracemalloc.start()
    try:
        _, _, bins = accumulator.result()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak / (4 * rows * classes) < 30
    assert bins["count"][0].tolist() == [len(part) for part in np.array_split(np.arange(4 * rows * classes), 15)]
