"""Charts of the activation functions themselves, which need no data."""

from __future__ import annotations

import numpy as np

from actcli.activations import sigmoid, sigmoid_derivative, softmax
from actcli.reports.charts import Axis, Chart, Curve, Curves
from actcli.tasks import ChartKind

__all__ = ["sigmoid_chart", "softmax_chart"]

STEPS = 160
"""The number of intervals between the points of a curve."""

FARTHEST = 8.0
"""The range of the logits is from minus this to this. The functions are flat beyond it."""

FIXED_LOGITS = (1.0, -1.0)
"""The logits of classes 2 and 3 in the softmax chart."""


def sigmoid_chart(temperature: float = 1.0) -> Chart:
    """Return the chart of the sigmoid and of its derivative."""
    x = np.linspace(-FARTHEST, FARTHEST, STEPS + 1)
    values, slopes = sigmoid(x, temperature=temperature), sigmoid_derivative(x, temperature=temperature)
    argument, exponent = ("x", "-x") if temperature == 1 else (f"x / {temperature:g}", f"-(x / {temperature:g})")
    curves = (Curve(f"sigmoid({argument})", x, values), Curve("derivative", x, slopes))
    return Chart(
        ChartKind.SIGMOID,
        f"Sigmoid: 1 / (1 + exp({exponent}))",
        f"Each class by itself. At x = 0 the value is 0.5 and the slope is largest: {slopes.max():g}.",
        Curves(Axis("logit x", -FARTHEST, FARTHEST), Axis("probability, slope", 0, 1), curves),
        {"temperature": temperature, "x": x.tolist(), "sigmoid": values.tolist(), "derivative": slopes.tolist()},
    )


def softmax_chart(temperature: float = 1.0) -> Chart:
    """Return the chart of the softmax of three classes. Only the logit of the first class varies."""
    x = np.linspace(-FARTHEST, FARTHEST, STEPS + 1)
    logits = np.column_stack([x, *(np.full(len(x), logit) for logit in FIXED_LOGITS)])
    values = softmax(logits, temperature=temperature)
    names = [
        "class 1, logit x",
        *(f"class {number}, logit {logit:g}" for number, logit in enumerate(FIXED_LOGITS, start=2)),
    ]
    curves = [Curve(name, x, column) for name, column in zip(names, values.T, strict=True)]
    divided = "" if temperature == 1 else f" / {temperature:g}"
    return Chart(
        ChartKind.SOFTMAX,
        f"Softmax: exp(x_i{divided}) / sum of exp(x_j{divided})",
        "Three classes. Only the logit of class 1 varies. As its probability rises, the others fall: they sum to 1.",
        Curves(Axis("logit x of class 1", -FARTHEST, FARTHEST), Axis("probability", 0, 1), curves),
        {
            "temperature": temperature,
            "x": x.tolist(),
            "logits": [None, *FIXED_LOGITS],
            "softmax": {f"class {number}": column.tolist() for number, column in enumerate(values.T, start=1)},
        },
    )
