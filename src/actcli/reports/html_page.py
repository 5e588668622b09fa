"""The HTML page of an evaluation: one complete file for light, dark and printed reading."""

from __future__ import annotations

import shlex
from html import escape
from typing import TYPE_CHECKING

import actcli
from actcli.errors import visible
from actcli.metrics.confusion import most_frequent_confusions
from actcli.reports.charts import Bars, Matrix
from actcli.reports.evaluation_charts import confidence_chart, reliability_chart
from actcli.reports.html_assets import CONTENT_SECURITY_POLICY, SCRIPT, STYLE
from actcli.reports.numbers import number, percent, size
from actcli.reports.svg_chart import bars_svg
from actcli.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from actcli.evaluation.result import Evaluation
    from actcli.evaluation.worst_predictions import WorstPrediction
    from actcli.reports.charts import Chart

__all__ = ["page"]

_HEADLINES = {
    Task.SOFTMAX: ("accuracy", "balanced_accuracy", "f1_macro", "log_loss", "brier_loss", "ece", "roc_auc_ovr_macro"),
    Task.MULTILABEL: ("subset_accuracy", "f1_micro", "f1_macro", "hamming_loss", "log_loss", "ece", "roc_auc_macro"),
    Task.BINARY: ("accuracy", "precision", "recall", "f1", "roc_auc", "average_precision", "log_loss", "ece"),
}
"""The metrics at the top of the page."""

_MOST_IN_MATRIX = 40
_MOST_CONFUSIONS = 20
_LONGEST_NAME = 60


def page(result: Evaluation, worst: Sequence[WorstPrediction] | None, arguments: Sequence[str]) -> str:
    """Return the page as text.

    Parameters
    ----------
    result
        The evaluation.
    worst
        Its worst predictions, the worst first; None if there are no probabilities to order them by.
    arguments
        Of the command that makes the page, without the name of the program.
    """
    command = visible(shlex.join(["actcli", *arguments]), 10_000)
    subject = f"{result.task}, {size(result.rows, len(result.classes))}"
    sections = [
        f"<h1>Evaluation</h1><p class=quiet>{escape(subject)}</p>",
        _tiles(result),
        _charts(result) if result.calibration_bins else "",
        _confusion(result),
        _classes(result),
        "" if worst is None else _worst(result, worst),
        _metrics(result),
        f"<h2>Command</h2><code>{escape(command)}</code>",
        f"<p class=quiet>Made by actcli {escape(actcli.__version__)}. - stands for an undefined number.</p>",
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{CONTENT_SECURITY_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Evaluation: {escape(subject)}</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(section for section in sections if section)
        + f"\n<script>{SCRIPT}</script></body></html>\n"
    )


def _tiles(result: Evaluation) -> str:
    tiles = []
    for name in _HEADLINES[Task(result.task)]:
        if name in result.metrics:
            interval = result.intervals and result.intervals.metrics[name]
            between = f"<span>{number(interval[0])} to {number(interval[1])}</span>" if interval else ""
            tiles.append(f"<div class=tile><span>{name}</span><b>{number(result.metrics[name])}</b>{between}</div>")
    return f"<div class=tiles>{''.join(tiles)}</div>"


def _charts(result: Evaluation) -> str:
    figures = [_figure(chart) for chart in (reliability_chart(result), confidence_chart(result, known=True))]
    return f"<h2>Calibration</h2><div class=pair>{''.join(figures)}</div>"


def _figure(chart: Chart) -> str:
    assert isinstance(chart.content, Bars)
    legend = [
        f'<span class=key style="background: var(--bar-{code})"></span>{escape(name)}'
        for code, name in enumerate(chart.content.series, start=1)
    ]
    if chart.content.marks is not None:
        legend.append(f'<span class=key style="background: var(--ink); height: .2em"></span>{chart.content.marks[0]}')
    drawn = bars_svg(chart.content, chart.title)
    caption = f"<b>{escape(chart.title)}.</b> {escape(chart.caption)}<br>{''.join(legend)}"
    return f"<figure>{drawn}<figcaption>{caption}</figcaption></figure>"


def _confusion(result: Evaluation) -> str:
    counts = result.confusion_matrix
    if counts is None or result.task == Task.MULTILABEL:
        return ""
    content = Matrix([_name(name) for name in result.classes], counts)
    names = content.classes
    if len(names) > _MOST_IN_MATRIX:
        note = f"The most frequent confusions of {len(names):,} classes."
        rows = [
            (names[each.truth], names[each.predicted], f"{each.rows:,}", percent(each.share))
            for each in most_frequent_confusions(content.counts, _MOST_CONFUSIONS)
        ]
        table = _table(("truth", "predicted", "rows", "share of truth"), rows, text=2)
    else:
        note = "Rows: truth; columns: prediction; shaded by the share of the true class."
        table = f"<div class=scroll>{_matrix(content)}</div>"
    return f"<h2>Confusion</h2><p class=quiet>{note}</p>{table}"


def _matrix(content: Matrix) -> str:
    """Return the confusion matrix as a table; the names of its classes are escaped."""
    names = content.classes
    body = []
    for row, (of_row, shares) in enumerate(zip(content.counts.tolist(), content.shares().tolist(), strict=True)):
        cells = []
        for column, (count, share) in enumerate(zip(of_row, shares, strict=True)):
            colour = "--shade" if row == column else "--wrong"
            style = f' style="background: rgba(var({colour}), {0.08 + 0.6 * share:.2f})"' if count else ""
            title = f"truth {names[row]}, predicted {names[column]}: {count:,}, {percent(share)}"
            cells.append(f'<td{style} title="{title}">{f"{count:,}" if count else ""}</td>')
        body.append(f"<tr><th>{names[row]}</th>{''.join(cells)}</tr>")
    head = "".join(f"<th>{name}</th>" for name in names)
    return f"<table class=matrix><thead><tr><th></th>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _classes(result: Evaluation) -> str:
    names = list(next(iter(result.per_class.values()), {}))
    head = "".join(f"<th><button>{name}</button></th>" for name in ("class", *names))
    body = []
    for label, found in result.per_class.items():
        cells = "".join(
            f'<td data-value="{"" if found[name] is None else found[name]}">{number(found[name])}</td>'
            for name in names
        )
        body.append(f"<tr><td>{_name(label)}</td>{cells}</tr>")
    table = f"<table class=sortable><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    return f"<h2>Classes</h2><p class=quiet>Click a heading to sort.</p><div class=scroll>{table}</div>"


def _worst(result: Evaluation, worst: Sequence[WorstPrediction]) -> str:
    heading = "<h2>Worst predictions</h2>"
    if not worst:
        return f"{heading}<p>No prediction is wrong.</p>"
    unit = "cells" if result.task == Task.MULTILABEL else "rows"
    rows = [
        (
            f"row {each.row}" if each.id is None else escape(visible(each.id, _LONGEST_NAME)),
            _name(each.predicted),
            _name(each.truth),
            number(each.confidence),
        )
        for each in worst
    ]
    table = _table(("id" if worst[0].id is not None else "row", "predicted", "truth", "probability"), rows, text=3)
    return f"{heading}<p class=quiet>The {len(rows)} wrong {unit} with the highest probability.</p>{table}"


def _metrics(result: Evaluation) -> str:
    intervals: Mapping[str, tuple[float, float] | None] = result.intervals.metrics if result.intervals else {}
    rows = []
    for name, value in result.metrics.items():
        interval = intervals.get(name)
        between = [f"{number(interval[0])} to {number(interval[1])}" if interval else ""] if intervals else []
        rows.append((name, number(value), *between))
    return "<h2>All metrics</h2>" + _table(("metric", "value", *(["95 % interval"] if intervals else [])), rows, text=1)


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, text: int) -> str:
    """Return a table of escaped cells; the first `text` columns hold text."""

    def line(cells: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=text' if number < text else ''}>{cell}</{tag}>" for number, cell in enumerate(cells)
        )

    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return f"<div class=scroll><table><thead><tr>{line(headers, 'th')}</tr></thead><tbody>{body}</tbody></table></div>"


def _name(name: str) -> str:
    return escape(visible(name, _LONGEST_NAME))
