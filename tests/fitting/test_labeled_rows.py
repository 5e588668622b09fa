"""The rows of a fit: gathered, merged, and some of them held out."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from actcli.errors import DataError
from actcli.evaluation.truth import ArrayTruth
from actcli.fitting.labeled_rows import LabeledRows, LabeledRowsSink, hold_out
from actcli.streaming.batch import Batch, Layout
from copies import pickled

GIVEN = np.random.default_rng(2).normal(size=(50, 3))
TRUTHS = {"codes": np.arange(50) % 3, "labels": np.random.default_rng(3).random((50, 3)) < 0.4}


def gathered(truth: np.ndarray, start: int, end: int) -> LabeledRowsSink:
    """Return the sink of some rows, as another process would return it."""
    sink = LabeledRowsSink(ArrayTruth(truth))
    sink.open(Layout(("a", "b", "c"), (), GIVEN.dtype))
    encoder = pickled(sink.encoder)
    for first in range(start, end, 7):
        last = min(first + 7, end)
        sink.accept(encoder.encode(Batch(GIVEN[first:last], {}, str, values={"given": GIVEN[first:last]})), first)
    sink.finish()
    return pickled(sink)


@pytest.mark.parametrize("kind", TRUTHS)
@pytest.mark.parametrize("cuts", [(), (1,), (25,), (7, 8, 49)])
def test_merged_parts_are_the_whole(kind: str, cuts: tuple[int, ...]) -> None:
    """In the order of the rows."""
    first, *others = (gathered(TRUTHS[kind], *part) for part in pairwise((0, *cuts, 50)))
    for other in others:
        first.merge(other)
    rows = first.rows()
    np.testing.assert_array_equal(rows.given, GIVEN)
    np.testing.assert_array_equal(rows.truth, TRUTHS[kind])


def test_hold_out() -> None:
    """Holds out a share of the rows, rounded up; the same for the same seed, and the others stay in order."""
    rows = LabeledRows(np.arange(50.0)[:, np.newaxis], np.zeros(50, dtype=np.int64))
    fitted, held = hold_out(rows, "0.29", 3)
    assert held is not None
    assert (len(fitted), len(held)) == (35, 15)
    assert sorted([*fitted.given[:, 0], *held.given[:, 0]]) == list(range(50))
    assert (np.diff(fitted.given[:, 0]) > 0).all()
    again = hold_out(rows, "0.29", 3)[1]
    other = hold_out(rows, "0.29", 4)[1]
    assert again is not None
    assert other is not None
    assert again.given.tolist() == held.given.tolist() != other.given.tolist()
    assert hold_out(rows, None, 0) == (rows, None)
    with pytest.raises(DataError, match="50 rows cannot be divided"):
        hold_out(rows, "0.99", 0)
