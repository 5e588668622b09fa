"""The task, and the other closed sets of values that options, policies and the library share."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

Member = TypeVar("Member", bound=StrEnum)

YES_OR_NO = ("negative", "positive")
"""The default names of the classes of a binary task."""


class Origin(StrEnum):
    """What the numbers of the input are."""

    LOGITS = "logits"
    PROBABILITIES = "probabilities"
    LOG_PROBABILITIES = "log-probabilities"


class Dtype(StrEnum):
    """The precision of the computation."""

    FLOAT32 = "float32"
    FLOAT64 = "float64"


class Binning(StrEnum):
    """What all bins of a calibration error have in common."""

    EQUAL_WIDTH = "equal-width"
    EQUAL_MASS = "equal-mass"


class OnBadRow(StrEnum):
    """What to do with a wrong row."""

    ERROR = "error"
    SKIP = "skip"


class Join(StrEnum):
    """Which rows of the input and of the truth must have each other."""

    EXACT = "exact"
    LEFT = "left"
    INNER = "inner"


class ThresholdOperator(StrEnum):
    """When a probability reaches its threshold."""

    GE = "ge"
    GT = "gt"


class Task(StrEnum):
    """What is decided of a row."""

    SOFTMAX = "softmax"
    MULTILABEL = "multilabel"
    BINARY = "binary"


class Mean(StrEnum):
    """Of what the mean of several models is taken."""

    PROBABILITIES = "probabilities"
    LOGITS = "logits"


class Method(StrEnum):
    """A calibration method."""

    TEMPERATURE = "temperature"
    VECTOR = "vector"
    PLATT = "platt"
    ISOTONIC = "isotonic"


class Step(StrEnum):
    """A step of a policy, in the order in which they are fitted."""

    CALIBRATION = "calibration"
    THRESHOLDS = "thresholds"
    CONFORMAL = "conformal"


class Metric(StrEnum):
    """What tuned thresholds maximize."""

    F1 = "f1"
    FBETA = "fbeta"
    YOUDEN = "youden"
    BALANCED_ACCURACY = "balanced-accuracy"


class Scope(StrEnum):
    """Whether each class has its own threshold, or all share one."""

    CLASS = "class"
    GLOBAL = "global"


class ConformalScore(StrEnum):
    """The score of a class: classes with low scores are in the prediction set."""

    LAC = "lac"
    APS = "aps"
    RAPS = "raps"


class ChartKind(StrEnum):
    """What a chart shows."""

    SIGMOID = "sigmoid"
    SOFTMAX = "softmax"
    RELIABILITY = "reliability"
    CONFIDENCE = "confidence"
    ROC = "roc"
    PRECISION_RECALL = "precision-recall"
    THRESHOLDS = "thresholds"
    CONFUSION = "confusion"


FUNCTION_KINDS = (ChartKind.SIGMOID, ChartKind.SOFTMAX)
"""Charts of a function. They need no file."""

BINNED_KINDS = (ChartKind.RELIABILITY, ChartKind.CONFIDENCE)
"""Charts of bins."""

CURVE_KINDS = (ChartKind.ROC, ChartKind.PRECISION_RECALL, ChartKind.THRESHOLDS)
"""Charts with a curve for each class. They need the probability of every cell."""


class ChartFormat(StrEnum):
    """How a chart is written."""

    TABLE = "table"
    JSON = "json"
    PNG = "png"
    SVG = "svg"
    PDF = "pdf"


class ResultFormat(StrEnum):
    """How a result that is no table of rows is written."""

    TABLE = "table"
    JSON = "json"


class Function(StrEnum):
    """The function to differentiate."""

    SIGMOID = "sigmoid"
    SOFTMAX = "softmax"
    CROSS_ENTROPY = "cross-entropy"


def enum_member(kind: type[Member], value: str, noun: str) -> Member:
    """Return the member of an enum for a plain string.

    Parameters
    ----------
    kind
        The enum.
    value
        The value of a member, or a member.
    noun
        What a message calls it.

    Raises
    ------
    ValueError
        If there is no such member; the message lists the values.
    """
    try:
        return kind(value)
    except ValueError:
        raise ValueError(f"there is no {noun} {value!r}; there are {', '.join(kind)}") from None
