"""The readers of the fitted parts of a policy: calibration, thresholds, conformal rule, abstention."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, assert_never

from actcli.calibration.conformal import Conformal, RiskControl
from actcli.calibration.methods import Isotonic, Platt, Temperature, VectorScaling
from actcli.prediction.policy import DEFAULT_THRESHOLD, MISSED_LABELS, Abstain, Policy
from actcli.prediction.policy_values import Value, by_label, check_names
from actcli.tasks import ConformalScore, Method, Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from actcli.calibration.methods import Calibration

__all__ = ["abstain_in", "calibration_in", "conformal_in", "thresholds_in"]


def thresholds_in(value: Value, policy: Policy) -> dict[str, float]:
    """Return the threshold of each label of a policy from its part."""
    found = {name: item.between(0, 1) for name, item in value.named()}
    if policy.task is Task.SOFTMAX:
        raise value.contradiction("softmax has none")
    check_names(value, found, policy.labels)
    return {label: found.get(label, DEFAULT_THRESHOLD) for label in policy.labels}


def _numbers(value: Value, labels: Sequence[str]) -> tuple[float, ...]:
    return by_label(value, {name: item.number() for name, item in value.named()}, labels)


def calibration_in(value: Value, labels: Sequence[str]) -> Calibration:
    """Return a calibration from a part of a policy with these labels."""
    method = value.choice_of("method", tuple(Method))
    match method:
        case Method.TEMPERATURE:
            return Temperature(value.object(("method", "temperature"))["temperature"].inside(0))
        case Method.VECTOR:
            parts = value.object(("method", "scale", "bias"))
            return VectorScaling(_numbers(parts["scale"], labels), _numbers(parts["bias"], labels))
        case Method.PLATT:
            parts = value.object(("method", "slope", "intercept"))
            return Platt(_numbers(parts["slope"], labels), _numbers(parts["intercept"], labels))
        case Method.ISOTONIC:
            points = value.object(("method", "points"))["points"]
            return Isotonic(by_label(points, {name: _points(item) for name, item in points.named()}, labels))
        case _:
            assert_never(method)


def _points(value: Value) -> tuple[tuple[float, ...], tuple[float, ...]]:
    points = [tuple(number.number() for number in pair.items(2, 2)) for pair in value.items(least=1)]
    for (place, height), (following, higher) in pairwise(points):
        if not (place < following and height <= higher):
            raise value.contradiction(f"does not rise from {place}, {height} to {following}, {higher}")
    lowest, highest = points[0][1], points[-1][1]
    if not 0 <= lowest <= highest <= 1:
        raise value.contradiction(f"goes from {lowest} to {highest}, which are not both probabilities")
    return tuple(place for place, _ in points), tuple(height for _, height in points)


def conformal_in(value: Value, task: Task, thresholds: Mapping[str, float] | None) -> Conformal | RiskControl:
    """Return a conformal rule from a part of a policy for `task` with these thresholds."""
    score = value.choice_of("score", (*ConformalScore, MISSED_LABELS))
    if (score == MISSED_LABELS) != (task is Task.MULTILABEL):
        raise Value(score, (*value.path, "score")).contradiction(f"{score} is not for {task}")
    if score == MISSED_LABELS:
        parts = value.object(("score", "alpha", "threshold"))
        threshold = parts["threshold"].between(0, 1)
        if set((thresholds or {}).values()) != {threshold}:
            raise parts["threshold"].contradiction("is not the threshold of every class in thresholds")
        return RiskControl(parts["alpha"].inside(0, 1), threshold)
    ranked = ("lambda", "k") if score == ConformalScore.RAPS else ()
    parts = value.object(("score", "alpha", "quantile", *ranked))
    quantile = parts["quantile"].number_or_null()
    rule = Conformal(ConformalScore(score), parts["alpha"].inside(0, 1), math.inf if quantile is None else quantile)
    if not ranked:
        return rule
    return replace(rule, penalty=parts["lambda"].between(0, math.inf), free=parts["k"].integer(0))


def abstain_in(value: Value, task: Task) -> Abstain:
    """Return an abstention from a part of a policy for `task`."""
    parts = value.object(("below",), ("at_accuracy", "delta"))
    if task is Task.MULTILABEL:
        raise value.contradiction("multilabel has none")
    accuracy, delta = parts.get("at_accuracy"), parts.get("delta")
    if delta is not None and accuracy is None:
        raise delta.contradiction("is for at_accuracy, which is not there")
    return Abstain(
        parts["below"].between(0, 1),
        None if accuracy is None else accuracy.between(0, 1),
        None if delta is None else delta.inside(0, 1),
    )
