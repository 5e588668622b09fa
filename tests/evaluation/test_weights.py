"""Weights of rows: every metric against scikit-learn with sample_weight, and against plain Python where it has none."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import scipy.special
from sklearn import metrics as sklearn_metrics

import actcli
from actcli.metrics.accumulator import MetricAccumulator
from actcli.metrics.bootstrap import weights as draws
from actcli.metrics.row_statistics import cell_bins, exclusive_rows, label_rows
from actcli.metrics.settings import MetricSettings
from actcli.tasks import Task

Array = np.ndarray[Any, np.dtype[Any]]

ROWS = 120
KINDS = ("ordinary", "zeros", "mixed", "huge", "tiny", "whole")


def weights_of(kind: str, rows: int, seed: int = 0) -> Array:
    """Return weights: ordinary ones, many of them 0, of many scales, near the ends of the floats, or whole numbers."""
    rng = np.random.default_rng(seed)
    found: Array = rng.random(rows) + 0.1
    match kind:
        case "zeros":
            found[rng.random(rows) < 0.4] = 0
        case "mixed":
            found = 10.0 ** rng.uniform(-6, 6, rows)
        case "huge":
            found *= 1e297
        case "tiny":
            found *= 1e-300
        case "whole":
            found = rng.integers(0, 4, rows).astype(np.float64)
    found.setflags(write=False)
    return found


def scikit(function: Any, *arguments: Any, weights: Array, **options: Any) -> float:
    """Return what scikit-learn says, of weights in a scale in which it does not leave the range of a float."""
    scaled = weights / weights.max()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(function(*arguments, sample_weight=scaled, **options))


def same(found: float | None, expected: float, close: float = 1e-10) -> None:
    """Assert that two numbers are equal, undefined being NaN there and None here."""
    assert (found is None) == math.isnan(expected), (found, expected)
    if found is not None:
        assert abs(found - expected) <= close * max(1.0, abs(expected))


def calibration_errors(confidence: Array, correct: Array, weights: Array, edges: Array) -> tuple[float, float]:
    """Return ECE and MCE of rows with weights by their definition, one bin (lower, upper] after the other."""
    share = weights / weights.max()
    gaps, sums = [], []
    for number in range(len(edges) - 1):
        inside = (confidence > edges[number]) & (confidence <= edges[number + 1])
        if number == 0:
            inside |= confidence == 0
        if share[inside].sum() > 0:
            sums.append(math.fsum(share[inside]))
            gaps.append(abs(math.fsum(share[inside] * confidence[inside]) - math.fsum(share[inside & correct])))
    return math.fsum(gaps) / math.fsum(sums), max(gap / total for gap, total in zip(gaps, sums, strict=True))


def selective_area(confidence: Array, wrong: Array, weights: Array) -> float:
    """Return the mean selective risk of rows of distinct confidence, one row after the other."""
    risks = []
    kept = missed = 0.0
    share = weights / weights.max()
    for row in np.argsort(-confidence):
        kept += share[row]
        missed += share[row] * wrong[row]
        risks.append(share[row] * missed / kept if share[row] else 0.0)
    return math.fsum(risks) / math.fsum(share)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("classes", "present"), [(4, 4), (6, 3)])
def test_exclusive(kind: str, classes: int, present: int) -> None:
    """Every metric of exclusive classes is scikit-learn's."""
    rng = np.random.default_rng(classes)
    logits, truth = rng.normal(size=(ROWS, classes)) * 2, rng.integers(0, present, ROWS)
    weights = weights_of(kind, ROWS)
    result = actcli.evaluate(logits, truth, top_k=2, weights=weights, ordered=True)
    found, labels = result.metrics, list(range(classes))
    probabilities = scipy.special.softmax(logits, axis=1)
    predicted = logits.argmax(axis=1)
    both = (truth, predicted)

    same(found["accuracy"], scikit(sklearn_metrics.accuracy_score, *both, weights=weights))
    same(found["balanced_accuracy"], scikit(sklearn_metrics.balanced_accuracy_score, *both, weights=weights))
    top = scikit(sklearn_metrics.top_k_accuracy_score, truth, logits, k=2, labels=labels, weights=weights)
    same(found["top_k_accuracy"], top)
    log_loss = scikit(sklearn_metrics.log_loss, truth, probabilities, labels=labels, weights=weights)
    same(found["log_loss"], log_loss)
    squares = ((probabilities - np.eye(classes)[truth]) ** 2).sum(axis=1)
    same(found["brier_loss"], float(np.average(squares, weights=weights / weights.max())))
    edges = np.arange(16) / 15
    confidence = probabilities.max(axis=1)
    ece, mce = calibration_errors(confidence, predicted == truth, weights, edges)
    same(found["ece"], ece)
    same(found["mce"], mce)
    for mean in ("macro", "micro", "weighted"):
        for name in ("precision", "recall", "f1"):
            function = getattr(sklearn_metrics, f"{name}_score")
            expected = scikit(function, *both, average=mean, zero_division=0, weights=weights)
            same(found[f"{name}_{mean}"], expected)
    same(found["mcc"], scikit(sklearn_metrics.matthews_corrcoef, *both, weights=weights))
    same(found["cohen_kappa"], scikit(sklearn_metrics.cohen_kappa_score, *both, weights=weights))
    same(found["mae"], float(np.average(np.abs(truth - predicted), weights=weights / weights.max())))
    scaled = weights / weights.max()
    quadratic = sklearn_metrics.cohen_kappa_score(*both, labels=labels, weights="quadratic", sample_weight=scaled)
    same(found["kappa_quadratic"], quadratic)
    same(found["aurc"], selective_area(confidence, predicted != truth, weights))
    expected = sklearn_metrics.confusion_matrix(truth, predicted, labels=labels, sample_weight=weights)
    assert result.confusion_matrix is not None
    np.testing.assert_allclose(result.confusion_matrix, expected, rtol=1e-12)

    aucs, precisions = [], []
    for label in labels:
        row, positive = result.per_class[str(label)], truth == label
        same(row["support"], float(weights[positive].sum()), 1e-12)
        auc = np.nan
        if (weights[positive] > 0).any() and (weights[~positive] > 0).any():
            auc = scikit(sklearn_metrics.roc_auc_score, positive, probabilities[:, label], weights=weights)
        precision = np.nan
        if (weights[positive] > 0).any():
            precision = scikit(
                sklearn_metrics.average_precision_score, positive, probabilities[:, label], weights=weights
            )
        same(row["roc_auc"], auc)
        same(row["average_precision"], precision)
        aucs.append(auc)
        precisions.append(precision)
    same(found["roc_auc_ovr_macro"], float(np.nanmean(aucs)))
    same(found["average_precision_macro"], float(np.nanmean(precisions)))
    assert result.total_weight is not None
    same(result.total_weight, float(weights.sum()), 1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_labels(kind: str) -> None:
    """Every metric of label sets is scikit-learn's."""
    rng = np.random.default_rng(1)
    logits, truth = rng.normal(size=(ROWS, 5)), rng.random((ROWS, 5)) < [0.5, 0.3, 0.02, 0.9, 0.0]
    weights = weights_of(kind, ROWS, seed=2)
    result = actcli.evaluate(logits, truth, task="multilabel", threshold=0.4, weights=weights)
    found = result.metrics
    probabilities = scipy.special.expit(logits)
    chosen = probabilities >= 0.4
    both = (truth, chosen)

    same(found["subset_accuracy"], scikit(sklearn_metrics.accuracy_score, *both, weights=weights))
    same(found["hamming_loss"], scikit(sklearn_metrics.hamming_loss, *both, weights=weights))
    for mean in ("micro", "macro", "weighted", "samples"):
        for name in ("precision", "recall", "f1"):
            function = getattr(sklearn_metrics, f"{name}_score")
            expected = scikit(function, *both, average=mean, zero_division=0, weights=weights)
            same(found[f"{name}_{mean}"], expected)
    jaccard = scikit(sklearn_metrics.jaccard_score, *both, average="samples", zero_division=0, weights=weights)
    same(found["jaccard_samples"], jaccard)
    ranking = sklearn_metrics.label_ranking_average_precision_score
    same(found["label_ranking_average_precision"], scikit(ranking, truth, probabilities, weights=weights))
    losses = -np.where(truth, scipy.special.log_expit(logits), scipy.special.log_expit(-logits)).mean(axis=1)
    same(found["log_loss"], float(np.average(losses, weights=weights / weights.max())))
    cells = np.repeat(weights, 5)
    ece, _ = calibration_errors(probabilities.ravel(), truth.ravel(), cells, np.arange(16) / 15)
    same(found["ece"], ece)
    aucs = []
    for label in range(5):
        row, positive = result.per_class[str(label)], truth[:, label]
        counts = sklearn_metrics.confusion_matrix(positive, chosen[:, label], labels=[0, 1], sample_weight=weights)
        names = ("true_negatives", "false_positives", "false_negatives", "true_positives")
        for name, count in zip(names, counts.ravel().tolist(), strict=True):
            same(row[name], count, 1e-12)
        assert result.confusion_matrix is not None
        np.testing.assert_allclose(result.confusion_matrix[label], counts, rtol=1e-12)
        auc = np.nan
        if (weights[positive] > 0).any() and (weights[~positive] > 0).any():
            auc = scikit(sklearn_metrics.roc_auc_score, positive, probabilities[:, label], weights=weights)
        same(row["roc_auc"], auc)
        aucs.append(auc)
    same(found["roc_auc_macro"], float(np.nanmean(aucs)))


@pytest.mark.parametrize("kind", KINDS)
def test_binary(kind: str) -> None:
    """Every metric of two classes is scikit-learn's, with ties and a threshold."""
    rng = np.random.default_rng(3)
    logits, truth = rng.normal(size=ROWS).round(1), rng.integers(0, 2, ROWS)
    weights = weights_of(kind, ROWS, seed=4)
    found = actcli.evaluate(logits, truth, task="binary", threshold=0.4, weights=weights).metrics
    positive = scipy.special.expit(logits)
    chosen = positive >= 0.4
    for name in ("accuracy", "precision", "recall", "f1", "balanced_accuracy"):
        same(found[name], scikit(getattr(sklearn_metrics, f"{name}_score"), truth, chosen, weights=weights))
    same(found["hamming_loss"], scikit(sklearn_metrics.hamming_loss, truth, chosen, weights=weights))
    same(found["roc_auc"], scikit(sklearn_metrics.roc_auc_score, truth, positive, weights=weights))
    same(found["average_precision"], scikit(sklearn_metrics.average_precision_score, truth, positive, weights=weights))
    same(found["log_loss"], scikit(sklearn_metrics.log_loss, truth, positive, weights=weights))
    same(found["brier_loss"], 2 * scikit(sklearn_metrics.brier_score_loss, truth, positive, weights=weights))
    assert found["balanced_accuracy"] is not None
    same(found["youden"], 2 * found["balanced_accuracy"] - 1)


def problem(task: str) -> tuple[Array, Array]:
    """Return random logits, with ties, and their truth."""
    rng = np.random.default_rng(5)
    logits = rng.normal(size=(ROWS, 2 if task == "binary" else 4)).round(1)
    truth = rng.random(logits.shape) < 0.4 if task == "multilabel" else rng.integers(0, logits.shape[1], ROWS)
    return logits, truth


def compared(one: Any, other: Any, *, left_out: frozenset[str] = frozenset(), scale: float = 1) -> None:
    """Assert that two evaluations are the same; `scale` is how many times as large the sums of the other are."""
    for name, value in one.metrics.items():
        if name not in left_out:
            same(value, np.nan if other.metrics[name] is None else other.metrics[name], 1e-12)
    for label, row in one.per_class.items():
        for name, value in row.items():
            times = scale if name == "support" or name.endswith("tives") else 1
            same(value, np.nan if other.per_class[label][name] is None else other.per_class[label][name] / times, 1e-12)
    for mine, theirs in zip(one.calibration_bins, other.calibration_bins, strict=True):
        assert (mine.lower, mine.upper) == (theirs.lower, theirs.upper)
        same(mine.count, theirs.count / scale, 1e-12)


TASKS = ("softmax", "multilabel", "binary")


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("equal_mass", [False, True])
@pytest.mark.parametrize("weight", [1, 0.1, 3, 1e-200])
def test_equal_weights_are_no_weights(task: str, equal_mass: bool, weight: float) -> None:
    """Whatever they are: sums are that many times as large, and everything else is equal."""
    logits, truth = problem(task)
    plain = actcli.evaluate(logits, truth, task=task, equal_mass=equal_mass, bins=7)
    weights = np.full(ROWS, weight)
    found = actcli.evaluate(logits, truth, task=task, equal_mass=equal_mass, bins=7, weights=weights)
    compared(plain, found, scale=weight)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("equal_mass", [False, True])
def test_weights_of_0_leave_rows_out(task: str, equal_mass: bool) -> None:
    """As if they were not in the table."""
    logits, truth = problem(task)
    weights = weights_of("zeros", ROWS)
    kept = weights > 0
    found = actcli.evaluate(logits, truth, task=task, equal_mass=equal_mass, weights=weights)
    less = actcli.evaluate(logits[kept], truth[kept], task=task, equal_mass=equal_mass, weights=weights[kept])
    compared(found, less)


@pytest.mark.parametrize("task", TASKS)
def test_whole_weights_repeat_rows(task: str) -> None:
    """As if these were there as often. Only aurc, a mean over rows, is another one then."""
    logits, truth = problem(task)
    weights = weights_of("whole", ROWS)
    often = weights.astype(int)
    found = actcli.evaluate(logits, truth, task=task, weights=weights)
    more = actcli.evaluate(np.repeat(logits, often, axis=0), np.repeat(truth, often, axis=0), task=task)
    compared(found, more, left_out=frozenset({"aurc"}))


def test_bins_of_equal_mass() -> None:
    """Hold equal sums of weights, as near as can be."""
    rng = np.random.default_rng(6)
    logits, truth = rng.normal(size=(2000, 3)), rng.integers(0, 3, 2000)
    weights = rng.random(2000)
    found = actcli.evaluate(logits, truth, weights=weights, equal_mass=True, bins=8)
    for each in found.calibration_bins:
        assert abs(each.count - weights.sum() / 8) < 2
    confidence = scipy.special.softmax(logits, axis=1).max(axis=1)
    edges = np.array([0.0, *(each.upper for each in found.calibration_bins)])
    ece, mce = calibration_errors(confidence, logits.argmax(axis=1) == truth, weights, edges)
    same(found.metrics["ece"], ece)
    same(found.metrics["mce"], mce)


def test_a_class_without_weight() -> None:
    """Is there for the mean over the classes, as in scikit-learn, and has no recall and no AUC."""
    logits = np.array([[3.0, 0, 0], [0, 3, 0], [0, 0, 3], [3, 0, 0]])
    truth, weights = np.array([0, 1, 2, 1]), np.array([1.0, 2, 0, 3])
    found = actcli.evaluate(logits, truth, weights=weights)
    both = (truth, logits.argmax(axis=1))
    for name in ("precision", "recall", "f1"):
        function = getattr(sklearn_metrics, f"{name}_score")
        same(found.metrics[f"{name}_macro"], scikit(function, *both, average="macro", zero_division=0, weights=weights))
    row = found.per_class["2"]
    assert row["support"] == 0
    assert [row[name] for name in ("recall", "precision", "roc_auc", "average_precision")] == [None] * 4


@pytest.mark.parametrize("weight", [1e-300, 0.3, 1e298])
def test_a_single_row_and_a_single_class(weight: float) -> None:
    """What compares classes is undefined, and what is a share is exactly 0 or 1."""
    for rows in (1, 7):
        logits, weights = np.tile([3.0, 0, 0], (rows, 1)), weight * (1 + np.arange(rows)) / 3
        found = actcli.evaluate(logits, np.zeros(rows, dtype=int), weights=weights, ordered=True).metrics
        assert found["accuracy"] == found["balanced_accuracy"] == found["f1_macro"] == found["f1_micro"] == 1
        assert found["mcc"] == found["mae"] == found["aurc"] == 0
        assert [found[name] for name in ("cohen_kappa", "kappa_quadratic", "roc_auc_ovr_macro")] == [None] * 3
        wrong = actcli.evaluate(logits, np.ones(rows, dtype=int), weights=weights, ordered=True).metrics
        assert wrong["accuracy"] == wrong["mcc"] == 0
        assert wrong["aurc"] == wrong["mae"] == 1


@pytest.mark.parametrize(
    "weights", [[1], [1, -1], [1, np.nan], [1, np.inf], [0, 0], [1e308, 1e308], [1e300, 1e300], ["a", "b"], [[1], [1]]]
)
def test_what_is_no_weight(weights: Any) -> None:
    """Is refused."""
    with pytest.raises(ValueError, match="weights must"):
        actcli.evaluate([[1.0, 0.0], [0.0, 1.0]], [0, 1], weights=weights)


class Rows:
    """Random rows of a task, with weights, ties and, for exclusive classes, withheld labels."""

    def __init__(self, settings: MetricSettings, count: int) -> None:
        rng = np.random.default_rng(7)
        self.settings = settings
        self.probabilities = rng.integers(1, 40, (count, settings.classes)) / 40
        self.weights = 10.0 ** rng.uniform(-2, 2, count) * (rng.random(count) < 0.9)
        if settings.exclusive:
            self.probabilities /= self.probabilities.sum(axis=1, keepdims=True)
            self.truth: Array = rng.integers(0, settings.classes, count)
            self.decided: Array = np.where(rng.random(count) < 0.1, -1, self.probabilities.argmax(axis=1))
        else:
            self.truth = rng.random(self.probabilities.shape) < 0.3
            self.decided = self.probabilities >= 0.6

    def accumulated(self, start: int, end: int, step: int) -> MetricAccumulator:
        """Return the accumulator of some of the rows, added in chunks of `step`."""
        found = MetricAccumulator(self.settings)
        for first in range(start, end, step):
            part = slice(first, min(first + step, end))
            probabilities = self.probabilities[part]
            known = (self.settings, self.truth[part], self.decided[part], probabilities, np.log(probabilities))
            if self.settings.exclusive:
                statistics = exclusive_rows(*known, None, self.weights[part])
            else:
                bins = None if self.settings.equal_mass else cell_bins(self.settings, probabilities)
                with np.errstate(divide="ignore"):
                    complements = np.log1p(-probabilities)
                statistics = label_rows(*known, complements, bins, self.weights[part])
            found.add(np.arange(part.start, part.stop), statistics, probabilities)
        return found


def results_are_close(found: MetricAccumulator, expected: MetricAccumulator, tolerance: float) -> None:
    """Assert that two accumulators have the same results."""
    for one, other in zip(found.result(), expected.result(), strict=True):
        for name, values in other.items():
            np.testing.assert_allclose(one[name], values, rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("task", Task)
@pytest.mark.parametrize("equal_mass", [False, True])
def test_chunks_and_parts(task: Task, equal_mass: bool) -> None:
    """The chunks change no bit of a result, and parts that are merged in any order have it up to rounding."""
    classes = 2 if task is Task.BINARY else 3
    settings = MetricSettings(
        task, classes, weighted=True, equal_mass=equal_mass, ordered=True, bootstrap=3, coverage=True
    )
    rows = Rows(settings, 5000)
    whole = rows.accumulated(0, 5000, 5000)
    results_are_close(rows.accumulated(0, 5000, 7), whole, 0)
    for cut in (1, 2000, 4096):
        last, first = rows.accumulated(cut, 5000, 777), rows.accumulated(0, cut, 777)
        last.merge(first)
        results_are_close(last, whole, 1e-12)
        assert last.weight == pytest.approx(whole.weight, rel=1e-14)
        if whole.confusion is not None:
            assert last.confusion is not None
            np.testing.assert_allclose(last.confusion, whole.confusion, rtol=1e-12)


@pytest.mark.parametrize("task", Task)
def test_bootstrap(task: Task) -> None:
    """A replicate is the evaluation with weights that are multiplied by how often it draws each row (scikit-learn)."""
    rows, classes = 300, 2 if task is Task.BINARY else 3
    settings = MetricSettings(task, classes, weighted=True, ordered=True, bootstrap=18, seed=9)
    table = Rows(settings, rows)
    metrics, of_class, _ = table.accumulated(0, rows, 50).result()
    answered = table.decided >= 0 if settings.exclusive else np.ones(rows, dtype=bool)
    for replicate in (0, 5, 17):
        counts = draws(9, replicate // 16, np.arange(rows), 4096)[replicate % 16]
        weights = (table.weights * counts)[answered]
        truth, decided = table.truth[answered], table.decided[answered]
        place = replicate + 1
        name = "accuracy" if settings.exclusive else "subset_accuracy"
        same(metrics[name][place], scikit(sklearn_metrics.accuracy_score, truth, decided, weights=weights))
        for label in range(classes):
            positive = truth == label if settings.exclusive else truth[:, label]
            scores = table.probabilities[answered, label]
            auc = scikit(sklearn_metrics.roc_auc_score, positive, scores, weights=weights)
            same(of_class["roc_auc"][place, label], auc)
            precision = scikit(sklearn_metrics.average_precision_score, positive, scores, weights=weights)
            same(of_class["average_precision"][place, label], precision)
        if settings.exclusive:
            scaled = weights / weights.max()
            kappa = sklearn_metrics.cohen_kappa_score(truth, decided, weights="quadratic", sample_weight=scaled)
            same(metrics["kappa_quadratic"][place], kappa)
