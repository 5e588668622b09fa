"""Prediction sets: the promise on fresh data, and the rules against plain Python."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any
from unittest import mock

import numpy as np
import pytest
import scipy.special
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from actcli.calibration import conformal
from actcli.calibration.conformal import fit_conformal, fit_risk_control
from actcli.tasks import ConformalScore

Array = np.ndarray[Any, np.dtype[Any]]


def drawn(generator: np.random.Generator, rows: int, classes: int = 5) -> tuple[Array, Array]:
    """Return probabilities that are wrong by a temperature, and what is true."""
    logits = generator.normal(size=(rows, classes)) * 2
    truth = (logits + generator.gumbel(size=logits.shape)).argmax(axis=1)
    return scipy.special.softmax(logits * 1.7, axis=1), truth


@pytest.mark.parametrize("score", ConformalScore)
def test_coverage_is_what_was_promised(score: str) -> None:
    """Over 1,000 fits: the hits among fresh rows follow the beta-binomial law of exchangeable scores without ties.

    With k = ceil((n + 1)(1 - alpha)), the number of hits among m new rows is beta-binomial with k and n + 1 - k (Vovk
    2012, doi:10.1007/s10994-013-5355-6). The mean of 1,000 draws must be within its band of five standard errors, and
    the draws must spread as that law does.
    """
    calibrating, testing, alpha, draws = 40, 50, Fraction("0.2"), 1000
    generator = np.random.default_rng(8)
    probabilities, truth = drawn(generator, draws * (calibrating + testing))
    probabilities = probabilities.reshape(draws, calibrating + testing, -1)
    truth = truth.reshape(draws, -1)
    hits = np.zeros(draws)
    for draw in range(draws):
        known, new = slice(0, calibrating), slice(calibrating, None)
        rule = fit_conformal(
            probabilities[draw, known], truth[draw, known], alpha=alpha, score=score, penalty=0.02, free=1
        )
        members = rule.sets(probabilities[draw, new])
        hits[draw] = members[np.arange(testing), truth[draw, new]].sum()
    rank = math.ceil((calibrating + 1) * (1 - alpha))
    law = scipy.stats.betabinom(testing, rank, calibrating + 1 - rank)
    assert abs(hits.mean() - law.mean()) < 5 * law.std() / math.sqrt(draws)
    assert hits.var() == pytest.approx(law.var(), rel=0.25)
    assert hits.mean() / testing >= 1 - float(alpha) - 5 * law.std() / testing / math.sqrt(draws)


def test_the_share_of_missed_labels_is_what_was_promised() -> None:
    """Over 1,000 fits, on fresh rows: at most alpha on average, and not much less."""
    generator = np.random.default_rng(9)
    calibrating, testing, alpha, draws = 60, 60, 0.2, 1000
    shares = []
    for _ in range(draws):
        logits = generator.normal(size=(calibrating + testing, 6)) * 2
        truth = generator.random(logits.shape) < scipy.special.expit(logits)
        truth[:, 0] |= ~truth.any(axis=1)
        probabilities = scipy.special.expit(2 * logits)
        rule = fit_risk_control(probabilities[:calibrating], truth[:calibrating], alpha=alpha)
        missed = truth[calibrating:] & (probabilities[calibrating:] < rule.threshold)
        shares.append(np.mean(missed.sum(axis=1) / truth[calibrating:].sum(axis=1)))
    error = np.std(shares) / math.sqrt(draws)
    assert alpha - 1 / calibrating - 5 * error < np.mean(shares) < alpha + 5 * error


@pytest.mark.parametrize(
    ("rows", "alpha", "rank"), [(24, 0.44, 14), (24, "0.44", 14), (9, 0.1, 9), (99, 0.07, 93), (19, "0.05", 19)]
)
def test_the_rank_is_exact(rows: int, alpha: Any, rank: int) -> None:
    """25 * (1 - 0.44) is 14, and above it in floats."""
    probabilities = np.linspace(0, 1, rows)
    table = np.column_stack([probabilities, 1 - probabilities])
    found = fit_conformal(table, np.zeros(rows, dtype=int), alpha=alpha)
    assert found.quantile == np.sort(1 - probabilities)[rank - 1]


def test_too_few_rows_promise_every_class() -> None:
    """With k above n the quantile is infinite."""
    probabilities, truth = drawn(np.random.default_rng(0), 8)
    found = fit_conformal(probabilities, truth, alpha=0.1)
    assert found.quantile == math.inf
    assert found.sets(probabilities).all()
    assert math.isfinite(fit_conformal(*drawn(np.random.default_rng(0), 9), alpha=0.1).quantile)


def plain_score(row: list[float], true: int, score: str, penalty: float, free: int) -> float:
    """Return the score of a class, in plain Python."""
    if score == "lac":
        return 1 - row[true]
    order = sorted(range(len(row)), key=lambda number: (-row[number], number))
    rank = order.index(true)
    tail = 0.0
    for number in reversed(order[rank + 1 :]):
        tail += row[number]
    return 1 - tail + (penalty * max(0, rank + 1 - free) if score == "raps" else 0)


@given(
    st.sampled_from(ConformalScore),
    st.integers(0, 2**32 - 1),
    st.integers(1, 60),
    st.sampled_from(["0.05", "0.3", "0.5"]),
)
@settings(max_examples=60)
def test_quantile_and_sets_of_the_rules(score: str, seed: int, rows: int, alpha: str) -> None:
    """The k-th smallest score of what is true; a class is in when its own score is no higher. Ties included."""
    generator = np.random.default_rng(seed)
    counts = generator.integers(0, 4, (rows, 4)) + np.eye(4)[0]
    probabilities = counts / counts.sum(axis=1, keepdims=True)
    truth = generator.integers(0, 4, rows)
    found = fit_conformal(probabilities, truth, alpha=alpha, score=score, penalty=0.1, free=2)
    table = probabilities.tolist()
    scores = sorted(plain_score(row, true, score, 0.1, 2) for row, true in zip(table, truth.tolist(), strict=True))
    rank = math.ceil((rows + 1) * (1 - Fraction(alpha)))
    assert found.quantile == (math.inf if rank > rows else scores[rank - 1])
    members = found.sets(probabilities).tolist()
    expected = [[plain_score(row, number, score, 0.1, 2) <= found.quantile for number in range(4)] for row in table]
    assert members == expected


@pytest.mark.parametrize("score", ["aps", "raps"])
def test_the_whole_distribution_has_the_score_1(score: str) -> None:
    """In each row, whatever rounding does to its sum: the set of a row whose quantile is that score is all classes."""
    probabilities = scipy.special.softmax(np.random.default_rng(3).normal(size=(2000, 30)), axis=1)
    last = probabilities.argmin(axis=1)
    assert len(np.unique(np.sort(probabilities, axis=1)[:, ::-1].cumsum(axis=1)[:, -1])) > 1
    rules = [
        fit_conformal(row[np.newaxis], [true], alpha=0.5, score=score, penalty=0.0)
        for row, true in zip(probabilities, last, strict=True)
    ]
    assert {rule.quantile for rule in rules} == {1.0}
    assert rules[0].sets(probabilities).all()


def test_a_masked_truth_is_never_in_a_set() -> None:
    """So its score is infinite, and the promise holds for the other rows' sake."""
    table = [[0.9, 0.1], [0.8, 0.2], [1.0, 0.0]]
    masked = [[False, False], [False, False], [False, True]]
    assert fit_conformal(table, [0, 0, 1], alpha=0.3, masked=masked).quantile == math.inf
    assert fit_conformal(table, [0, 0, 1], alpha=0.3).quantile == 1.0


def plain_threshold(probabilities: Array, truth: Array, alpha: str) -> float | None:
    """Return the middle of the highest threshold that keeps the promise and the next lower probability, or 0.

    Each probability of a label is tried, in exact numbers.
    """
    labelled = [
        [value for value, right in zip(row, rights, strict=True) if right]
        for row, rights in zip(probabilities.tolist(), truth.tolist(), strict=True)
    ]
    labelled = [row for row in labelled if row]
    allowed = []
    for level in sorted({value for row in labelled for value in row}):
        missed = sum(Fraction(sum(value < level for value in row), len(row)) for row in labelled)
        if (missed + 1) / (len(labelled) + 1) <= Fraction(alpha):
            allowed.append(level)
    if not allowed:
        return None
    best = max(allowed)
    lower = max((value for value in probabilities.ravel().tolist() if value < best), default=0.0)
    middle: float = lower + (best - lower) / 2
    return middle if middle > lower else best


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 40),
    st.sampled_from(["0.05", "0.2", "0.25", "0.5", "0.9"]),
    st.sampled_from([1, 4, 1 << 20]),
)
@settings(max_examples=150)
def test_risk_control_is_the_highest_threshold(seed: int, rows: int, alpha: str, at_once: int) -> None:
    """Rows without a label have none to miss, and are left out; ties are missed together.

    However many labels are sorted at once.
    """
    generator = np.random.default_rng(seed)
    probabilities = generator.integers(0, 8, (rows, 5)) / 8
    truth = generator.random((rows, 5)) < 0.3
    truth[0, 0] = True
    with mock.patch.object(conformal, "_MOST_LABELS", at_once):
        found = fit_risk_control(probabilities, truth, alpha=alpha)
    expected = plain_threshold(probabilities, truth, alpha)
    assert found.possible == (expected is not None)
    assert found.threshold == (0.0 if expected is None else expected)


def test_a_threshold_holds_in_float32() -> None:
    """The label that decides is kept where its probability rounds down, on input and as float32."""
    generator = np.random.default_rng(2)
    probabilities = generator.random((200, 4))
    truth = generator.random((200, 4)) < 0.4
    for alpha in ("0.1", "0.2", "0.3"):
        threshold = fit_risk_control(probabilities, truth, alpha=alpha).threshold
        exact = probabilities >= threshold
        assert (exact == (probabilities.astype(np.float32) >= np.float32(threshold))).all()
        lower, upper = probabilities[~exact].max(), probabilities[exact].min()
        assert threshold == pytest.approx((lower + upper) / 2, rel=1e-15)


def test_risk_control_counts_masked_labels_as_missed() -> None:
    """Whatever the threshold, so that it may be impossible to keep the promise."""
    probabilities, truth = np.full((9, 1), 0.5), np.ones((9, 1), dtype=int)
    masked = np.arange(9)[:, np.newaxis] < 4
    assert not fit_risk_control(probabilities, truth, alpha=0.4, masked=masked).possible
    assert fit_risk_control(probabilities, truth, alpha=0.5, masked=masked).possible


def test_many_labels_a_row_stay_exact() -> None:
    """The least common multiple of 1 to 60 does not fit in a machine's number."""
    generator = np.random.default_rng(1)
    truth = np.arange(60) <= np.arange(60)[:, np.newaxis]
    probabilities = np.round(generator.random((60, 60)), 2)
    found = fit_risk_control(probabilities, truth, alpha="0.3")
    assert found.threshold == plain_threshold(probabilities, truth, "0.3")


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([[0.5, 0.5]], [2]), {"alpha": 0.1}, "from 0 to 1"),
        (([[0.5, 0.5]], [0, 1]), {"alpha": 0.1}, "one class index"),
        (([[0.5, 0.5]], [0.5]), {"alpha": 0.1}, "one class index"),
        (([[0.5, 0.5]], [0]), {"alpha": 0.0}, "alpha"),
        (([[0.5, 0.5]], [0]), {"alpha": 1}, "alpha"),
        (([[0.5, 0.5]], [0]), {"alpha": 0.1, "score": "size"}, "no score"),
        (([[0.5, 0.5]], [0]), {"alpha": 0.1, "score": "raps", "penalty": -1.0}, "negative"),
        (([[0.5, 0.5]], [0]), {"alpha": 0.1, "score": "raps", "penalty": float("nan")}, "finite"),
        (([[0.5, 1.5]], [0]), {"alpha": 0.1}, "from 0 to 1"),
        (([0.5, 0.5], [0]), {"alpha": 0.1}, "two dimensions"),
    ],
)
def test_bad_arguments(arguments: Any, options: dict[str, Any], message: str) -> None:
    """Are refused with what is wrong."""
    with pytest.raises(ValueError, match=message):
        fit_conformal(*arguments, **options)


def test_risk_control_needs_labels() -> None:
    """And 0 or 1 for each cell."""
    with pytest.raises(ValueError, match="no row has a label"):
        fit_risk_control([[0.5]], [[0]], alpha=0.1)
    with pytest.raises(ValueError, match="0 or 1"):
        fit_risk_control([[0.5]], [[2]], alpha=0.1)
