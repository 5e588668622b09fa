"""The task, and the other closed sets of values that options, policies and the library share."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

Member = TypeVar("Member", bound=StrEnum)

YES_OR_NO = ("negative", "positive")
"""What the classes of a binary task are called where nothing names them."""


class Origin(StrEnum):
    """What the numbers of the input are."""

    LOGITS = "logits"
    PROBABILITIES = "probabilities"
    LOG_PROBABILITIES = "log-probabilities"


class Dtype(StrEnum):
    """In what precision to compute."""

    FLOAT32 = "float32"
    FLOAT64 = "float64"


class Binning(StrEnum):
    """What the bins of a calibration error have in common."""

    EQUAL_WIDTH = "equal-width"
    EQUAL_MASS = "equal-mass"


class OnBadRow(StrEnum):
    """What to do with a row that is wrong."""

    ERROR = "error"
    SKIP = "skip"


class ThresholdOperator(StrEnum):
    """When a threshold is reached."""

    GE = "ge"
    GT = "gt"


class Task(StrEnum):
    """What is decided of a row."""

    SOFTMAX = "softmax"
    MULTILABEL = "multilabel"
    BINARY = "binary"


class Method(StrEnum):
    """How probabilities are calibrated."""

    TEMPERATURE = "temperature"
    VECTOR = "vector"
    PLATT = "platt"
    ISOTONIC = "isotonic"


class Metric(StrEnum):
    """What a threshold is to make as large as possible."""

    F1 = "f1"
    FBETA = "fbeta"
    YOUDEN = "youden"
    BALANCED_ACCURACY = "balanced-accuracy"


class Scope(StrEnum):
    """What a threshold is for."""

    CLASS = "class"
    GLOBAL = "global"


class ConformalScore(StrEnum):
    """How a class is scored: the lower, the sooner it is in the prediction set."""

    LAC = "lac"
    APS = "aps"
    RAPS = "raps"


class ChartKind(StrEnum):
    """What to draw."""

    SIGMOID = "sigmoid"
    SOFTMAX = "softmax"
    RELIABILITY = "reliability"
    CONFIDENCE = "confidence"
    ROC = "roc"
    PRECISION_RECALL = "precision-recall"
    THRESHOLDS = "thresholds"
    CONFUSION = "confusion"


FUNCTION_KINDS = ("sigmoid", "softmax")
"""Pictures of a function, which need no file."""

BINNED_KINDS = ("reliability", "confidence")
"""Pictures of bins."""

CURVE_KINDS = ("roc", "precision-recall", "thresholds")
"""Pictures of curves, which need the probability of every cell, and have one for each class."""


class ChartFormat(StrEnum):
    """How a picture is written."""

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
    """What to take the derivative of."""

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
