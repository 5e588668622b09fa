"""The most frequent confusions, compared with a plain loop."""

from __future__ import annotations

import numpy as np
from sklearn import metrics as sklearn_metrics

from actcli.metrics.confusion import Confusion, label_counts, most_frequent_confusions


def test_most_frequent_confusions() -> None:
    """The largest cells beside the diagonal, equal ones in the order of the matrix; no cell of 0."""
    matrix = np.array([[50, 2, 7], [7, 0, 0], [1, 3, 9]])
    assert most_frequent_confusions(matrix, 4) == [
        Confusion(0, 2, 7, 7 / 59),
        Confusion(1, 0, 7, 1.0),
        Confusion(2, 1, 3, 3 / 13),
        Confusion(0, 1, 2, 2 / 59),
    ]
    assert len(most_frequent_confusions(matrix, 100)) == 5
    assert matrix[0, 0] == 50
    assert most_frequent_confusions(np.diag([3, 0, 4]), 10) == []
    matrix = np.array([[5, 3, 2], [0, 7, 1], [0, 0, 0]])
    assert most_frequent_confusions(matrix, 2) == [(0, 1, 3, 0.3), (0, 2, 2, 0.2)]
    assert most_frequent_confusions(matrix, 9) == [(0, 1, 3, 0.3), (0, 2, 2, 0.2), (1, 2, 1, 0.125)]


def test_ratios_of_counts() -> None:
    """Are those of scikit-learn, also for all classes together."""
    rng = np.random.default_rng(5)
    truth, chosen = rng.random((2, 200, 4)) < 0.4
    counts = label_counts(chosen, truth)
    for part, average in ((counts, None), (counts.pooled(), "micro")):
        expected = sklearn_metrics.precision_recall_fscore_support(truth, chosen, average=average)
        for found, values in zip((part.precision(), part.recall(), part.f1()), expected, strict=False):
            np.testing.assert_allclose(found, np.atleast_1d(values), rtol=1e-14)
        beta = sklearn_metrics.fbeta_score(truth, chosen, beta=2, average=average)
        np.testing.assert_allclose(part.fbeta(2), np.atleast_1d(beta), rtol=1e-14)
    balanced = [sklearn_metrics.balanced_accuracy_score(truth[:, label], chosen[:, label]) for label in range(4)]
    np.testing.assert_allclose(counts.balanced_accuracy(), balanced, rtol=1e-14)
    np.testing.assert_allclose(counts.youden(), 2 * np.array(balanced) - 1, rtol=1e-12)
