"""An evaluation as a page: one file that needs no other, reads well in dark and light, and prints."""

from __future__ import annotations

import shlex
from html import escape
from typing import TYPE_CHECKING

import numpy as np

import actcli
from actcli.errors import visible
from actcli.reports.charts import Bars, confidence_chart, reliability_chart
from actcli.reports.svg_chart import bars_svg

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from actcli.evaluation.result import Evaluation
    from actcli.evaluation.worst_predictions import WorstPrediction
    from actcli.reports.charts import Chart

__all__ = ["page"]

_HEADLINES = {
    "softmax": ("accuracy", "balanced_accuracy", "f1_macro", "log_loss", "brier_loss", "ece", "roc_auc_ovr_macro"),
    "multilabel": ("subset_accuracy", "f1_micro", "f1_macro", "hamming_loss", "log_loss", "ece", "roc_auc_macro"),
    "binary": ("accuracy", "precision", "recall", "f1", "roc_auc", "average_precision", "log_loss", "ece"),
}
_MOST_IN_MATRIX = 40
_LONGEST_NAME = 60

# Nothing may be fetched: not even a browser that is asked to would.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1d2129; --quiet: #5c6470; --faint: #d9dde3; --panel: #f5f7f9;
  --bar-1: #0072b2; --bar-2: #e69f00; --shade: 0, 114, 178; --wrong: 213, 94, 0 }
@media (prefers-color-scheme: dark) { :root { --paper: #14171c; --ink: #e6e9ee; --quiet: #9aa4b1; --faint: #343b46;
  --panel: #1d222a; --bar-1: #3d9bd6; --bar-2: #e0a530; --shade: 61, 155, 214; --wrong: 236, 124, 48 } }
* { box-sizing: border-box }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1060px;
  margin: 0 auto; padding: 24px 20px 60px }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem }
p { margin: .3rem 0 } .quiet, figcaption { color: var(--quiet); font-size: .87rem }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 10px; margin: 18px 0 }
.tile { background: var(--panel); border: 1px solid var(--faint); border-radius: 6px; padding: 10px 12px;
  overflow-wrap: anywhere }
.tile b { display: block; font-size: 1.35rem; font-variant-numeric: tabular-nums } .tile span { color: var(--quiet);
  font-size: .82rem }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(360px, 1fr)); gap: 20px }
figure { margin: 0 } svg { width: 100%; height: auto; display: block } svg text { font-size: 11px; fill: var(--quiet) }
.bar-1 { fill: var(--bar-1) } .bar-2 { fill: var(--bar-2) } .grid { stroke: var(--faint) }
.axis { stroke: var(--quiet); fill: none } .mark { stroke: var(--ink); stroke-width: 2 }
.guide { stroke: var(--quiet); stroke-dasharray: 3 3 }
.key { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin: 0 .3em 0 .8em }
.scroll { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem }
th, td { padding: 4px 10px; border-bottom: 1px solid var(--faint); text-align: right; white-space: nowrap }
th:first-child, td:first-child, .text { text-align: left }
thead th { border-bottom: 2px solid var(--quiet) }
th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer }
th[aria-sort=ascending] button::after { content: " \\25b2" }
th[aria-sort=descending] button::after { content: " \\25bc" }
.matrix td { text-align: center; border: 1px solid var(--faint); min-width: 2.6em }
code { font-family: ui-monospace, monospace; font-size: .87rem; background: var(--panel); padding: 8px 10px;
  border: 1px solid var(--faint); border-radius: 6px; display: block; overflow-x: auto; white-space: pre-wrap }
@media print { :root { --paper: #fff; --ink: #000; --quiet: #444; --faint: #ccc; --panel: #fff }
  body { max-width: none; padding: 0; font-size: 11px } figure, .tile, tr { break-inside: avoid }
  .bar-1, .bar-2, .matrix td { print-color-adjust: exact; -webkit-print-color-adjust: exact } }
"""

_SCRIPT = """
for (const table of document.querySelectorAll("table.sortable")) {
  table.querySelectorAll("thead th").forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      const value = row => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const body = table.tBodies[0];
      const sorted = [...body.rows].sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        if (x === "" || y === "") return (x === "") - (y === "");
        const order = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
        return down ? -order : order;
      });
      table.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      body.append(...sorted);
    });
  });
}
"""


def page(result: Evaluation, mistakes: Sequence[WorstPrediction], arguments: Sequence[str]) -> str:
    """Return the page.

    Parameters
    ----------
    result
        The evaluation.
    mistakes
        The worst first.
    arguments
        Of the command that made it, without the program's name.
    """
    command = visible(shlex.join(["actcli", *arguments]), 10_000)
    size = f"{result.rows:,} row{'' if result.rows == 1 else 's'}, {len(result.classes):,} classes, {result.task}"
    sections = [
        f"<h1>Evaluation</h1><p class=quiet>{escape(size)}</p>",
        _tiles(result),
        _pictures(result),
        _confusion(result),
        _per_class(result),
        _mistakes(result, mistakes),
        _metrics(result),
        f"<h2>The command</h2><code>{escape(command)}</code>",
        f"<p class=quiet>Made by actcli {escape(actcli.__version__)}. What is undefined is shown as -.</p>",
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Evaluation: {escape(size)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(section for section in sections if section)
        + f"\n<script>{_SCRIPT}</script></body></html>\n"
    )


def _tiles(result: Evaluation) -> str:
    tiles = []
    for name in _HEADLINES[result.task]:
        if name in result.metrics:
            interval = result.intervals and result.intervals.metrics[name]
            between = f"<span>{_number(interval[0])} to {_number(interval[1])}</span>" if interval else ""
            tiles.append(f"<div class=tile><span>{name}</span><b>{_number(result.metrics[name])}</b>{between}</div>")
    return f"<div class=tiles>{''.join(tiles)}</div>"


def _pictures(result: Evaluation) -> str:
    figures = [_figure(picture) for picture in (reliability_chart(result), confidence_chart(result, known=True))]
    return f"<h2>How sure, and how right</h2><div class=pair>{''.join(figures)}</div>"


def _figure(picture: Chart) -> str:
    assert isinstance(picture.content, Bars)
    keys = [
        f'<span class=key style="background: var(--bar-{code})"></span>{escape(name)}'
        for code, name in enumerate(picture.content.parts, start=1)
    ]
    if picture.content.marks is not None:
        keys.append(f'<span class=key style="background: var(--ink); height: .2em"></span>{picture.content.marks[0]}')
    drawn = bars_svg(picture.content, picture.title)
    caption = f"<b>{escape(picture.title)}.</b> {escape(picture.caption)}<br>{''.join(keys)}"
    return f"<figure>{drawn}<figcaption>{caption}</figcaption></figure>"


def _confusion(result: Evaluation) -> str:
    counts = result.confusion_matrix
    if counts is None or result.task == "multilabel":
        return ""
    heading = "<h2>What was taken for what</h2>"
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    if len(result.classes) > _MOST_IN_MATRIX:
        off = counts.copy()
        np.fill_diagonal(off, 0)
        places = [divmod(place, len(off)) for place in np.argsort(-off, axis=None, kind="stable")[:20].tolist()]
        rows = [
            (_name(result.classes[row]), _name(result.classes[column]), f"{off[row, column]:,}")
            for row, column in places
            if off[row, column]
        ]
        return f"{heading}<p class=quiet>The most frequent of {len(off):,} classes.</p>" + _table(
            ("truth", "predicted", "rows"), rows, text=2
        )
    head = "".join(f"<th>{_name(name)}</th>" for name in result.classes)
    body = []
    for row, name in enumerate(result.classes):
        cells = []
        for column, count in enumerate(counts[row].tolist()):
            colour = "--shade" if row == column else "--wrong"
            share = float(shares[row, column])
            style = f' style="background: rgba(var({colour}), {0.08 + 0.6 * share:.2f})"' if count else ""
            said = f"{_name(name)} taken for {_name(result.classes[column])}: {count:,}, {100 * share:.1f} %"
            cells.append(f'<td{style} title="{said}">{f"{count:,}" if count else ""}</td>')
        body.append(f"<tr><th>{_name(name)}</th>{''.join(cells)}</tr>")
    table = f"<table class=matrix><thead><tr><th></th>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    return (
        f"{heading}<p class=quiet>Rows: the truth; columns: what was predicted; shaded by the share of the row.</p>"
        f"<div class=scroll>{table}</div>"
    )


def _per_class(result: Evaluation) -> str:
    names = list(next(iter(result.per_class.values()), {}))
    head = "".join(f"<th><button>{name}</button></th>" for name in ("class", *names))
    body = []
    for label, found in result.per_class.items():
        cells = "".join(
            f'<td data-value="{"" if found[name] is None else found[name]}">{_number(found[name])}</td>'
            for name in names
        )
        body.append(f"<tr><td>{_name(label)}</td>{cells}</tr>")
    table = f"<table class=sortable><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    return f"<h2>Each class</h2><p class=quiet>A click on a heading sorts.</p><div class=scroll>{table}</div>"


def _mistakes(result: Evaluation, mistakes: Sequence[WorstPrediction]) -> str:
    heading = "<h2>The worst mistakes: sure, and wrong</h2>"
    if not mistakes:
        return f"{heading}<p>There is none.</p>"
    what = "cells" if result.task == "multilabel" else "rows"
    rows = [
        (
            f"row {each.row}" if each.id is None else escape(visible(each.id, _LONGEST_NAME)),
            _name(each.predicted),
            _name(each.truth),
            _number(each.confidence),
        )
        for each in mistakes
    ]
    table = _table(("id" if mistakes[0].id is not None else "row", "predicted", "truth", "probability"), rows, text=3)
    return f"{heading}<p class=quiet>The {len(rows)} wrong {what} with the highest probability.</p>{table}"


def _metrics(result: Evaluation) -> str:
    intervals: Mapping[str, tuple[float, float] | None] = result.intervals.metrics if result.intervals else {}
    rows = []
    for name, value in result.metrics.items():
        interval = intervals.get(name)
        between = [f"{_number(interval[0])} to {_number(interval[1])}" if interval else ""] if intervals else []
        rows.append((name, _number(value), *between))
    return "<h2>All metrics</h2>" + _table(("metric", "value", *(["95 % interval"] if intervals else [])), rows, text=1)


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, text: int) -> str:
    """Return a table of cells that are escaped already, the first of them texts."""

    def line(cells: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=text' if number < text else ''}>{cell}</{tag}>" for number, cell in enumerate(cells)
        )

    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return f"<div class=scroll><table><thead><tr>{line(headers, 'th')}</tr></thead><tbody>{body}</tbody></table></div>"


def _name(name: str) -> str:
    return escape(visible(name, _LONGEST_NAME))


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
