"""Sums over the summaries of rows, and the intervals about what is made of them. NumPy only.

Summaries are added up in blocks of fixed row numbers, so that no sum depends on how the rows came. What ranks all rows
is made of the probabilities at the end, one class after the other.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from actcli.metrics.definitions import LARGEST_CONFUSION, Settings, measured
from actcli.metrics.ranking import RankedScores, packed, ranking_scores
from actcli.metrics.row_statistics import bin_codes, bin_edges, equal_masses

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TypeAlias

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["MemoryScoreStore", "MetricAccumulator", "ScoreStore"]

_REPLICATES_AT_ONCE = 16
_LARGEST_BLOCK = 4096
_CELLS_IN_BLOCK = 1 << 22
_CELLS_IN_CACHE = 1 << 19
"""Of so many rows times replicates, the weights are packed at once."""

_RANKING_BYTES = 1 << 26
"""So much memory is taken for the order of the rows by one class after the other."""


class ScoreStore(Protocol):
    """A table that grows by rows and is read by columns."""

    def append(self, rows: Array) -> None:
        """Add rows, shape (n, C), float64."""

    def column(self, number: int) -> Array:
        """Return a column, shape (N,)."""


class MemoryScoreStore:
    """A table of cells in memory."""

    def __init__(self) -> None:
        self._parts: list[Array] = []

    def append(self, rows: Array) -> None:
        """Add rows."""
        self._parts.append(rows)

    def column(self, number: int) -> Array:
        """Return a column."""
        return np.concatenate([part[:, number] for part in self._parts] or [np.zeros(0)])


class MetricAccumulator:
    """Takes the summaries of rows, in order, and has the metrics at the end.

    Parameters
    ----------
    settings
        What is to be measured.
    cells
        Where the probabilities are kept that are ranked at the end.
    """

    def __init__(self, settings: Settings, cells: ScoreStore | None = None) -> None:
        self.settings = settings
        self._cells = cells or MemoryScoreStore()
        self._block_rows = _block_rows(settings.classes)
        self._block = -1
        self._parts: list[tuple[Array, dict[str, Array]]] = []
        self._totals: dict[str, Array] = {}
        self._numbers: list[Array] = []
        self._truth: list[Array] = []
        self._masses: list[tuple[Array, Array]] = []
        self.rows = 0
        self.confusion: Array | None = None
        if settings.task != "multilabel" and settings.classes <= LARGEST_CONFUSION:
            self.confusion = np.zeros((settings.classes, settings.classes), dtype=np.int64)

    def add(self, numbers: Array, summary: Mapping[str, Array], probabilities: Array) -> None:
        """Add rows.

        Parameters
        ----------
        numbers
            The number of each row, increasing also from one call to the next.
        summary
            Of the rows, by `exclusive_rows` or `label_rows`.
        probabilities
            Shape (N, C).
        """
        self.rows += len(numbers)
        answered = np.arange(len(numbers))
        if self.settings.task != "multilabel":
            answered = np.flatnonzero(summary["predicted"] >= 0)
        if self.settings.ranking:
            self._cells.append(probabilities[answered])
        if self.settings.ranking or self.settings.equal_mass:
            self._keep(numbers, summary, answered)
        if self.confusion is not None:
            np.add.at(self.confusion, (summary["truth"][answered], summary["predicted"][answered]), 1)
        blocks = numbers // self._block_rows
        for start, end in _runs(blocks):
            if blocks[start] != self._block:
                self._end_block()
                self._block = int(blocks[start])
            self._parts.append((numbers[start:end], {name: values[start:end] for name, values in summary.items()}))

    def _keep(self, numbers: Array, summary: Mapping[str, Array], answered: Array) -> None:
        """Keep what the end needs of each row that has a label."""
        if self.settings.bootstrap:
            self._numbers.append(numbers[answered])
        if self.settings.equal_mass:
            self._masses.append((summary["confidence"][answered], summary["correct"][answered]))
        if self.settings.ranking:
            truth = summary["truth"][answered]
            packed = self.settings.task == "multilabel"
            self._truth.append(np.packbits(truth, axis=1) if packed else truth.astype(np.int32))

    def _end_block(self) -> None:
        """Add up the rows of a block, once plainly and once for each replicate."""
        if not self._parts:
            return
        numbers = np.concatenate([part[0] for part in self._parts])
        summary = {name: np.concatenate([part[1][name] for part in self._parts]) for name in self._parts[0][1]}
        self._parts = []
        terms = (_label_terms if self.settings.task == "multilabel" else _exclusive_terms)(self.settings, summary)
        for first, weights in self._weightings(numbers):
            for name, term in terms.items():
                values = term.summed(weights)
                if name not in self._totals:
                    self._totals[name] = np.zeros((1 + self.settings.bootstrap, *values.shape[1:]))
                self._totals[name][first : first + len(values)] += values

    def _weightings(self, numbers: Array) -> Iterator[tuple[int, Array | None]]:
        """Yield how often each row counts: once, and then in some replicates after the other, from a number on."""
        yield 0, None
        for first in range(0, self.settings.bootstrap, _REPLICATES_AT_ONCE):
            weights = self._weights(first // _REPLICATES_AT_ONCE, numbers)[: self.settings.bootstrap - first]
            yield 1 + first, weights.astype(np.float64)

    def _weights(self, group: int, numbers: Array) -> Array:
        """Return how often each of these rows counts in a group of replicates: of a row, always the same."""
        blocks = numbers // self._block_rows
        parts = [
            _block_weights(self.settings.seed, group, int(blocks[start]), self._block_rows)[
                :, numbers[start:end] % self._block_rows
            ]
            for start, end in _runs(blocks)
        ]
        return np.concatenate(parts, axis=1) if parts else np.zeros((_REPLICATES_AT_ONCE, 0), dtype=np.uint8)

    def result(self) -> tuple[dict[str, Array], dict[str, Array], dict[str, Array]]:
        """Return the metrics, what there is of each class, and the bins: of all rows, then of each replicate.

        The arrays have the shapes (1 + R,), (1 + R, C) and (1 + R, bins).
        """
        self._end_block()
        if not self._totals:
            return {}, {}, {}
        by_class = {}
        if self.settings.ranking:
            by_class = dict(zip(("roc_auc", "average_precision"), self._rank(), strict=True))
        bins = self._bins()
        return *measured(self.settings, self._totals, by_class, bins), bins

    def ranked(self, number: int) -> tuple[Array, Array]:
        """Return the probability of a class in each row that has a label, and where the class is right."""
        return self._cells.column(number), _positive(self._all_truth(), number)

    def _all_truth(self) -> Array:
        """Return the truth of each row that is ranked: codes, or packed bits."""
        return np.concatenate(self._truth) if self._truth else np.zeros(0, dtype=np.int32)

    def _rank(self) -> tuple[Array, Array]:
        """Return the ROC AUC and the average precision of each class, shapes (1 + R, C)."""
        shape = (1 + self.settings.bootstrap, self.settings.classes)
        auc, precision = np.full(shape, np.nan), np.full(shape, np.nan)
        truth = self._all_truth()
        rankings: dict[int, RankedScores] = {}
        room = _RANKING_BYTES
        for number in range(self.settings.classes):
            values, positive = self._cells.column(number), _positive(truth, number)
            auc[0, number], precision[0, number] = ranking_scores(values, positive)
            if self.settings.bootstrap:
                rankings[number] = RankedScores(values, positive)
                room -= rankings[number].nbytes
            # The weights are made once for as many classes as there is room for.
            if room <= 0:
                self._replicate(rankings, auc, precision)
                rankings, room = {}, _RANKING_BYTES
        self._replicate(rankings, auc, precision)
        return auc, precision

    def _replicate(self, rankings: Mapping[int, RankedScores], auc: Array, precision: Array) -> None:
        """Put the scores of each replicate of some classes where they belong."""
        if not rankings:
            return
        numbers = np.concatenate(self._numbers)
        groups = -(-self.settings.bootstrap // _REPLICATES_AT_ONCE)
        at_once = max(1, _CELLS_IN_CACHE // (_REPLICATES_AT_ONCE * max(1, len(numbers))))
        for start in range(0, groups, at_once):
            some = range(start, min(start + at_once, groups))
            words = np.concatenate([packed(self._weights(group, numbers)) for group in some], axis=1)
            rows = slice(1 + start * _REPLICATES_AT_ONCE, 1 + (start + at_once) * _REPLICATES_AT_ONCE)
            for number, ranking in rankings.items():
                found = auc[rows, number], precision[rows, number]
                for place, scores in zip(found, ranking.scores(words), strict=True):
                    place[:] = scores[: len(place)]

    def _bins(self) -> dict[str, Array]:
        """Return the sums of each bin, count, confidence and correct, (1 + R, bins), and the edges, (bins + 1,)."""
        if not self.settings.equal_mass:
            edges = bin_edges(self.settings.bins)
            return {name: self._totals[f"bin_{name}"] for name in ("count", "confidence", "correct")} | {"edges": edges}
        confidence = np.concatenate([part[0] for part in self._masses])
        correct = np.concatenate([part[1] for part in self._masses])
        numbers = np.concatenate(self._numbers) if self._numbers else np.arange(len(confidence))
        cells = confidence.size // max(1, len(confidence))
        edges = equal_masses(confidence.ravel(), self.settings.bins)
        codes = bin_codes(confidence.ravel(), edges)
        terms = {
            name: _Counted(codes, len(edges) - 1, values.astype(np.float64).ravel())
            for name, values in (("count", np.ones(len(codes))), ("confidence", confidence), ("correct", correct))
        }
        sums: dict[str, list[Array]] = {name: [] for name in terms}
        for _, weights in self._weightings(numbers):
            each = None if weights is None else np.repeat(weights, cells, axis=1)
            for name, term in terms.items():
                sums[name].append(term.summed(each))
        return {name: np.concatenate(parts) for name, parts in sums.items()} | {"edges": edges}


def _positive(truth: Array, number: int) -> Array:
    """Return where a class is right."""
    if truth.ndim == 1:
        return np.asarray(truth == number)
    return np.asarray((truth[:, number >> 3] >> (7 - (number & 7)) & 1) == 1)


def _block_rows(classes: int) -> int:
    """Return how many rows are added up at once: by the number of classes alone."""
    return max(16, min(_LARGEST_BLOCK, 1 << (max(1, _CELLS_IN_BLOCK // classes).bit_length() - 1)))


def _runs(values: Array) -> list[tuple[int, int]]:
    """Return where runs of equal values start and end."""
    starts = np.flatnonzero(np.diff(values, prepend=-1)).tolist()
    return list(itertools.pairwise([*starts, len(values)]))


def _poisson_table() -> Array:
    """Return the quantiles of the Poisson distribution of mean 1, for each of 65,536 equally likely numbers."""
    mass, below, table = np.exp(-1.0), 0.0, np.zeros(1 << 16, dtype=np.uint8)
    shares = (np.arange(1 << 16) + 0.5) / (1 << 16)
    for count in range(1, 20):
        below += mass
        mass /= count
        table[shares >= below] = count
    return table


_POISSON = _poisson_table()


def _block_weights(seed: int, group: int, block: int, rows: int) -> Array:
    """Return how often each row of a block counts in each replicate of a group, shape (group, rows), uint8.

    Instead of drawing N rows out of N, which needs to know N, each row counts as often as a Poisson number of mean 1
    says, which comes to the same for many rows (Hanley and MacGibbon 2006, doi:10.1016/j.cmpb.2006.04.006). The
    generator is one of counters, so that the numbers of a block can be had at any time, in any order.
    """
    generator = np.random.Philox(key=seed, counter=np.array([0, 0, group, block], dtype=np.uint64))
    raw = generator.random_raw(_REPLICATES_AT_ONCE * rows // 4).astype("<u8").view("<u2")
    weights: Array = _POISSON[raw].reshape(_REPLICATES_AT_ONCE, rows)
    return weights


class _Added(NamedTuple):
    """What is added up over rows: values of shape (N,) or (N, K), float64."""

    values: Array

    def summed(self, weights: Array | None) -> Array:
        """Return the sum, in which each row counts once, or as `weights`, shape (R, N), say: shape (R, ...)."""
        return np.asarray(self.values.sum(axis=0)[np.newaxis] if weights is None else weights @ self.values)


class _Counted(NamedTuple):
    """What is added up over rows by a code: the code, how many there are of them, and a value of each row."""

    codes: Array
    size: int
    values: Array

    def summed(self, weights: Array | None) -> Array:
        """Return the sum for each code, shape (R, size)."""
        rows = np.atleast_2d(self.values if weights is None else weights * self.values)
        return np.array([np.bincount(self.codes, row, minlength=self.size) for row in rows])


def _exclusive_terms(settings: Settings, rows: Mapping[str, Array]) -> dict[str, _Added | _Counted]:
    """Return what is added up; a row whose label was withheld counts nowhere but in `every`."""
    truth, predicted = rows["truth"], rows["predicted"]
    answered = (predicted >= 0).astype(np.float64)
    infinite = np.isinf(rows["loss"])
    terms: dict[str, _Added | _Counted] = {
        "every": _Added(np.ones(len(truth))),
        "rows": _Added(answered),
        "loss": _Added(np.where(infinite, 0, rows["loss"]) * answered),
        "infinite": _Added(infinite * answered),
        "brier": _Added(rows["brier"] * answered),
        "support": _Counted(truth, settings.classes, answered),
        "predicted": _Counted(np.maximum(predicted, 0), settings.classes, answered),
        "right": _Counted(truth, settings.classes, (truth == predicted).astype(np.float64)),
    }
    if "hit" in rows:
        terms["hit"] = _Added(rows["hit"] * answered)
    if not settings.equal_mass:
        codes = bin_codes(rows["confidence"], bin_edges(settings.bins))
        terms["bin_count"] = _Counted(codes, settings.bins, answered)
        for name in ("confidence", "correct"):
            terms[f"bin_{name}"] = _Counted(codes, settings.bins, rows[name] * answered)
    return terms


def _label_terms(settings: Settings, rows: Mapping[str, Array]) -> dict[str, _Added | _Counted]:
    infinite = np.isinf(rows["loss"])
    values = {
        "rows": np.ones(len(infinite)),
        "loss": np.where(infinite, 0, rows["loss"]),
        "infinite": infinite,
        "wrong": rows["wrong"],
        "exact": rows["wrong"] == 0,
        "support": rows["truth"],
        "predicted": rows["chosen"],
        "right": rows["truth"] & rows["chosen"],
    }
    names = ["precision", "recall", "f1", "jaccard", *(["lrap"] if settings.ranking else [])]
    if not settings.equal_mass:
        names += ["bin_count", "bin_confidence", "bin_correct"]
    values |= {name: rows[name] for name in names}
    return {name: _Added(each.astype(np.float64)) for name, each in values.items()}
