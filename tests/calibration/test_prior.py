"""Other class shares than in training: Bayes' theorem."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

import actcli

MEANS = np.array([-1.0, 0.5, 3.0])
TRAIN = np.array([0.5, 0.3, 0.2])
NEW = np.array([0.05, 0.15, 0.8])
PLACES = np.linspace(-40, 40, 81)


def posterior(place: float, shares: np.ndarray) -> list[float]:
    """Return the probability of each class of a Gaussian model at a place, by Bayes' theorem with 50 digits."""
    with mpmath.workdps(50):
        joint = [
            mpmath.mpf(float(share)) * mpmath.npdf(mpmath.mpf(float(place)), mpmath.mpf(float(mean)))
            for share, mean in zip(shares, MEANS, strict=True)
        ]
        return [float(value / sum(joint)) for value in joint]


def test_the_posterior_of_a_gaussian_model() -> None:
    """Under the new shares, from that under the shares in training (mpmath); also far out, where one class is sure."""
    logits = scipy.stats.norm.logpdf(PLACES[:, np.newaxis], MEANS) + np.log(TRAIN)
    found = actcli.softmax(logits + actcli.prior_shift(TRAIN, NEW))
    np.testing.assert_allclose(found, [posterior(place, NEW) for place in PLACES], rtol=1e-12)


def test_the_odds_of_labels() -> None:
    """Of two Gaussian models, one for each label, each against its complement (mpmath)."""
    train, new = np.array([0.5, 0.1]), np.array([0.02, 0.9])
    log_ratio = scipy.stats.norm.logpdf(PLACES, 1) - scipy.stats.norm.logpdf(PLACES, 0)
    logits = log_ratio[:, np.newaxis] + np.log(train) - np.log1p(-train)
    found = actcli.sigmoid(logits + actcli.prior_shift(train, new, task="multilabel"))
    with mpmath.workdps(50):
        exact = [
            [
                float(share * mpmath.npdf(x, 1) / (share * mpmath.npdf(x, 1) + (1 - share) * mpmath.npdf(x, 0)))
                for share in map(mpmath.mpf, new.tolist())
            ]
            for x in map(mpmath.mpf, PLACES.tolist())
        ]
    np.testing.assert_allclose(found, exact, rtol=1e-12)


@given(st.lists(st.floats(1e-300, 1e300), min_size=2, max_size=6))
def test_equal_shares_change_nothing(counts: list[float]) -> None:
    """Not even the last bit."""
    np.testing.assert_array_equal(actcli.prior_shift(counts, counts), 0)
    shares = [count / (count + 1) for count in counts if 0 < count / (count + 1) < 1]
    if shares:
        np.testing.assert_array_equal(actcli.prior_shift(shares, shares, task="multilabel"), 0)


def test_counts_are_shares() -> None:
    """Of exclusive classes; and a share of 0 is a mask, one of 1 makes a label certain."""
    np.testing.assert_allclose(actcli.prior_shift([70, 30], [1, 3]), np.log([0.25 / 0.7, 0.75 / 0.3]), rtol=1e-15)
    np.testing.assert_array_equal(actcli.prior_shift([1, 1], [0, 5]), [-np.inf, np.log(2)])
    np.testing.assert_array_equal(actcli.prior_shift([0.5, 0.5], [0, 1], task="multilabel"), [-np.inf, np.inf])


@pytest.mark.parametrize(
    ("train", "new", "task", "message"),
    [
        ([1, 0], [1, 1], "softmax", "in training is 0"),
        ([0.5, 1], [0.5, 0.5], "multilabel", "0 or 1"),
        ([0.5, 0.5], [0.5, 1.5], "multilabel", "above 1"),
        ([1, 1], [1, -1], "binary", "not negative"),
        ([1, 1], [1, np.nan], "binary", "finite"),
        ([1, 1], [1, np.inf], "binary", "finite"),
        ([1, 1], [0, 0], "binary", "all shares are 0"),
        ([1, 1], [1, 1, 1], "softmax", "2 shares in training and 3"),
        ([], [], "softmax", "one number for each class"),
        ([1, 1], [1, 1], "argmax", "there is no task"),
    ],
)
def test_shares_that_cannot_be(train: list[float], new: list[float], task: str, message: str) -> None:
    """Are errors."""
    with pytest.raises(ValueError, match=message):
        actcli.prior_shift(train, new, task=task)
