"""The bounds that `evaluate --fail-under` and `--fail-over` set on metrics."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from actcli.errors import UsageError, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actcli.evaluation.result import Evaluation
    from actcli.metrics.settings import MetricSettings

__all__ = ["MetricBound", "metric_bounds"]

_OF_CLASS = re.compile(r"(\w+)\[(.*)\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class MetricBound:
    """A bound that a metric must not pass.

    Parameters
    ----------
    option, text
        The option that sets it, and its value.
    name, label
        The metric, and the class that it is of; None for a metric of all classes.
    bound
        The number.
    """

    option: str
    text: str
    name: str
    label: str | None
    bound: float

    @property
    def _under(self) -> bool:
        return self.option == "--fail-under"

    def refuse_unknown(self, settings: MetricSettings, classes: Sequence[str]) -> None:
        """Refuse a metric or a class that the evaluation does not have, and a bound on the wrong side.

        Raises
        ------
        UsageError
            If the bound is such a one.
        """
        from actcli.errors import listed
        from actcli.metrics.definitions import (
            PROBABILISTIC,
            RANKING,
            class_metric_names,
            metric_names,
            smaller_is_better,
        )

        if self.label is not None and self.label not in classes:
            raise UsageError(f"{self.option}: {visible(self.label)!r} is no class", hint=f"there is {listed(classes)}")
        names = metric_names(settings) if self.label is None else class_metric_names(settings)
        if self.name not in names:
            hint = "leave --no-ranking out" if self.name in RANKING and not settings.ranking else None
            if not settings.probabilities and self.name in RANKING | PROBABILISTIC:
                hint = "it needs probabilities, and the input holds labels only"
            what = f"metric of {settings.task}" if self.label is None else "metric of a class"
            raise UsageError(
                f"{self.option}: {visible(self.name)!r} is no {what}", hint=hint or f"there are {', '.join(names)}"
            )
        if smaller_is_better(self.name) is self._under:
            better, other = ("small", "--fail-over") if self._under else ("large", "--fail-under")
            raise UsageError(f"{self.option}: {self.name} is better {better}", hint=f"{other} {visible(self.text)}")

    def failure(self, result: Evaluation) -> str | None:
        """Return the message if the metric passes the bound or is undefined; else None."""
        value = result.value(self.name, self.label)
        name = self.name if self.label is None else f"{self.name}[{visible(self.label)}]"
        if value is None:
            return f"{name} is undefined, and {self.option} asks for {self.bound:g}"
        if value < self.bound if self._under else value > self.bound:
            return f"{name} is {value:.6g}, {'under' if self._under else 'over'} the bound of {self.bound:g}"
        return None


def metric_bounds(under: Sequence[str] | None, over: Sequence[str] | None) -> tuple[MetricBound, ...]:
    """Return the bounds of ``--fail-under`` and ``--fail-over``.

    Raises
    ------
    UsageError
        If one is not NAME=VALUE.
    """
    from actcli.formats.column_roles import is_number

    bounds = []
    for option, texts in (("--fail-under", under), ("--fail-over", over)):
        for text in texts or ():
            name, equals, value = text.rpartition("=")
            if not equals or not name or not is_number(value) or not math.isfinite(float(value)):
                example = "accuracy=0.9" if option == "--fail-under" else "log_loss=0.5"
                raise UsageError(
                    f"{option}: {visible(text)!r} is not NAME=VALUE", hint=f"for instance {option} {example}"
                )
            of_class = _OF_CLASS.fullmatch(name)
            metric, label = (of_class[1], of_class[2]) if of_class else (name, None)
            bounds.append(MetricBound(option, text, metric, label, float(value)))
    return tuple(bounds)
