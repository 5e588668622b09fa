"""Charts as figures in PNG, SVG or PDF, drawn by matplotlib. The same chart gives the same bytes."""

from __future__ import annotations

import io
import textwrap
import warnings
from typing import TYPE_CHECKING, Any, assert_never

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from actcli.errors import visible
from actcli.reports.charts import Bars, Curves, Matrix
from actcli.reports.numbers import tally
from actcli.tasks import ChartFormat, ChartKind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from actcli.reports.charts import Chart

__all__ = ["figure_bytes"]

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
"""The colours of Okabe and Ito, "Color universal design", 2008, which colour-blind readers can tell apart."""

_DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)))
"""Tell curves apart in print without colours."""

_REFERENCE_STYLE: Any = {"color": "#888888", "linestyle": ":", "linewidth": 1}

_STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that every machine draws the same
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "legend.frameon": False,
    "svg.hashsalt": "actcli",
    "svg.fonttype": "none",
    "text.parse_math": False,  # a class may be called $x$
}
_SQUARE = (ChartKind.ROC, ChartKind.PRECISION_RECALL, ChartKind.GAIN)
_MOST_NAMES = 40
_LONGEST_NAME = 24
_LONGEST_LEGEND = 40


def figure_bytes(chart: Chart, format: ChartFormat) -> bytes:
    """Return a chart as the bytes of a file.

    Raises
    ------
    ValueError
        If the format is not one of a figure.
    """
    with mpl.rc_context(), warnings.catch_warnings():
        # The font lacks some characters: PNG and PDF show a box, SVG keeps the text.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        mpl.rcdefaults()  # ignores a matplotlibrc
        mpl.rcParams.update(_STYLE)
        figure = Figure(figsize=_size(chart), layout="constrained")
        axes = figure.add_subplot()
        match chart.content:
            case Curves():
                _draw_curves(axes, chart.content)
            case Bars():
                _draw_bars(axes, chart.content)
            case Matrix():
                _draw_matrix(figure, axes, chart.content)
            case unknown:
                assert_never(unknown)
        axes.set_title(chart.title)
        caption = _wrapped(chart.caption, 15 * figure.get_figwidth())
        figure.supxlabel(caption, x=0.01, ha="left", fontsize=8, color="#555555")
        file = io.BytesIO()
        figure.savefig(file, format=format.value, dpi=150, metadata=_metadata(format))
        return file.getvalue()


def _metadata(format: ChartFormat) -> dict[str, None]:
    """Return the metadata that matplotlib leaves out: dates and versions would change the bytes."""
    match format:
        case ChartFormat.PNG:
            return {"Software": None}
        case ChartFormat.SVG:
            return {"Date": None}
        case ChartFormat.PDF:
            return {"CreationDate": None}
        case ChartFormat.TABLE | ChartFormat.JSON:
            raise ValueError(f"{format} is no format of a figure")
        case unknown:
            assert_never(unknown)


def _size(chart: Chart) -> tuple[float, float]:
    """Return the width and the height in inches."""
    if isinstance(chart.content, Matrix):
        side = min(14.0, max(4.8, 1.8 + 0.42 * len(chart.content.decisions)))
        return side + 1.2, side + 0.6
    return (5.4, 5.4) if chart.kind in _SQUARE else (6.4, 4.4)


def _draw_curves(axes: Axes, content: Curves) -> None:
    for number, curve in enumerate(content.curves):
        style: Any = {
            "color": COLOURS[number % len(COLOURS)],
            "linestyle": _DASHES[number % len(_DASHES)],
            "linewidth": 1.8,
        }
        if curve.reference:
            style = _REFERENCE_STYLE
        axes.plot(curve.x, curve.y, label=_name(curve.name, _LONGEST_LEGEND), **style)
    margin = 0.02 * (content.y.high - content.y.low)
    _finish(axes, content, (content.y.low - margin, content.y.high + margin))


def _draw_bars(axes: Axes, content: Bars) -> None:
    floor = np.zeros(len(content.counts))
    for number, (name, heights) in enumerate(content.series.items()):
        known = np.nan_to_num(heights)
        axes.bar(
            content.edges[:-1],
            known,
            np.diff(content.edges),
            bottom=floor,
            align="edge",
            color=COLOURS[number % len(COLOURS)],
            edgecolor="white",
            linewidth=0.6,
            hatch="//" if number else None,
            label=_name(name, _LONGEST_LEGEND),
        )
        floor = floor + known
    if content.marks is not None:
        name, marks = content.marks
        axes.plot([0, 1], [0, 1], label="perfect calibration", **_REFERENCE_STYLE)
        axes.hlines(marks, content.edges[:-1], content.edges[1:], color="black", linewidth=1.6, label=name)
        for low, high, count, height in zip(
            content.edges[:-1], content.edges[1:], content.counts.tolist(), floor, strict=True
        ):
            if count:
                place = ((low + high) / 2, height)
                axes.annotate(tally(count), place, (0, 2), textcoords="offset points", ha="center", fontsize=6)
    _finish(axes, content, (0, content.y.high * (1.05 if content.marks is None else 1.08)))


def _finish(axes: Axes, content: Curves | Bars, heights: tuple[float, float]) -> None:
    """Add the labels, the grid and the legend."""
    axes.set(
        xlim=(content.x.low, content.x.high),
        ylim=heights,
        xlabel=visible(content.x.label),
        ylabel=visible(content.y.label),
    )
    axes.set_axisbelow(True)
    axes.grid(axis="both" if isinstance(content, Curves) else "y", color="#dddddd", linewidth=0.5)
    axes.legend(loc="best", fontsize=8)


def _draw_matrix(figure: Figure, axes: Axes, content: Matrix) -> None:
    counts = content.counts
    shares = content.shares()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, shrink=0.8, label="share of the true class")
    axes.set(xlabel="predicted class", ylabel="true class")
    if len(content.decisions) <= _MOST_NAMES:
        names, decisions = (
            [_name(name, _LONGEST_NAME) for name in kind] for kind in (content.classes, content.decisions)
        )
        axes.set_xticks(range(len(decisions)), decisions, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(names)), names)
        for row, column in zip(*np.nonzero(counts), strict=True):
            colour = "white" if shares[row, column] > 0.55 else "black"
            text = tally(counts[row, column].item())
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="predicted class (index)", ylabel="true class (index)")
    for side in axes.spines.values():
        side.set_visible(False)


def _name(name: str, longest: int) -> str:
    """Return a name for the legend, from which matplotlib omits names that begin with an underscore."""
    shown = visible(name, longest)
    return f" {shown}" if shown.startswith("_") else shown


def _wrapped(caption: str, width: float) -> str:
    return "\n".join(textwrap.wrap(visible(caption, 1000), int(width)))
