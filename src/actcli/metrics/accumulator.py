"""Sums over the statistics of rows, and the metrics and bootstrap replicates made of them. NumPy only.

Statistics are added up in blocks of fixed row numbers, so that no sum depends on how the rows arrive. Metrics that rank
all rows are computed from the stored probabilities at the end, one class after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from actcli.metrics import bootstrap
from actcli.metrics.bootstrap import REPLICATES_AT_ONCE, runs
from actcli.metrics.definitions import Totals, compute_metrics
from actcli.metrics.ranking import RankedScores, packed, ranking_scores
from actcli.metrics.row_statistics import bin_codes, bin_edges, equal_masses
from actcli.metrics.score_store import MemoryScoreStore
from actcli.metrics.terms import CodedValues, terms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TypeAlias

    from actcli.metrics.score_store import ScoreStore
    from actcli.metrics.settings import MetricSettings

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["MetricAccumulator"]

LARGEST_CONFUSION = 2000
"""With more classes than this there is no confusion matrix."""

_BIN_SUMS = ("count", "confidence", "correct")
"""What is added up in each bin."""

_LARGEST_BLOCK = 4096
_CELLS_IN_BLOCK = 1 << 22
_CELLS_IN_CACHE = 1 << 19
"""The weights of at most so many rows times replicates are packed at once."""

_RANKING_BYTES = 1 << 26
"""The memory for the order of the rows by one class after the other."""


class MetricAccumulator:
    """Adds up the statistics of rows, and computes the metrics at the end. It can be pickled and merged.

    Parameters
    ----------
    settings
        What to measure.
    scores
        Where to keep the probabilities for the metrics that rank all rows; by default in memory.
    """

    def __init__(self, settings: MetricSettings, scores: ScoreStore | None = None) -> None:
        self.settings = settings
        self._scores = MemoryScoreStore() if scores is None else scores
        self._block_rows = _block_rows(settings.classes)
        self._block = -1
        self._pending: list[tuple[Array, dict[str, Array]]] = []
        self._sums: dict[str, Array] = {}
        self._numbers: list[Array] = []
        self._truth: list[Array] = []
        self._confidences: list[tuple[Array, Array]] = []
        self.rows = 0
        self.confusion: Array | None = None
        """The confusion matrix, shape (C, C): a row for each true class. None for multilabel and very many classes."""
        if settings.exclusive and settings.classes <= LARGEST_CONFUSION:
            self.confusion = np.zeros((settings.classes, settings.classes), dtype=np.int64)

    def add(self, numbers: Array, statistics: Mapping[str, Array], probabilities: Array | None) -> None:
        """Add rows.

        Parameters
        ----------
        numbers
            The number of each row, shape (N,), increasing also from one call to the next.
        statistics
            The statistics of the rows, by `exclusive_rows` or `label_rows`.
        probabilities
            Shape (N, C), float64; None if there are only labels.
        """
        self.rows += len(numbers)
        answered = np.flatnonzero(statistics["predicted"] >= 0) if self.settings.exclusive else np.arange(len(numbers))
        self._keep(numbers, statistics, probabilities, answered)
        if self.confusion is not None:
            np.add.at(self.confusion, (statistics["truth"][answered], statistics["predicted"][answered]), 1)
        blocks = numbers // self._block_rows
        for start, end in runs(blocks):
            if blocks[start] != self._block:
                self._end_block()
                self._block = int(blocks[start])
            self._pending.append((numbers[start:end], {name: values[start:end] for name, values in statistics.items()}))

    def merge(self, other: MetricAccumulator) -> None:
        """Add the rows of another accumulator with the same settings, which stays as it is.

        Rows keep their numbers, so the result is that of one accumulator for all rows: counts and rankings are equal,
        other sums are equal up to rounding. A block of rows may be divided between the two.

        Raises
        ------
        ValueError
            If the settings differ.
        """
        if other.settings != self.settings:
            raise ValueError("accumulators with different settings cannot be merged")
        self._end_block()
        other._end_block()
        for name, values in other._sums.items():
            self._sums[name] = self._sums[name] + values if name in self._sums else values.copy()
        for block in other._scores.blocks():
            self._scores.append(block)
        self._numbers += other._numbers
        self._truth += other._truth
        self._confidences += other._confidences
        self.rows += other.rows
        if self.confusion is not None and other.confusion is not None:
            self.confusion += other.confusion

    def result(self) -> tuple[dict[str, Array], dict[str, Array], dict[str, Array]]:
        """Return the metrics, the metrics of each class, and the bins: of all rows, then of each replicate.

        The arrays have the shapes (1 + R,), (1 + R, C) and (1 + R, bins); the "edges" of the bins (bins + 1,).
        """
        self._end_block()
        if not self._sums:
            return {}, {}, {}
        ranked = {}
        if self.settings.ranking:
            ranked = dict(zip(("roc_auc", "average_precision"), self._rank(), strict=True))
        bins = self._bins()
        return *compute_metrics(Totals(self.settings, self._sums, ranked, bins)), bins

    def ranked(self, number: int) -> tuple[Array, Array]:
        """Return the probability of a class in each row with a label, and where the class is true; shape (N,)."""
        return self._scores.column(number), _is_true(self._all_truth(), number)

    def _keep(
        self, numbers: Array, statistics: Mapping[str, Array], probabilities: Array | None, answered: Array
    ) -> None:
        """Keep what cannot be added up of the rows that have a label."""
        if probabilities is None:
            return
        if self.settings.ranking:
            self._scores.append(probabilities[answered])
            truth = statistics["truth"][answered]
            self._truth.append(truth.astype(np.int32) if self.settings.exclusive else np.packbits(truth, axis=1))
        if self.settings.equal_mass:
            self._confidences.append((statistics["confidence"][answered], statistics["correct"][answered]))
        if self.settings.bootstrap and (self.settings.ranking or self.settings.equal_mass):
            self._numbers.append(numbers[answered])

    def _end_block(self) -> None:
        """Add up the rows of a block, once plainly and once for each replicate."""
        if not self._pending:
            return
        numbers = np.concatenate([part[0] for part in self._pending])
        names = self._pending[0][1]
        statistics = {name: np.concatenate([part[1][name] for part in self._pending]) for name in names}
        self._pending = []
        found = terms(self.settings, statistics)
        for first, weights in self._weightings(numbers):
            for name, term in found.items():
                values = term.total(weights)
                if name not in self._sums:
                    self._sums[name] = np.zeros((1 + self.settings.bootstrap, *values.shape[1:]))
                self._sums[name][first : first + len(values)] += values

    def _weightings(self, numbers: Array) -> Iterator[tuple[int, Array | None]]:
        """Yield the weights of the rows with the number of the first replicate that they are for: first None, for 0."""
        yield 0, None
        for first in range(0, self.settings.bootstrap, REPLICATES_AT_ONCE):
            weights = self._weights(first // REPLICATES_AT_ONCE, numbers)[: self.settings.bootstrap - first]
            yield 1 + first, weights.astype(np.float64)

    def _weights(self, group: int, numbers: Array) -> Array:
        return bootstrap.weights(self.settings.seed, group, numbers, self._block_rows)

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
            values, positive = self._scores.column(number), _is_true(truth, number)
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
        groups = -(-self.settings.bootstrap // REPLICATES_AT_ONCE)
        at_once = max(1, _CELLS_IN_CACHE // (REPLICATES_AT_ONCE * max(1, len(numbers))))
        for start in range(0, groups, at_once):
            some = range(start, min(start + at_once, groups))
            words = np.concatenate([packed(self._weights(group, numbers)) for group in some], axis=1)
            rows = slice(1 + start * REPLICATES_AT_ONCE, 1 + (start + at_once) * REPLICATES_AT_ONCE)
            for number, ranking in rankings.items():
                found = auc[rows, number], precision[rows, number]
                for place, scores in zip(found, ranking.scores(words), strict=True):
                    place[:] = scores[: len(place)]

    def _bins(self) -> dict[str, Array]:
        """Return the sums of each bin, count, confidence and correct, (1 + R, bins), and the edges, (bins + 1,)."""
        if not self.settings.probabilities:
            return {}
        if not self.settings.equal_mass:
            edges = bin_edges(self.settings.bins)
            return {name: self._sums[f"bin_{name}"] for name in _BIN_SUMS} | {"edges": edges}
        confidence, correct = self._all_confidences()
        numbers = np.concatenate(self._numbers) if self._numbers else np.arange(len(confidence))
        edges = equal_masses(confidence.ravel(), self.settings.bins)
        sums = {name: np.zeros((1 + self.settings.bootstrap, len(edges) - 1)) for name in _BIN_SUMS}
        # In blocks of a fixed number of rows, so that little memory is needed beside the confidences themselves.
        for start in range(0, len(confidence), self._block_rows):
            block = slice(start, start + self._block_rows)
            values, right = confidence[block].ravel(), correct[block].ravel().astype(np.float64)
            codes = bin_codes(values, edges)
            each = dict(zip(_BIN_SUMS, (np.ones(len(codes)), values, right), strict=True))
            terms = {name: CodedValues(codes, len(edges) - 1, term) for name, term in each.items()}
            cells = len(codes) // len(confidence[block])
            for first, weights in self._weightings(numbers[block]):
                repeated = None if weights is None else np.repeat(weights, cells, axis=1)
                for name, term in terms.items():
                    found = term.total(repeated)
                    sums[name][first : first + len(found)] += found
        return sums | {"edges": edges}

    def _all_confidences(self) -> tuple[Array, Array]:
        """Return the confidence of all predictions, and whether they are correct; these arrays replace their parts."""
        confidence = np.concatenate([part[0] for part in self._confidences])
        correct = np.concatenate([part[1] for part in self._confidences])
        self._confidences = [(confidence, correct)]
        return confidence, correct


def _is_true(truth: Array, number: int) -> Array:
    """Return where a class is true, from codes or packed bits."""
    if truth.ndim == 1:
        return np.asarray(truth == number)
    return np.asarray((truth[:, number >> 3] >> (7 - (number & 7)) & 1) == 1)


def _block_rows(classes: int) -> int:
    """Return how many rows are added up at once: by the number of classes alone."""
    return max(16, min(_LARGEST_BLOCK, 1 << (max(1, _CELLS_IN_BLOCK // classes).bit_length() - 1)))
