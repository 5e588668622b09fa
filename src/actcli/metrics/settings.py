"""What to measure, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from actcli.tasks import Task

__all__ = ["MetricSettings"]


@dataclass(frozen=True, slots=True)
class MetricSettings:
    """What to measure, and how.

    Parameters
    ----------
    task
        What is decided of a row.
    classes
        The number of classes.
    bins
        The number of bins of the calibration error.
    equal_mass
        Whether the bins hold equally many rows, instead of being equally wide.
    ranking
        Whether to compute ROC AUC and average precision, which sort all rows.
    top_k
        Whether the row statistics say if the truth is among the best K classes.
    coverage
        Whether labels may be withheld, so that the share of rows with a label is reported.
    bootstrap
        The number of replicates for the intervals; 0 is none.
    seed
        The seed of their random numbers.
    probabilities
        Whether the rows have probabilities. Without them there are only labels to compare, and nothing to rank.
    """

    task: Task
    classes: int
    bins: int = 15
    equal_mass: bool = False
    ranking: bool = True
    top_k: bool = False
    coverage: bool = False
    bootstrap: int = 0
    seed: int = 0
    probabilities: bool = True

    @property
    def exclusive(self) -> bool:
        """Whether exactly one class of a row is true."""
        match self.task:
            case Task.SOFTMAX | Task.BINARY:
                return True
            case Task.MULTILABEL:
                return False
            case _:
                assert_never(self.task)
