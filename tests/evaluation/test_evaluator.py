"""The metrics: compared with scikit-learn, SciPy and plain Python, on inputs that are hard on them."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics
from sklearn.exceptions import UndefinedMetricWarning

import actcli
from actcli.errors import DataError, UsageError
from actcli.metrics.definitions import METRICS, PER_CLASS
from actcli.metrics.ranking import RankedScores, packed, ranking_scores
from actcli.tasks import Task

CLOSE = 1e-11


def scores_of(kind: str, rows: int, classes: int, seed: int) -> np.ndarray[Any, Any]:
    """Return random logits: ordinary ones, with many ties, or so large that probabilities become 0 and 1."""
    found = np.random.default_rng(seed).normal(size=(rows, classes)) * (300 if kind == "extreme" else 2)
    found = found.round(0) if kind == "ties" else found
    found.setflags(write=False)
    return found


def judged(function: Any, *arguments: Any, **options: Any) -> Any:
    """Return what scikit-learn says, without its warnings about what is undefined."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        warnings.simplefilter("ignore", UserWarning)
        return function(*arguments, **options)


def same(found: float | None, expected: float) -> None:
    """Assert that two numbers are equal, undefined being NaN there and None here."""
    if math.isnan(expected):
        assert found is None
    else:
        assert found is not None
        assert abs(found - expected) < CLOSE


def calibration_error(
    confidence: np.ndarray[Any, Any], correct: np.ndarray[Any, Any], bins: int = 15
) -> tuple[float, float]:
    """Return ECE and MCE by their definition: for each bin (lower, upper], one row after the other."""
    gaps, counts = [], []
    for number in range(bins):
        lower, upper = number / bins, (number + 1) / bins
        rows = [row for row, value in enumerate(confidence) if lower < value <= upper or (number == 0 and value == 0)]
        if rows:
            gaps.append(abs(math.fsum(confidence[rows]) - math.fsum(correct[rows])) / len(rows))
            counts.append(len(rows))
    return sum(gap * count for gap, count in zip(gaps, counts, strict=True)) / sum(counts), max(gaps)


@pytest.mark.parametrize("kind", ["ordinary", "ties", "extreme"])
@pytest.mark.parametrize(("rows", "classes", "present"), [(400, 5, 5), (60, 9, 3), (5, 3, 3), (30, 4, 1), (1, 3, 1)])
def test_exclusive(kind: str, rows: int, classes: int, present: int) -> None:
    """Every metric of exclusive classes is scikit-learn's, also with absent classes and a single one."""
    logits = scores_of(kind, rows, classes, seed=rows)
    truth = np.random.default_rng(rows + 1).integers(0, present, rows)
    result = actcli.evaluate(logits, truth, top_k=2)
    found = result.metrics
    optional = ("coverage", "costs", "ordered")
    assert tuple(found) == tuple(each.name for each in METRICS[Task.SOFTMAX] if each.needs not in optional)
    probabilities = actcli.softmax(logits)
    predicted = probabilities.argmax(axis=1) if kind != "extreme" else logits.argmax(axis=1)
    labels = list(range(classes))

    same(found["accuracy"], judged(sklearn_metrics.accuracy_score, truth, predicted))
    same(found["balanced_accuracy"], judged(sklearn_metrics.balanced_accuracy_score, truth, predicted))
    best = np.argsort(-logits, axis=1, kind="stable")[:, :2]
    same(found["top_k_accuracy"], float(np.mean((best == truth[:, np.newaxis]).any(axis=1))))
    same(found["log_loss"], float(-scipy.special.log_softmax(logits, axis=1)[np.arange(rows), truth].mean()))
    onehot = np.eye(classes)[truth]
    same(found["brier_loss"], float(((probabilities - onehot) ** 2).sum(axis=1).mean()))
    ece, mce = calibration_error(probabilities[np.arange(rows), predicted], predicted == truth)
    same(found["ece"], ece)
    same(found["mce"], mce)
    for mean in ("macro", "micro", "weighted"):
        expected = judged(
            sklearn_metrics.precision_recall_fscore_support, truth, predicted, average=mean, zero_division=0
        )
        for name, value in zip(("precision", "recall", "f1"), expected, strict=False):
            same(found[f"{name}_{mean}"], float(value))
    same(found["mcc"], judged(sklearn_metrics.matthews_corrcoef, truth, predicted))
    same(found["cohen_kappa"], judged(sklearn_metrics.cohen_kappa_score, truth, predicted))
    assert result.confusion_matrix is not None
    expected = sklearn_metrics.confusion_matrix(truth, predicted, labels=labels)
    np.testing.assert_array_equal(result.confusion_matrix, expected)

    of_classes = judged(
        sklearn_metrics.precision_recall_fscore_support, truth, predicted, labels=labels, zero_division=np.nan
    )
    aucs, precisions = [], []
    for label in labels:
        row = result.per_class[str(label)]
        assert tuple(row) == tuple(each.name for each in PER_CLASS[Task.SOFTMAX])
        for name, values in zip(("precision", "recall", "f1", "support"), of_classes, strict=True):
            same(row[name], float(values[label]))
        positive = truth == label
        defined = 0 < positive.sum() < rows
        auc = judged(sklearn_metrics.roc_auc_score, positive, probabilities[:, label]) if defined else np.nan
        same(row["roc_auc"], auc)
        precision = np.nan
        if positive.any():
            precision = judged(sklearn_metrics.average_precision_score, positive, probabilities[:, label])
        same(row["average_precision"], precision)
        aucs.append(auc)
        precisions.append(precision)
    same(found["roc_auc_ovr_macro"], float(np.nanmean(aucs)) if not np.isnan(aucs).all() else np.nan)
    same(found["average_precision_macro"], float(np.nanmean(precisions)))


@pytest.mark.parametrize("kind", ["ordinary", "ties", "extreme"])
@pytest.mark.parametrize(
    ("rows", "classes", "share"), [(300, 6, 0.3), (80, 10, 0.02), (40, 3, 0.9), (20, 4, 0.0), (20, 4, 1.0), (1, 2, 0.5)]
)
def test_labels(kind: str, rows: int, classes: int, share: float) -> None:
    """Every metric of label sets is scikit-learn's, also of rows without labels, and of labels without rows."""
    logits = scores_of(kind, rows, classes, seed=rows)
    truth = np.random.default_rng(rows + 1).random((rows, classes)) < share
    result = actcli.evaluate(logits, truth, task="multilabel", threshold=0.4)
    found = result.metrics
    assert tuple(found) == tuple(each.name for each in METRICS[Task.MULTILABEL])
    probabilities = actcli.sigmoid(logits)
    chosen = probabilities >= 0.4

    same(found["subset_accuracy"], judged(sklearn_metrics.accuracy_score, truth, chosen))
    same(found["hamming_loss"], judged(sklearn_metrics.hamming_loss, truth, chosen))
    undefined = {
        "precision_micro": not chosen.any(),
        "recall_micro": not truth.any(),
        "f1_micro": not (chosen | truth).any(),
        **{f"{name}_weighted": not truth.any() for name in ("precision", "recall", "f1")},
    }
    for mean in ("micro", "macro", "weighted", "samples"):
        expected = judged(sklearn_metrics.precision_recall_fscore_support, truth, chosen, average=mean, zero_division=0)
        for name, value in zip(("precision", "recall", "f1"), expected, strict=False):
            key = f"{name}_{mean}"
            same(found[key], np.nan if undefined.get(key) else float(value))
    same(
        found["jaccard_samples"],
        judged(sklearn_metrics.jaccard_score, truth, chosen, average="samples", zero_division=0),
    )
    losses = np.where(truth, scipy.special.log_expit(logits), scipy.special.log_expit(-logits))
    same(found["log_loss"], float(-losses.mean()))
    same(found["ece"], calibration_error(probabilities.ravel(), truth.ravel())[0])
    same(
        found["label_ranking_average_precision"],
        judged(sklearn_metrics.label_ranking_average_precision_score, truth, probabilities),
    )
    aucs, precisions = [], []
    for label in range(classes):
        positive = truth[:, label]
        row = result.per_class[str(label)]
        assert tuple(row) == tuple(each.name for each in PER_CLASS[Task.MULTILABEL])
        counts = sklearn_metrics.confusion_matrix(positive, chosen[:, label], labels=[False, True])
        names = ("true_negatives", "false_positives", "false_negatives", "true_positives")
        assert [row[name] for name in names] == counts.ravel().tolist()
        assert result.confusion_matrix is not None
        assert result.confusion_matrix[label].tolist() == counts.tolist()
        expected = judged(
            sklearn_metrics.precision_recall_fscore_support,
            *(positive, chosen[:, label]),
            average="binary",
            zero_division=np.nan,
        )
        for name, value in zip(("precision", "recall", "f1"), expected, strict=False):
            same(row[name], float(value))
        defined = 0 < positive.sum() < rows
        aucs.append(judged(sklearn_metrics.roc_auc_score, positive, probabilities[:, label]) if defined else np.nan)
        precision = np.nan
        if positive.any():
            precision = judged(sklearn_metrics.average_precision_score, positive, probabilities[:, label])
        precisions.append(precision)
        same(row["roc_auc"], aucs[-1])
        same(row["average_precision"], precisions[-1])
    same(found["roc_auc_macro"], np.nan if np.isnan(aucs).all() else float(np.nanmean(aucs)))
    same(found["average_precision_macro"], np.nan if np.isnan(precisions).all() else float(np.nanmean(precisions)))


@pytest.mark.parametrize("kind", ["ordinary", "ties", "extreme"])
@pytest.mark.parametrize(("rows", "share"), [(300, 0.3), (20, 0.0), (20, 1.0)])
@pytest.mark.parametrize("columns", [1, 2])
def test_binary(kind: str, rows: int, share: float, columns: int) -> None:
    """Every metric of two classes is scikit-learn's, from one logit or two."""
    logits = scores_of(kind, rows, columns, seed=rows)
    truth = (np.random.default_rng(rows + 1).random(rows) < share).astype(int)
    one = logits[:, 0] if columns == 1 else logits[:, 1] - logits[:, 0]
    result = actcli.evaluate(logits, truth, task="binary", threshold=0.4, classes=("no", "yes"))
    found = result.metrics
    optional = ("coverage", "costs", "ordered")
    assert tuple(found) == tuple(each.name for each in METRICS[Task.BINARY] if each.needs not in optional)
    positive = scipy.special.expit(one) if columns == 1 else actcli.softmax(logits)[:, 1]
    chosen = positive >= 0.4
    same(found["accuracy"], judged(sklearn_metrics.accuracy_score, truth, chosen))
    expected = judged(
        sklearn_metrics.precision_recall_fscore_support, truth, chosen, average="binary", zero_division=np.nan
    )
    for name, value in zip(("precision", "recall", "f1"), expected, strict=False):
        same(found[name], float(value))
    same(
        found["log_loss"],
        float(-np.where(truth == 1, scipy.special.log_expit(one), scipy.special.log_expit(-one)).mean()),
    )
    same(found["brier_loss"], 2 * float(((positive - truth) ** 2).mean()))
    ece, mce = calibration_error(positive, truth)
    same(found["ece"], ece)
    same(found["mce"], mce)
    both = 0 < truth.sum() < rows
    same(found["roc_auc"], judged(sklearn_metrics.roc_auc_score, truth, positive) if both else np.nan)
    same(
        found["average_precision"],
        judged(sklearn_metrics.average_precision_score, truth, positive) if truth.any() else np.nan,
    )
    recalls = [np.mean(chosen[truth == value] == value) for value in (0, 1)] if both else [np.nan]
    same(found["youden"], float(sum(recalls) - 1))
    same(found["hamming_loss"], judged(sklearn_metrics.hamming_loss, truth, chosen))


def test_a_loss_without_bound() -> None:
    """Is undefined: a class that is impossible, and right. A class that only seems impossible has a finite loss."""
    assert actcli.evaluate([[0.0, -np.inf], [0.0, 1.0]], [1, 1]).metrics["log_loss"] is None
    assert (
        actcli.evaluate([[0.0, 1.0]], [[1, 0]], task="multilabel", origin="probabilities").metrics["log_loss"] is None
    )
    assert actcli.evaluate([[800.0, 0.0]], [1]).metrics["log_loss"] == 800
    assert actcli.evaluate([[800.0]], [0], task="binary").metrics["log_loss"] == 800
    assert actcli.evaluate([[800.0, -800.0]], [[0, 1]], task="multilabel").metrics["log_loss"] == 800


def test_bins_end_with_their_upper_edge() -> None:
    """0.25, of four bins, is in the first; 0 too."""
    truth = [[0, 1, 1, 0, 1]]
    result = actcli.evaluate([[0.0, 0.25, 0.5, 0.75, 1.0]], truth, task="multilabel", origin="probabilities", bins=4)
    assert [each.count for each in result.calibration_bins] == [2, 1, 1, 1]
    assert [each.accuracy for each in result.calibration_bins] == [0.5, 1, 0, 1]
    assert result.calibration_bins[0].confidence == 0.125


def test_bins_of_equal_mass() -> None:
    """Hold equally many rows, as near as can be (NumPy's array_split of the sorted confidences)."""
    logits = scores_of("ordinary", 500, 4, seed=3)
    truth = np.random.default_rng(4).integers(0, 4, 500)
    result = actcli.evaluate(logits, truth, equal_mass=True, bins=7)
    confidence = actcli.softmax(logits).max(axis=1)
    correct = logits.argmax(axis=1) == truth
    order = np.argsort(confidence)
    parts = np.array_split(order, 7)
    assert [each.count for each in result.calibration_bins] == [len(part) for part in parts]
    gaps = [abs(confidence[part].sum() - correct[part].sum()) for part in parts]
    same(result.metrics["ece"], sum(gaps) / 500)
    cells = actcli.evaluate(np.zeros((10, 3)), np.zeros((10, 3)), task="multilabel", equal_mass=True)
    assert sum(each.count for each in cells.calibration_bins) == 30
    assert cells.metrics["ece"] == 0.5


def assert_ranking(found: tuple[float, float], scores: np.ndarray, positive: np.ndarray) -> None:
    """Assert that the ROC AUC and the average precision are scikit-learn's, and NaN where there are none."""
    auc, precision = found
    if positive.any() and not positive.all():
        assert abs(auc - sklearn_metrics.roc_auc_score(positive, scores)) < CLOSE
    else:
        assert np.isnan(auc)
    if positive.any():
        assert abs(precision - sklearn_metrics.average_precision_score(positive, scores)) < CLOSE
    else:
        assert np.isnan(precision)


@given(
    values=st.lists(
        st.tuples(st.integers(0, 5), st.booleans(), st.lists(st.integers(0, 8), min_size=4, max_size=4)),
        min_size=1,
        max_size=30,
    ),
)
@settings(max_examples=60)
def test_ranking_with_ties_and_weights(values: list[tuple[int, bool, list[int]]]) -> None:
    """Is scikit-learn's; with weights, that of rows which are there as often."""
    scores = np.array([float(score) for score, _, _ in values])
    positive = np.array([truth for _, truth, _ in values])
    weights = np.array([often for _, _, often in values], dtype=np.uint8).T
    assert_ranking(ranking_scores(scores, positive), scores, positive)
    found = zip(*RankedScores(scores, positive).scores(packed(weights)), strict=True)
    for often, pair in zip(weights, found, strict=True):
        assert_ranking(pair, np.repeat(scores, often), np.repeat(positive, often))


@pytest.mark.parametrize("values", [1, 40, 1_000_000])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 1.0])
def test_ranking_of_many_rows(values: int, share: float) -> None:
    """Counts more rows of one value, and with more weight, than 16 bits hold; few or many replicates at once."""
    rng = np.random.default_rng(11)
    scores = rng.integers(0, values, 20_000) / values
    positive = rng.random(20_000) < share
    weights = rng.integers(0, 16, (8, 20_000)).astype(np.uint8)
    weights[0] = 15
    words = packed(weights)
    ranking = RankedScores(scores, positive)
    found = ranking.scores(words)
    for number in (0, 5):
        often = weights[number]
        pair = found[0][number], found[1][number]
        assert_ranking(pair, np.repeat(scores, often), np.repeat(positive, often))
    for number in range(2):
        for every, some in zip(found, ranking.scores(words[:, number : number + 1]), strict=True):
            np.testing.assert_array_equal(some, every[4 * number : 4 * number + 4])


def test_thresholds_belong_to_classes() -> None:
    """Also where there are as many rows as classes."""
    probabilities = np.full((3, 3), 0.5)
    thresholds = {"0": 0.4, "1": 0.6, "2": 0.4}
    truth = np.tile([1, 0, 1], (3, 1))
    result = actcli.evaluate(probabilities, truth, task="multilabel", origin="probabilities", threshold=thresholds)
    assert result.metrics["subset_accuracy"] == 1
    strict = actcli.evaluate(
        probabilities, truth, task="multilabel", origin="probabilities", threshold=0.5, strict=True
    )
    assert strict.metrics["recall_micro"] == 0


@pytest.mark.parametrize("task", ["softmax", "multilabel", "binary"])
def test_intervals(task: str) -> None:
    """Hold the numbers, are as wide as an ordinary bootstrap of rows makes them, and depend on the seed alone."""
    rng = np.random.default_rng(7)
    rows, classes = 600, 2 if task == "binary" else 4
    truth = rng.random((rows, classes)) < 0.3 if task == "multilabel" else rng.integers(0, classes, rows)
    onehot = truth if task == "multilabel" else np.eye(classes)[truth]
    logits = rng.normal(size=(rows, classes)) + onehot
    result = actcli.evaluate(logits, truth, task=task, bootstrap=300, seed=5)
    assert result.intervals is not None
    for name, value in result.metrics.items():
        interval = result.intervals.metrics[name]
        assert value is not None
        assert interval is not None
        # The calibration errors are biased upwards by resampling, and so need not hold the number itself.
        assert interval[0] <= value <= interval[1] or name in ("ece", "mce")
    name = {"softmax": "f1_macro", "multilabel": "f1_samples", "binary": "roc_auc"}[task]
    drawn = [rng.integers(0, rows, rows) for _ in range(120)]
    values = [
        actcli.evaluate(logits[chosen], truth[chosen], task=task, ranking=task == "binary").metrics[name]
        for chosen in drawn
    ]
    low, high = np.percentile(np.array(values, dtype=np.float64), [2.5, 97.5])
    found = result.intervals.metrics[name]
    assert found is not None
    assert 0.7 < (found[1] - found[0]) / (high - low) < 1.4
    again = actcli.evaluate(logits, truth, task=task, bootstrap=300, seed=5)
    assert again.intervals == result.intervals
    other = actcli.evaluate(logits, truth, task=task, bootstrap=300, seed=6)
    assert other.intervals != result.intervals
    assert other.metrics == result.metrics


def test_more_replicates_keep_those_before() -> None:
    """Replicates come in groups, and the number of them need not fill one."""
    logits = scores_of("ordinary", 50, 3, seed=1)
    truth = np.arange(50) % 3
    for replicates in (1, 15, 17):
        result = actcli.evaluate(logits, truth, bootstrap=replicates)
        assert result.intervals is not None
        interval = result.intervals.metrics["accuracy"]
        assert interval is not None
        assert (interval[0] == interval[1]) is (replicates == 1)


def test_nothing_is_changed() -> None:
    """The arguments stay what they are, also where they are used without a copy."""
    logits = scores_of("ordinary", 30, 60, seed=2)
    probabilities = actcli.softmax(logits)
    probabilities.setflags(write=False)
    truth = np.arange(30)
    truth.setflags(write=False)
    for given_scores, origin in (
        (logits, "logits"),
        (probabilities, "probabilities"),
        (np.log(probabilities), "log-probabilities"),
    ):
        same(
            actcli.evaluate(given_scores, truth, origin=origin).metrics["brier_loss"],
            actcli.evaluate(logits, truth).metrics["brier_loss"] or 0,
        )


def test_names() -> None:
    """Of classes, and the truth by them."""
    result = actcli.evaluate([[2.0, 1.0], [0.0, 4.0]], ["cat", "cat"], classes=["cat", "dog"])
    assert result.classes == ("cat", "dog")
    assert result.value("recall", "cat") == 0.5
    assert result.value("accuracy") == 0.5
    assert list(result.as_json()) == [
        *("task", "rows", "classes", "metrics", "per_class", "confusion_matrix", "calibration_bins")
    ]


def test_no_ranking() -> None:
    """Leaves out what sorts all rows, and nothing else."""
    result = actcli.evaluate([[2.0, 1.0], [0.0, 4.0]], [0, 1], ranking=False)
    assert "roc_auc_ovr_macro" not in result.metrics
    assert list(result.per_class["0"]) == ["precision", "recall", "f1", "support"]
    full = actcli.evaluate([[2.0, 1.0], [0.0, 4.0]], [0, 1])
    assert result.metrics.items() <= full.metrics.items()


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        (([[1.0, 2.0]], [0, 1]), {}, ValueError),
        (([[1.0, 2.0]], [2]), {}, ValueError),
        (([1.0, 2.0], [0, 1]), {}, ValueError),
        ((np.zeros((0, 2)), []), {}, ValueError),
        (([["a", "b"]], [0]), {}, ValueError),
        (([[1.0, 2.0]], [0]), {"task": "regression"}, ValueError),
        (([[1.0, 2.0]], [0]), {"bins": 0}, ValueError),
        (([[1.0, np.nan]], [0]), {}, DataError),
        (([[1.0]], [0]), {}, DataError),
        (([[1.0, 2.0]], [0]), {"temperature": 0.0}, UsageError),
        (([[1.0, 2.0]], [[0, 1]]), {"task": "multilabel", "threshold": {"x": 0.5}}, UsageError),
        (([[0.3, 0.3]], [0]), {"origin": "probabilities"}, DataError),
    ],
)
def test_what_cannot_be_evaluated(arguments: Any, options: dict[str, Any], error: type[Exception]) -> None:
    """Is refused."""
    with pytest.raises(error):
        actcli.evaluate(*arguments, **options)
