"""The rows of a fit: gathered, merged, and some of them held out."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from actcli.errors import DataError
from actcli.evaluation.truth import ArrayTruth
from actcli.fitting import labeled_rows
from actcli.fitting.labeled_rows import LabeledRows, LabeledRowsSink, hold_out
from actcli.streaming import spooled_scores
from actcli.streaming.batch import Batch, Layout
from copies import pickled

GIVEN = np.random.default_rng(2).normal(size=(50, 3)).astype(np.float32)
TRUTHS = {"codes": np.arange(50) % 3, "labels": np.random.default_rng(3).random((50, 3)) < 0.4}


def gathered(truth: np.ndarray, start: int, end: int, step: int = 7, kept: int = 1 << 20) -> LabeledRowsSink:
    """Return the sink of some rows, as another process would return it."""
    sink = LabeledRowsSink(ArrayTruth(truth), GIVEN.dtype, kept)
    sink.open(Layout(("a", "b", "c"), (), np.dtype(np.float64)))
    encoder = pickled(sink.encoder)
    for first in range(start, end, step):
        last = min(first + step, end)
        given = GIVEN[first:last].astype(np.float64)
        sink.accept(encoder.encode(Batch(given, {}, str, values={"given": given})), first)
    sink.finish()
    return pickled(sink)


def content(rows: LabeledRows) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of rows, and their truth."""
    given, truth = zip(*rows.blocks(lambda *block: block), strict=True)
    return np.concatenate(given), np.concatenate(truth)


@pytest.fixture(params=[0, 1 << 20], ids=["file", "memory"])
def kept(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many bytes are kept in memory; blocks have few rows, and are worked on in two parts."""
    monkeypatch.setattr(spooled_scores, "_BLOCK_BYTES", 96)
    monkeypatch.setattr(labeled_rows, "_CELLS", 15)
    return int(request.param)


@pytest.mark.parametrize("kind", TRUTHS)
@pytest.mark.parametrize("cuts", [(), (1,), (25,), (7, 8, 49)])
def test_merged_parts_are_the_whole(kind: str, cuts: tuple[int, ...], kept: int) -> None:
    """In the order of the rows, in the precision of the input, whatever fits into memory."""
    first, *others = (gathered(TRUTHS[kind], *part, kept=kept) for part in pairwise((0, *cuts, 50)))
    for other in others:
        first.merge(other)
    rows = first.rows()
    given, truth = content(rows)
    np.testing.assert_array_equal(given, GIVEN)
    np.testing.assert_array_equal(truth, TRUTHS[kind])
    assert given.dtype == np.float64
    assert rows.true_counts() == (
        [17, 17, 16] if kind == "codes" else np.count_nonzero(TRUTHS["labels"], axis=0).tolist()
    )


@pytest.mark.parametrize("step", [1, 7, 50])
@pytest.mark.parametrize("jobs", [1, 3])
def test_blocks_do_not_depend_on_chunks_or_threads(step: int, jobs: int, kept: int) -> None:
    """So that sums over blocks do not either: eight rows in a block of the store, five of them at once."""
    rows = gathered(TRUTHS["codes"], 0, 50, step, kept).rows(jobs)
    assert list(rows.blocks(lambda given, truth: (len(given), len(truth)))) == [(5, 5), (3, 3)] * 6 + [(2, 2)]


def test_hold_out(kept: int) -> None:
    """Holds out a share of the rows, rounded up; the same for the same seed, and all stay in order."""
    rows = gathered(TRUTHS["codes"], 0, 50, kept=kept).rows()
    fitted, held = hold_out(rows, "0.29", 3)
    assert held is not None
    assert (fitted.size, held.size) == (35, 15)
    places = [[GIVEN.tolist().index(row) for row in content(part)[0].tolist()] for part in (fitted, held)]
    assert sorted(places[0] + places[1]) == list(range(50))
    for part, numbers in zip((fitted, held), places, strict=True):
        assert numbers == sorted(numbers)
        assert content(part)[1].tolist() == TRUTHS["codes"][numbers].tolist() == part.true_codes().tolist()
    again, other = hold_out(rows, "0.29", 3)[1], hold_out(rows, "0.29", 4)[1]
    assert again is not None
    assert other is not None
    assert content(again)[0].tolist() == content(held)[0].tolist() != content(other)[0].tolist()
    assert hold_out(rows, None, 0) == (rows, None)
    with pytest.raises(DataError, match="50 rows cannot be divided"):
        hold_out(rows, "0.99", 0)
