"""The reports of calibrate, tune and conformal as tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar, assert_never

from rich.cells import cell_len
from rich.text import Text

from actcli.calibration.conformal import RiskControl
from actcli.calibration.methods import Temperature
from actcli.errors import visible
from actcli.fitting.fit_reports import CalibrationReport, ConformalReport, ThresholdReport
from actcli.reports.numbers import tally
from actcli.reports.screen import empty_table
from actcli.tasks import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.table import Table

    from actcli.fitting.fit_reports import FitReport, QualityChange, ThresholdChange
    from actcli.tasks import Task

Change = TypeVar("Change")

__all__ = ["draw_fit"]

_NAMES = {
    "log_loss": "log loss",
    "brier_loss": "Brier loss",
    "ece": "calibration error",
    "f1_macro": "F1, macro",
    "mean_size": "classes in a set",
    "empty": "empty sets",
    "single": "sets of one class",
    "missed_labels": "missed of a row's labels",
    "rows_with_labels": "rows with labels",
}
_COUNTS = frozenset({"empty", "single", "rows_with_labels"})
_OTHER_METRICS = ("precision", "recall", "fpr")
"""The metrics beside the measure, as many as there is room for."""
_LONGEST_NAME = 40
_GAP = 3
_ACCENT = "bold cyan"


def draw_fit(report: FitReport, task: Task, policy: str, width: int) -> Iterator[Any]:
    """Yield what Rich prints for the report of a fit.

    Parameters
    ----------
    report
        The report.
    task
        What is decided of a row.
    policy
        The name of the policy file.
    width
        The width of the terminal, in cells.
    """
    match report:
        case CalibrationReport():
            yield _head("calibration", _calibration_text(report), task)
            yield _quality_table(report.fitted_on, report.held_out)
        case ConformalReport():
            yield _head("conformal", _rule_text(report), task)
            yield _quality_table(report.fitted_on, report.held_out)
        case ThresholdReport():
            yield _head("thresholds", _objective_text(report), task)
            for change, what in _changes(report.fitted_on, report.held_out):
                yield Text(f"{change.rows:,} rows, {what}", style="bold")
                yield _threshold_table(report.measure, change, width)
        case _:
            assert_never(report)
    if report.held_out is None:
        yield Text("measured on the very rows that were fitted", style="dim")
    yield Text(f"written to {visible(policy, 200)}", style="dim")


def _head(step: str, what: str, task: Task) -> Text:
    head = Text(f"{step} ", style="bold")
    head.append(what, style=_ACCENT)
    return head.append(f"  for {task.value}", style="not bold")


def _calibration_text(report: CalibrationReport) -> str:
    found = report.calibration
    return f"{report.method.value} {found.temperature:.6g}" if isinstance(found, Temperature) else report.method.value


def _rule_text(report: ConformalReport) -> str:
    rule = report.rule
    if isinstance(rule, RiskControl):
        return f"threshold {rule.threshold:.6g}, alpha {rule.alpha:g}"
    quantile = "infinite" if math.isinf(rule.quantile) else f"{rule.quantile:.6g}"
    return f"{rule.score}, quantile {quantile}, alpha {rule.alpha:g}"


def _objective_text(report: ThresholdReport) -> str:
    if len(report.thresholds) == 1:
        scope = ""
    else:
        scope = ", one for all labels" if report.scope is Scope.GLOBAL else ", one for each label"
    return f"best {report.objective}{scope}"


def _changes(fitted_on: Change, held_out: Change | None) -> list[tuple[Change, str]]:
    return [(fitted_on, "fitted"), *([] if held_out is None else [(held_out, "held out")])]


def _quality_table(fitted_on: QualityChange, held_out: QualityChange | None) -> Table:
    table = empty_table()
    table.add_column("")
    changes = _changes(fitted_on, held_out)
    for _, what in changes:
        table.add_column(f"{what}\nbefore", justify="right", no_wrap=True)
        table.add_column("\nafter", justify="right", style=_ACCENT, no_wrap=True)
    table.add_row("rows", *(cell for change, _ in changes for cell in (f"{change.rows:,}", "")), style="dim")
    for name in fitted_on.before:
        cells = [_number(name, values[name]) for change, _ in changes for values in (change.before, change.after)]
        table.add_row(_NAMES.get(name, name), *cells)
    return table


def _threshold_table(measure: str, change: ThresholdChange, width: int) -> Table:
    """Return a table of classes with threshold and measure before and after, and other metrics if there is room."""
    names = [visible(label, _LONGEST_NAME) for label in change.per_class]
    room = width - min(max(map(cell_len, [*names, "label"])), width // 3) - _GAP
    room -= sum(max(len(name), 6) + _GAP for name in ("true", "threshold", "was", measure, "was"))
    others = []
    for name in [name for name in _OTHER_METRICS if name in change.after["macro"] and name != measure]:
        room -= max(len(name), 6) + _GAP
        if room >= 0:
            others.append(name)
    table = empty_table()
    table.add_column("label", overflow="fold")
    for name in ("true", "threshold", "was", *others, measure, "was"):
        style = {"was": "dim", "threshold": _ACCENT, measure: _ACCENT}.get(name, "")
        table.add_column(name, justify="right", style=style, no_wrap=True)
    for name, found in zip(names, change.per_class.values(), strict=True):
        thresholds = [_number("threshold", values["threshold"]) for values in (found.after, found.before)]
        metrics = _metric_cells(found.before, found.after, others, measure)
        table.add_row(Text(name), tally(found.support), *thresholds, *metrics)
    if len(names) > 1:
        for mean in ("macro", "micro"):
            metrics = _metric_cells(change.before[mean], change.after[mean], others, measure)
            table.add_row(Text(mean, style="italic"), "", "", "", *metrics)
    return table


def _metric_cells(
    before: Mapping[str, float], after: Mapping[str, float], others: Sequence[str], measure: str
) -> list[str]:
    return [_number(name, after[name]) for name in (*others, measure)] + [_number(measure, before[measure])]


def _number(name: str, value: float) -> str:
    if not math.isfinite(value):
        return "-"
    return f"{value:,.0f}" if name in _COUNTS else f"{value:.4f}"
