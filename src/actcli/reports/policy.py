"""The report of a policy: what each of its steps does, and what it was fitted on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, assert_never

from rich.text import Text

from actcli.calibration.conformal import RiskControl
from actcli.calibration.methods import Temperature
from actcli.errors import visible
from actcli.reports.numbers import counted, significant
from actcli.reports.screen import ACCENT, empty_table
from actcli.tasks import Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from actcli.prediction.policy import Policy

__all__ = ["draw_policy"]

_MOST = 8
"""The most classes that are listed."""


def draw_policy(policy: Policy, path: str, width: int) -> Iterator[Any]:  # noqa: ARG001  Rich fits it
    """Yield what Rich prints for a policy; `path` is the name of its file."""
    yield Text(visible(path, 200), style="bold")
    yield Text(f"{policy.task} from {policy.origin}: {_listed(policy.classes)}")
    if policy.positive is not None:
        yield Text(f"positive: {visible(policy.positive, 30)}")
    if not policy.steps:
        yield Text("no step: the scores decide as they are", style="dim")
        return
    table = empty_table()
    table.add_column("step", style=f"bold {ACCENT}", no_wrap=True)
    table.add_column("what it does", overflow="fold")
    table.add_column("fitted on", justify="right")
    for step in policy.steps:
        record = policy.fitted.get(step)
        rows = "" if record is None else counted(record.rows, "row")
        for number, line in enumerate(_lines(policy, step)):
            table.add_row("" if number else step.value, Text(line), "" if number else rows)
    yield table


def _lines(policy: Policy, step: Step) -> list[str]:
    """Return what a step that the policy holds does."""
    value = policy.part(step)
    match step:
        case Step.ALLOW:
            if value.by is None:
                [names] = value.groups.values()
                return [f"possible: {_listed(names)}"]
            groups = [f"{visible(group, 30)}: {_listed(names)}" for group, names in value.groups.items()]
            return _shortened([f"possible, by {visible(value.by, 30)}", *groups])
        case Step.CALIBRATION:
            if isinstance(value, Temperature):
                return [f"divides the logits by {significant(value.temperature)}"]
            return [f"{value.method}, of {counted(len(policy.labels), 'class', 'classes')}"]
        case Step.PRIOR:
            return ["class shares, in training and here", *_shares(value.train, value.new)]
        case Step.THRESHOLDS:
            return _shortened([f"{visible(name, 30)} from {significant(limit)}" for name, limit in value.items()])
        case Step.COSTS:
            others = [name for name in value.decisions if name not in policy.classes]
            more = f"; no class: {_listed(others)}" if others else ""
            return [f"decides for the smallest expected cost of {counted(len(value.decisions), 'decision')}{more}"]
        case Step.TAXONOMY:
            nodes = counted(len(value.parents) - len(policy.classes), "node")
            return [f"rolls a label below {significant(value.at)} up: {nodes} above the classes"]
        case Step.CONFORMAL:
            if isinstance(value, RiskControl):
                return [f"misses at most {significant(value.alpha)} of the labels"]
            quantile = "infinite" if math.isinf(value.quantile) else significant(value.quantile)
            return [
                f"sets that miss at most {significant(value.alpha)} of the rows: {value.score}, quantile {quantile}"
            ]
        case Step.ABSTAIN:
            why = (
                "" if value.at_accuracy is None else f", so that {significant(value.at_accuracy)} of the rest are right"
            )
            return [f"withholds a label below {significant(value.below)}{why}"]
        case _:
            assert_never(step)


def _shares(train: Mapping[str, float], new: Mapping[str, float]) -> list[str]:
    """Return the old and the new share of each class."""
    return _shortened(
        [f"{visible(name, 30)}: {significant(share)} to {significant(new[name])}" for name, share in train.items()]
    )


def _shortened(lines: list[str]) -> list[str]:
    more = len(lines) - _MOST
    return lines if more <= 1 else [*lines[:_MOST], f"and {more:,} more"]


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST
    shown = names if more <= 1 else names[:_MOST]
    return ", ".join(visible(name, 30) for name in shown) + (f" and {more:,} more" if more > 1 else "")
