"""Thresholds, against every candidate tried by hand."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, f1_score, fbeta_score

from actcli import reached
from actcli.calibration import thresholds
from actcli.calibration.thresholds import between, tune_thresholds
from actcli.tasks import Metric

Array = np.ndarray[Any, np.dtype[Any]]
AIMS = [
    *({"metric": name} for name in Metric),
    {"metric": "fbeta", "beta": 0.5},
    *({name: level} for name in ("at_precision", "at_recall", "at_fpr") for level in (0.0, 0.3, 0.75, 1.0)),
]


def goodness(aim: dict[str, Any], truth: Array, chosen: Array) -> Fraction | None:
    """Return how good a choice is, in exact numbers; None is not allowed."""
    hits, alarms = int((truth & chosen).sum()), int((~truth & chosen).sum())
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if "at_precision" in aim:
        return Fraction(hits) if Fraction(hits, hits + alarms) >= Fraction(str(aim["at_precision"])) else None
    if "at_recall" in aim:
        allowed = Fraction(hits, positives) >= Fraction(str(aim["at_recall"]))
        return Fraction(hits, hits + alarms) if allowed else None
    if "at_fpr" in aim:
        return Fraction(hits) if Fraction(alarms, negatives) <= Fraction(str(aim["at_fpr"])) else None
    if aim["metric"] in ("youden", "balanced-accuracy"):
        return Fraction(hits, positives) - Fraction(alarms, negatives)
    square = Fraction(aim.get("beta", 2) if aim["metric"] == "fbeta" else 1) ** 2
    return (1 + square) * hits / (square * positives + hits + alarms)


@given(st.sampled_from(AIMS), st.integers(0, 2**32 - 1), st.integers(2, 40), st.sampled_from([0, 1, 5, 1 << 20]))
@example({"at_fpr": 0.3}, 1, 17, 0)
@settings(max_examples=300)
def test_the_threshold_is_the_best_candidate(aim: dict[str, Any], seed: int, rows: int, at_once: int) -> None:
    """Of all distinct probabilities, reckoned exactly; ties go to the lowest; it is halfway to the next lower one.

    However many probabilities are sorted at once; 0 is for the threshold of a class, which sorts all.
    """
    generator = np.random.default_rng(seed)
    probabilities = generator.integers(0, 12, rows) / 12
    truth = generator.random(rows) < 0.4
    truth[:2] = [True, False]
    candidates = sorted(set(probabilities.tolist()))
    scored = [(goodness(aim, truth, probabilities >= candidate), candidate) for candidate in candidates]
    allowed = [(good, candidate) for good, candidate in scored if good is not None]
    with mock.patch.object(thresholds, "_MOST_CELLS", at_once):
        (found,) = tune_thresholds(probabilities, truth, **aim, scope="global" if at_once else "class")
    assert (found.positives, found.negatives) == (truth.sum(), (~truth).sum())
    if not allowed:
        assert found.threshold is None
        return
    best = min(candidate for good, candidate in allowed if good == max(good for good, _ in allowed))
    lower = max((candidate for candidate in candidates if candidate < best), default=0)
    assert found.threshold == pytest.approx((best + lower) / 2)
    chosen = reached(probabilities[:, np.newaxis], found.threshold or 0.0)[:, 0]
    assert (chosen == (probabilities >= best)).all()
    assert (found.true_positives, found.false_positives) == ((truth & chosen).sum(), (~truth & chosen).sum())


@pytest.mark.parametrize(
    ("aim", "score"),
    [
        ({"metric": "f1"}, f1_score),
        ({"metric": "fbeta", "beta": 3.0}, lambda truth, chosen: fbeta_score(truth, chosen, beta=3.0)),
        ({"metric": "balanced-accuracy"}, balanced_accuracy_score),
    ],
)
def test_no_threshold_scores_higher(aim: dict[str, Any], score: Any) -> None:
    """By scikit-learn, per label and, for all together, by the counts of all cells."""
    generator = np.random.default_rng(4)
    probabilities = generator.random((200, 3))
    truth = generator.random((200, 3)) < probabilities * [0.2, 0.5, 0.9]
    found = tune_thresholds(probabilities, truth, **aim)
    grid = np.linspace(0, 1, 40)
    for column, tuned in enumerate(found):
        best = score(truth[:, column], probabilities[:, column] >= (tuned.threshold or 0))
        assert best >= max(score(truth[:, column], probabilities[:, column] >= level) for level in grid) - 1e-12
    (pooled,) = tune_thresholds(probabilities, truth, **aim, scope="global")
    best = score(truth.ravel(), probabilities.ravel() >= (pooled.threshold or 0))
    assert best >= max(score(truth.ravel(), probabilities.ravel() >= level) for level in grid) - 1e-12


@pytest.mark.parametrize("upper", [0.3, 5e-324, 1.0, 2.0**-1022])
def test_between_adjacent_floats(upper: float) -> None:
    """Where no number is between, the threshold is the upper one: the comparison decides as it did."""
    lower = math.nextafter(upper, 0)
    assert between(lower, upper) == upper
    (found,) = tune_thresholds([lower, upper], [0, 1])
    assert found.threshold == upper


@given(st.floats(0, 1), st.floats(0, 1))
def test_between_is_between(one: float, other: float) -> None:
    """Above the lower, at most the upper."""
    lower, upper = sorted((one, other))
    assert lower < between(lower, upper) <= upper or between(lower, upper) == lower == upper


def test_thresholds_are_for_classes_not_rows() -> None:
    """With as many rows as classes, too."""
    probabilities = np.array([[0.9, 0.1, 0.5], [0.8, 0.2, 0.6], [0.1, 0.3, 0.7]])
    truth = [[1, 0, 0], [1, 0, 0], [0, 1, 1]]
    assert [tuned.threshold for tuned in tune_thresholds(probabilities, truth)] == pytest.approx([0.45, 0.25, 0.65])


def test_the_lowest_candidate() -> None:
    """Is halfway to 0, and 0 where it is 0 itself."""
    assert tune_thresholds([0.5, 0.6], [1, 1])[0].threshold == 0.25
    assert tune_thresholds([0.0, 0.6], [1, 1])[0].threshold == 0.0


def test_labels_without_a_choice() -> None:
    """Never true; always true where negatives are needed; a constraint that nothing meets."""
    probabilities = np.array([[0.2, 0.2], [0.7, 0.7]])
    truth = [[0, 1], [0, 1]]
    assert tune_thresholds(probabilities, truth)[0].threshold is None
    assert tune_thresholds(probabilities, truth, metric="youden")[1].threshold is None
    assert tune_thresholds([0.9, 0.1], [0, 1], at_precision=0.9)[0].threshold is None


def test_masked_cells_are_missed_whatever_the_threshold() -> None:
    """They are no candidates, but count among what is true."""
    (found,) = tune_thresholds([0.0, 0.4, 0.6], [1, 1, 0], masked=[True, False, False], at_recall=0.5)
    assert found.threshold == pytest.approx(0.2)
    assert (found.true_positives, found.positives) == (1, 2)
    (found,) = tune_thresholds([0.0, 0.4, 0.6], [1, 1, 0], masked=[True, False, False], at_recall=0.6)
    assert found.threshold is None


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([0.1], [2]), {}, "0 or 1"),
        (([0.1], [[1]]), {}, "shape"),
        (([1.1], [1]), {}, "from 0 to 1"),
        (([float("nan")], [1]), {}, "from 0 to 1"),
        ((["a"], [1]), {}, "real numbers"),
        (([0.1], [1]), {"metric": "accuracy"}, "no metric"),
        (([0.1], [1]), {"metric": "fbeta", "beta": 0.0}, "beta"),
        (([0.1], [1]), {"at_recall": 1.5}, "at_recall"),
        (([0.1], [1]), {"at_recall": 0.5, "at_fpr": 0.5}, "only one"),
        (([0.1], [1]), {"scope": "row"}, "scope"),
    ],
)
def test_bad_arguments(arguments: Any, options: dict[str, Any], message: str) -> None:
    """Are refused with what is wrong."""
    with pytest.raises(ValueError, match=message):
        tune_thresholds(*arguments, **options)
