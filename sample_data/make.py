"""Make the files in this folder: train small models on data that scikit-learn brings along, and keep their raw scores.

Run it as ``python sample_data/make.py [FOLDER]``; it needs the ``dev`` extra. The models are fitted to convergence and
the scores rounded to three decimals, so that any machine makes the same files.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PROPERTIES = {
    "even": {0, 2, 4, 6, 8},
    "prime": {2, 3, 5, 7},
    "square": {0, 1, 4, 9},
    "multiple of 3": {0, 3, 6, 9},
    "above 4": {5, 6, 7, 8, 9},
}
ARTICLE_PROBABILITIES = (0.01, 0.02, 0.41, 0.62, 0.3, 0.18, 0.5, 0.42, 0.06, 0.81)


def main(folder: Path) -> None:
    """Write every file into `folder`."""
    make_digits(folder)
    make_cancer(folder)
    write(folder / "article_softmax.csv", None, [(-20, 10, 30)])
    write(folder / "article_multilabel.csv", None, [ARTICLE_PROBABILITIES])


def make_digits(folder: Path) -> None:
    """Write the logits of one model with ten classes, and of five models for five properties, of the same images."""
    images, digits = load_digits(return_X_y=True)
    numbers = np.arange(len(digits))
    train, test = train_test_split(numbers, test_size=0.25, random_state=0, stratify=digits)
    test.sort()
    ids = [f"digit-{number:04d}" for number in test]

    scores = rounded(fitted(images[train], digits[train], 0.01).decision_function(images[test]))
    np.save(folder / "digits_logits.npy", scores.astype(np.float32))
    write(folder / "digits_logits.csv", ("id", *DIGITS), with_ids(ids, scores))
    write(
        folder / "digits_truth.csv", ("id", "label"), zip(ids, [DIGITS[digit] for digit in digits[test]], strict=True)
    )
    (folder / "digits_classes.txt").write_text("\n".join(DIGITS) + "\n", encoding="utf-8")

    truth = np.array([[digit in members for members in PROPERTIES.values()] for digit in digits], dtype=np.int64)
    scores = np.column_stack(
        [
            rounded(fitted(images[train], truth[train, column], 0.1).decision_function(images[test]))
            for column in range(len(PROPERTIES))
        ]
    )
    write(folder / "properties_logits.csv", ("id", *PROPERTIES), with_ids(ids, scores))
    write(folder / "properties_truth.csv", ("id", *PROPERTIES), with_ids(ids, truth[test]))
    np.save(folder / "properties_logits.npy", scores.astype(np.float32))


def make_cancer(folder: Path) -> None:
    """Write the logit of "malignant" for the tumours of a test set."""
    measures, benign = load_breast_cancer(return_X_y=True)
    numbers = np.arange(len(benign))
    train, test = train_test_split(numbers, test_size=0.4, random_state=0, stratify=benign)
    test.sort()
    model = fitted(measures[train], 1 - benign[train], 1.0)
    ids = [f"tumour-{number:03d}" for number in test]
    scores = rounded(model.decision_function(measures[test]))
    write(folder / "cancer_logits.csv", ("id", "malignant"), with_ids(ids, scores[:, np.newaxis]))
    names = np.where(benign[test] == 1, "benign", "malignant")
    write(folder / "cancer_truth.csv", ("id", "label"), zip(ids, names, strict=True))


def fitted(inputs: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], strength: float) -> Any:
    """Return a logistic regression on standardised inputs, fitted until nothing moves in the digits that are kept."""
    model = LogisticRegression(C=strength, tol=1e-10, max_iter=100_000)
    return make_pipeline(StandardScaler(), model).fit(inputs, labels)


def rounded(scores: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return scores with three decimals, without negative zeros."""
    return scores.round(3) + 0.0


def with_ids(ids: Sequence[str], values: np.ndarray[Any, Any]) -> Iterable[Sequence[Any]]:
    """Return rows that begin with an id."""
    return ([name, *row] for name, row in zip(ids, values.tolist(), strict=True))


def write(path: Path, header: Sequence[str] | None, rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if header is not None:
            writer.writerow(header)
        writer.writerows(rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
