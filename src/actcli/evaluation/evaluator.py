"""From decisions and truth to an evaluation: the sink that measures, and `evaluate`, which measures arrays.

What does not need the truth is computed in parallel, with the decisions; what does, in the order of the rows.
"""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.calibration.methods import Temperature
from actcli.evaluation import class_labels as labels
from actcli.metrics.accumulator import MetricAccumulator
from actcli.metrics.definitions import COUNTS, Settings
from actcli.metrics.row_statistics import CellBins, cell_bins, exclusive_rows, label_rows
from actcli.prediction.plan import plan
from actcli.prediction.rules import Rules
from actcli.streaming.batch import Batch, Layout
from actcli.tasks import Origin, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Protocol, TypeAlias

    from numpy.typing import ArrayLike

    from actcli.metrics.accumulator import ScoreStore

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

    class Truth(Protocol):
        """What is right of each row."""

        def take(self, batch: Batch, start: int) -> Array:
            """Return the truth of the rows of `batch`, whose chunk begins at row `start`."""


__all__ = ["CalibrationBin", "Evaluation", "Evaluator", "Intervals", "evaluate", "properties"]

_ROWS_AT_ONCE = 4096
_LEVELS = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Rows, or for multilabel cells, whose probability lies in (lower, upper]; None stands for a mean of nothing."""

    lower: float
    upper: float
    count: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class Intervals:
    """95 % percentile intervals from a bootstrap over rows.

    Parameters
    ----------
    replicates, seed
        How many replicates, and of which random numbers.
    metrics
        The interval of each metric; None where the metric, or all of its replicates, are undefined.
    per_class
        The same for each class.
    """

    replicates: int
    seed: int
    metrics: dict[str, tuple[float, float] | None]
    per_class: dict[str, dict[str, tuple[float, float] | None]]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good predictions are; None stands for what is undefined.

    Parameters
    ----------
    task
        "softmax", "multilabel" or "binary".
    rows
        How many were read, with those whose label was withheld.
    classes
        Their names.
    metrics
        By name; README.md says what each of them is.
    per_class
        What there is of each class, by its name.
    confusion_matrix
        Shape (C, C), a row for each true class and a column for each predicted one; for multilabel (C, 2, 2), of each
        label ((true negatives, false positives), (false negatives, true positives)). None for very many classes.
    calibration_bins
        What the calibration error is made of.
    intervals
        About the metrics, where they were asked for.
    """

    task: str
    rows: int
    classes: tuple[str, ...]
    metrics: dict[str, float | None]
    per_class: dict[str, dict[str, float | None]]
    confusion_matrix: Array | None
    calibration_bins: tuple[CalibrationBin, ...]
    intervals: Intervals | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as what JSON has: lists, objects, numbers, and null for what is undefined."""
        found: dict[str, Any] = {
            "task": self.task,
            "rows": self.rows,
            "classes": list(self.classes),
            "metrics": self.metrics,
            "per_class": self.per_class,
            "confusion_matrix": None if self.confusion_matrix is None else self.confusion_matrix.tolist(),
            "calibration_bins": [asdict(each) for each in self.calibration_bins],
        }
        if self.intervals is not None:
            found["intervals"] = {
                "level": 0.95,
                "replicates": self.intervals.replicates,
                "seed": self.intervals.seed,
                "metrics": self.intervals.metrics,
                "per_class": self.intervals.per_class,
            }
        return found

    def value(self, name: str, label: str | None = None) -> float | None:
        """Return a metric, or what there is under that name of a class."""
        return self.metrics[name] if label is None else self.per_class[label][name]


def properties(settings: Settings) -> tuple[str, ...]:
    """Return the properties of the decisions that an `Evaluator` takes."""
    if settings.task == "multilabel":
        return ("multihot", "probabilities", "log_probabilities", "log_complements")
    return ("index", "probabilities", "log_probabilities", *(["top_k"] if settings.top_k else []))


class _EncodedRows(NamedTuple):
    """What is known of the rows of a chunk before their truth."""

    batch: Batch
    decided: Array
    bins: CellBins | None


class Evaluator:
    """Measures decisions: a sink.

    Parameters
    ----------
    settings
        What is to be measured.
    truth
        What is right.
    recorded
        Gives the decisions that the input itself holds, instead of those that were computed: codes, -1 for a label that
        was withheld, or for multilabel a table.
    cells
        Where probabilities are kept that are to be ranked.
    watch
        Sees each batch with the number of the first row of its chunk, its truth and its decisions.
    """

    def __init__(
        self,
        settings: Settings,
        truth: Truth,
        recorded: Callable[[Batch], Array] | None = None,
        cells: ScoreStore | None = None,
        watch: Callable[[Batch, int, Array, Array], None] | None = None,
    ) -> None:
        self.settings = settings
        self.meter = MetricAccumulator(settings, cells)
        self._truth = truth
        self._recorded = recorded
        self._watch = watch

    def open(self, layout: Layout) -> int:
        """Return about how many bytes a row takes."""
        return 32 * len(layout.classes)

    def encode(self, batch: Batch) -> _EncodedRows:
        """Return what does not need the truth."""
        decided = "multihot" if self.settings.task == "multilabel" else "index"
        bins = None
        if self.settings.task == "multilabel" and not self.settings.equal_mass:
            bins = cell_bins(self.settings, batch.values["probabilities"])
        found = batch.values[decided] if self._recorded is None else self._recorded(batch)
        # The scores have done their part; what is left of them is how many rows there are.
        return _EncodedRows(batch.without_scores(), found, bins)

    def accept(self, piece: _EncodedRows, start: int) -> None:
        """Measure the next rows against their truth."""
        batch, decided, bins = piece
        truth = self._truth.take(batch, start)
        probabilities = batch.values["probabilities"]
        logarithms = batch.values["log_probabilities"]
        if self.settings.task == "multilabel":
            summary = label_rows(
                self.settings,
                truth,
                np.asarray(decided, dtype=np.bool_),
                probabilities,
                logarithms,
                batch.values["log_complements"],
                bins,
            )
        else:
            best = batch.values["top_k"].codes if self.settings.top_k else None
            summary = exclusive_rows(self.settings, truth, decided, probabilities, logarithms, best)
        self.meter.add(start + batch.row_numbers(), summary, probabilities)
        if self._watch is not None:
            self._watch(batch, start, truth, decided)

    def finish(self) -> None:
        """Do nothing: `result` has what came of it."""

    def result(self, classes: Sequence[str]) -> Evaluation:
        """Return what came of it; `classes` are the names of the classes."""
        metrics, by_class, bins = self.meter.result()
        intervals = None
        if self.settings.bootstrap:
            intervals = Intervals(
                self.settings.bootstrap,
                self.settings.seed,
                {name: _interval(values) for name, values in metrics.items()},
                {
                    label: {name: _interval(by_class[name][:, code]) for name in by_class if name not in COUNTS}
                    for code, label in enumerate(classes)
                },
            )
        return Evaluation(
            self.settings.task,
            self.meter.rows,
            tuple(classes),
            {name: _number(values[0]) for name, values in metrics.items()},
            {
                label: {
                    name: int(values[0, code]) if name in COUNTS else _number(values[0, code])
                    for name, values in by_class.items()
                }
                for code, label in enumerate(classes)
            },
            self._confusion(by_class),
            _calibration_bins(bins),
            intervals,
        )

    def _confusion(self, by_class: Mapping[str, Array]) -> Array | None:
        if self.settings.task != "multilabel":
            return self.meter.confusion
        names = ("true_negatives", "false_positives", "false_negatives", "true_positives")
        counts = np.stack([by_class[name][0] for name in names], axis=-1)
        return np.asarray(counts.reshape(-1, 2, 2), dtype=np.int64)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _interval(values: Array) -> tuple[float, float] | None:
    replicates = values[1:][~np.isnan(values[1:])]
    if np.isnan(values[0]) or not len(replicates):
        return None
    low, high = np.percentile(replicates, _LEVELS)
    return float(low), float(high)


def _calibration_bins(bins: Mapping[str, Array]) -> tuple[CalibrationBin, ...]:
    edges = bins["edges"].tolist()
    found = []
    for number, (lower, upper) in enumerate(itertools.pairwise(edges)):
        count, confidence, correct = (float(bins[name][0, number]) for name in ("count", "confidence", "correct"))
        means = (confidence / count, correct / count) if count else (None, None)
        found.append(CalibrationBin(lower, upper, int(count), *means))
    return tuple(found)


class _Given:
    """The truth of an array."""

    def __init__(self, values: Array) -> None:
        self._values = values

    def take(self, batch: Batch, start: int) -> Array:
        """Return the truth of the rows of `batch`."""
        return np.asarray(self._values[start : start + len(batch)])


def evaluate(
    logits: ArrayLike,
    truth: ArrayLike,
    *,
    task: str = "softmax",
    classes: Sequence[str] | None = None,
    origin: str = "logits",
    temperature: float = 1.0,
    threshold: float | Mapping[str, float] = 0.5,
    strict: bool = False,
    top_k: int | None = None,
    at_least_one: bool = False,
    bins: int = 15,
    equal_mass: bool = False,
    ranking: bool = True,
    bootstrap: int = 0,
    seed: int = 0,
) -> Evaluation:
    """Return how good predictions are.

    Parameters
    ----------
    logits
        Shape (N, C); for binary also (N,) or (N, 1), the positive class alone. They are computed in float64.
    truth
        For softmax and binary N indices or names of classes, or a 0/1 table with a single 1 in each row; for multilabel
        a 0/1 table of shape (N, C), or N sets or lists of names.
    task
        "softmax", "multilabel" or "binary".
    classes
        Their names, by default "0" to "C-1"; of binary (negative, positive).
    origin
        What the numbers are: "logits", "probabilities" or "log-probabilities".
    temperature
        Divides the logits.
    threshold
        For multilabel and binary: of all classes, or by name, the others having 0.5.
    strict
        Whether a threshold is reached only above it.
    top_k
        For softmax, the K of the top-K accuracy; for multilabel, at most how many labels a row gets.
    at_least_one
        For multilabel: whether a row in which nothing reaches the threshold gets its best class.
    bins, equal_mass
        The bins of the calibration error: how many, and whether they hold equally many rows instead of being equally
        wide.
    ranking
        Whether ROC AUC and average precision are wanted, which sort every class.
    bootstrap, seed
        How many replicates the 95 % intervals are made of, 0 for none, and the seed of their random numbers.

    Raises
    ------
    ValueError
        If the shapes do not fit, the truth is none, or an argument is out of range.
    ActcliError
        If the scores, or what is asked for, are wrong.

    Notes
    -----
    Every metric is that of scikit-learn where it has one: precision, recall, F1 and Jaccard that are undefined count as
    0 in means; undefined ROC AUC and average precision are left out of means. The log loss is exact: of
    log-probabilities, never clipped. The expected calibration error is that of bins (lower, upper] (Naeini, Cooper and
    Hauskrecht 2015; Guo et al., "On calibration of modern neural networks", 2017). The Brier loss sums over classes
    (Brier 1950).

    Examples
    --------
    >>> evaluate([[2.0, 1.0], [0.0, 4.0], [3.0, 0.0]], [0, 1, 1]).metrics["accuracy"]
    0.6666666666666666
    """
    scores = np.asarray(logits)
    if task == "binary" and scores.ndim == 1:
        scores = scores[:, np.newaxis]
    if scores.ndim != 2 or not scores.shape[1] or scores.dtype.kind not in "fiu":
        raise ValueError(f"logits must be numbers of shape (rows, classes), not {scores.dtype} of shape {scores.shape}")
    if task not in ("softmax", "multilabel", "binary"):
        raise ValueError(f"there is no task {task!r}: softmax, multilabel or binary")
    if bins < 1 or bootstrap < 0 or seed < 0:
        raise ValueError("bins must be at least 1, bootstrap and seed at least 0")
    layout = Layout(tuple(map(str, range(scores.shape[1]))), (), scores.dtype, len(scores))
    rules = Rules(
        origin=Origin(origin),
        dtype="float64",
        calibration=None if temperature == 1 else Temperature(temperature),
        class_names=None if classes is None else tuple(classes),
        threshold=0.5 if not isinstance(threshold, float | int) else threshold,
        thresholds=None if isinstance(threshold, float | int) else dict(threshold),
        strict=strict,
        top_k=top_k,
        at_least_one=at_least_one,
    )
    settings = Settings(
        task,
        max(2, scores.shape[1]) if task == "binary" else scores.shape[1],
        bins=bins,
        equal_mass=equal_mass,
        ranking=ranking,
        top_k=top_k is not None and task == "softmax",
        bootstrap=bootstrap,
        seed=seed,
    )
    planned = plan(Task(task), layout, rules, properties=properties(settings))
    codes = (labels.set_array if task == "multilabel" else labels.code_array)(truth, planned.layout.classes)
    if len(codes) != len(scores):
        raise ValueError(f"there are {len(codes)} truths, but {len(scores)} rows of scores")
    if not len(scores):
        raise ValueError("there are no rows")
    evaluator = Evaluator(settings, _Given(codes))
    for start in range(0, len(scores), _ROWS_AT_ONCE):
        batch = _batch(scores[start : start + _ROWS_AT_ONCE], start)
        decided = planned.decide(batch)
        if decided.fault is not None:
            raise decided.fault
        evaluator.accept(evaluator.encode(decided), start)
    return evaluator.result(planned.layout.classes)


def _batch(scores: Array, start: int) -> Batch:
    return Batch(scores, {}, lambda row: f"row {start + row}")
