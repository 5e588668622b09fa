"""What calibrate, tune and conformal report, drawn."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.text import Text

from actcli.errors import visible
from actcli.reports.screen import empty_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.table import Table

__all__ = ["calibrate", "conformal", "tune"]

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
_BESIDE = ("precision", "recall", "fpr")
"""What stands beside the measure, where there is room."""
_LONGEST_NAME = 40
_GAP = 3
_ACCENT = "bold cyan"


def calibrate(document: Mapping[str, Any], width: int) -> Iterator[Any]:  # noqa: ARG001  as all are called
    """Draw the report of a calibration."""
    found = document["calibration"]
    what = f"{document['method']} {found['temperature']:.6g}" if "temperature" in found else document["method"]
    yield _head("calibration", what, document)
    yield _before_and_after(document)
    yield from _foot(document)


def conformal(document: Mapping[str, Any], width: int) -> Iterator[Any]:  # noqa: ARG001  as all are called
    """Draw the report of a conformal rule."""
    rule = document["conformal"]
    if "threshold" in rule:
        what = f"threshold {rule['threshold']:.6g}"
    else:
        quantile = "infinite" if rule["quantile"] is None else f"{rule['quantile']:.6g}"
        what = f"{rule['score']}, quantile {quantile}"
    yield _head("conformal", f"{what}, alpha {rule['alpha']:g}", document)
    yield _before_and_after(document)
    yield from _foot(document)


def tune(document: Mapping[str, Any], width: int) -> Iterator[Any]:
    """Draw the report of thresholds."""
    yield _head("thresholds", f"best {document['aim']}{_scope(document)}", document)
    for part, what in _parts(document):
        yield Text(f"{part['rows']:,} rows, {what}", style="bold")
        yield _thresholds(document, part, width)
    yield from _foot(document)


def _scope(document: Mapping[str, Any]) -> str:
    if len(document["thresholds"]) == 1:
        return ""
    return ", one for all labels" if document["scope"] == "global" else ", one for each label"


def _head(step: str, what: str, document: Mapping[str, Any]) -> Text:
    head = Text(f"{step} ", style="bold")
    head.append(what, style=_ACCENT)
    return head.append(f"  for {document['task']}", style="not bold")


def _parts(document: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], str]]:
    parts = [(document["fitted_on"], "fitted"), (document["held_out"], "held out")]
    return [(part, what) for part, what in parts if part is not None]


def _before_and_after(document: Mapping[str, Any]) -> Table:
    table = empty_table()
    table.add_column("")
    parts = _parts(document)
    for _, what in parts:
        table.add_column(f"{what}\nbefore", justify="right", no_wrap=True)
        table.add_column("\nafter", justify="right", style=_ACCENT, no_wrap=True)
    table.add_row("rows", *(cell for part, _ in parts for cell in (f"{part['rows']:,}", "")), style="dim")
    for name in document["fitted_on"]["before"]:
        cells = [_number(name, part[when][name]) for part, _ in parts for when in ("before", "after")]
        table.add_row(_NAMES.get(name, name), *cells)
    return table


def _thresholds(document: Mapping[str, Any], part: Mapping[str, Any], width: int) -> Table:
    """Return a table of labels, with what the threshold and the measure were before; as much as there is room for."""
    measure = document["measure"]
    names = [visible(label, _LONGEST_NAME) for label in part["per_class"]]
    room = width - min(max(map(cell_len, [*names, "label"])), width // 3) - _GAP
    room -= sum(max(len(name), 6) + _GAP for name in ("true", "threshold", "was", measure, "was"))
    others = []
    for name in [name for name in _BESIDE if name in part["after"]["macro"] and name != measure]:
        room -= max(len(name), 6) + _GAP
        if room >= 0:
            others.append(name)
    table = empty_table()
    table.add_column("label", overflow="fold")
    for name in ("true", "threshold", "was", *others, measure, "was"):
        style = {"was": "dim", "threshold": _ACCENT, measure: _ACCENT}.get(name, "")
        table.add_column(name, justify="right", style=style, no_wrap=True)
    for name, found in zip(names, part["per_class"].values(), strict=True):
        row = _row(found["before"], found["after"], others, measure)
        thresholds = [_number("threshold", found[when]["threshold"]) for when in ("after", "before")]
        table.add_row(Text(name), f"{found['support']:,}", *thresholds, *row)
    if len(names) > 1:
        for mean in ("macro", "micro"):
            row = _row(part["before"][mean], part["after"][mean], others, measure)
            table.add_row(Text(mean, style="italic"), "", "", "", *row)
    return table


def _row(before: Mapping[str, float], after: Mapping[str, float], others: Sequence[str], measure: str) -> list[str]:
    return [_number(name, after[name]) for name in (*others, measure)] + [_number(measure, before[measure])]


def _number(name: str, value: float) -> str:
    if not math.isfinite(value):
        return "-"
    return f"{value:,.0f}" if name in _COUNTS else f"{value:.4f}"


def _foot(document: Mapping[str, Any]) -> Iterator[Text]:
    if document["held_out"] is None:
        yield Text("measured on the very rows that were fitted", style="dim")
    yield Text(f"written to {visible(document['policy'], 200)}", style="dim")
