"""The terms of a sum over rows: what each row adds to the totals that the metrics are computed from. NumPy only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.metrics.row_statistics import bin_codes, bin_edges

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from actcli.metrics.settings import MetricSettings

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
    Term: TypeAlias = "Values | CodedValues"

__all__ = ["CodedValues", "Values", "terms"]


class Values(NamedTuple):
    """Values that are added up over rows: shape (N,) or (N, K), float64."""

    values: Array

    def total(self, weights: Array | None) -> Array:
        """Return the sums, shape (R, ...): weighted by `weights`, shape (R, N), or plain, with R = 1."""
        return np.asarray(self.values.sum(axis=0)[np.newaxis] if weights is None else weights @ self.values)


class CodedValues(NamedTuple):
    """Values that are added up for each code: codes and values of shape (N,), and the number of codes."""

    codes: Array
    size: int
    values: Array

    def total(self, weights: Array | None) -> Array:
        """Return the sum for each code, shape (R, size): weighted by `weights`, shape (R, N), or plain, with R = 1."""
        rows = np.atleast_2d(self.values if weights is None else weights * self.values)
        return np.array([np.bincount(self.codes, row, minlength=self.size) for row in rows])


def terms(settings: MetricSettings, rows: Mapping[str, Array]) -> dict[str, Term]:
    """Return the terms by name, from the row statistics of `exclusive_rows` or `label_rows`."""
    return _exclusive_terms(settings, rows) if settings.exclusive else dict(_label_terms(settings, rows))


def _exclusive_terms(settings: MetricSettings, rows: Mapping[str, Array]) -> dict[str, Term]:
    """Return the terms of exclusive classes; a row whose label is withheld counts in "every" only."""
    truth, predicted = rows["truth"], rows["predicted"]
    answered = (predicted >= 0).astype(np.float64)
    found: dict[str, Term] = {
        "every": Values(np.ones(len(truth))),
        "rows": Values(answered),
        "support": CodedValues(truth, settings.classes, answered),
        "predicted": CodedValues(np.maximum(predicted, 0), settings.classes, answered),
        "true_positives": CodedValues(truth, settings.classes, (truth == predicted).astype(np.float64)),
    }
    if "hit" in rows:
        found["hit"] = Values(rows["hit"] * answered)
    if not settings.probabilities:
        return found
    infinite = np.isinf(rows["loss"])
    found["loss"] = Values(np.where(infinite, 0, rows["loss"]) * answered)
    found["infinite"] = Values(infinite * answered)
    found["brier"] = Values(rows["brier"] * answered)
    if not settings.equal_mass:
        codes = bin_codes(rows["confidence"], bin_edges(settings.bins))
        found["bin_count"] = CodedValues(codes, settings.bins, answered)
        for name in ("confidence", "correct"):
            found[f"bin_{name}"] = CodedValues(codes, settings.bins, rows[name] * answered)
    return found


def _label_terms(settings: MetricSettings, rows: Mapping[str, Array]) -> dict[str, Values]:
    values = {
        "rows": np.ones(len(rows["truth"])),
        "wrong": rows["wrong"],
        "exact": rows["wrong"] == 0,
        "support": rows["truth"],
        "predicted": rows["chosen"],
        "true_positives": rows["truth"] & rows["chosen"],
    }
    names = ["precision", "recall", "f1", "jaccard", *(["lrap"] if settings.ranking else [])]
    if settings.probabilities:
        infinite = np.isinf(rows["loss"])
        values |= {"loss": np.where(infinite, 0, rows["loss"]), "infinite": infinite}
    if settings.probabilities and not settings.equal_mass:
        names += ["bin_count", "bin_confidence", "bin_correct"]
    values |= {name: rows[name] for name in names}
    return {name: Values(each.astype(np.float64)) for name, each in values.items()}
