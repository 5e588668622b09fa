"""A picture as a figure, by matplotlib: PNG, SVG and PDF, the same bytes each time."""

from __future__ import annotations

import io
import textwrap
import warnings
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from actcli.errors import visible
from actcli.reports.charts import Bars, Curves, Matrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from actcli.reports.charts import Chart

__all__ = ["figure_bytes"]

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
"""Okabe and Ito, "Color universal design", 2008: colour-blind readers can tell them apart."""

GUIDE = "#888888"
_DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)))
"""Curves can be told apart on a print without colours, too."""

_STYLE: Any = {
    "font.family": "DejaVu Sans",  # which comes with matplotlib, so that every machine draws the same
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
_NO_DATES = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
_MOST_NAMES = 40
_LONGEST_NAME = 24


def figure_bytes(picture: Chart, format: str) -> bytes:
    """Return a picture as a file of this format: "png", "svg" or "pdf"."""
    with mpl.rc_context(), warnings.catch_warnings():
        # A character that the font does not have is drawn as a box, and kept in SVG.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        mpl.rcdefaults()  # whatever a matplotlibrc says
        mpl.rcParams.update(_STYLE)
        figure = Figure(figsize=_size(picture), layout="constrained")
        axes = figure.add_subplot()
        match picture.content:
            case Curves():
                _draw_curves(axes, picture.content)
            case Bars():
                _draw_bars(axes, picture.content)
            case Matrix():
                _draw_matrix(figure, axes, picture.content)
        axes.set_title(picture.title)
        caption = _wrapped(picture.caption, 15 * figure.get_figwidth())
        figure.supxlabel(caption, x=0.01, ha="left", fontsize=8, color="#555555")
        file = io.BytesIO()
        figure.savefig(file, format=format, dpi=150, metadata=_NO_DATES[format])
        return file.getvalue()


def _size(picture: Chart) -> tuple[float, float]:
    """Return width and height in inches."""
    if isinstance(picture.content, Matrix):
        side = min(14.0, max(4.8, 1.8 + 0.42 * len(picture.content.classes)))
        return side + 1.2, side + 0.6
    return (5.4, 5.4) if picture.kind in ("roc", "precision-recall") else (6.4, 4.4)


def _draw_curves(axes: Axes, content: Curves) -> None:
    for number, curve in enumerate(content.curves):
        colour = GUIDE if curve.guide else COLOURS[number % len(COLOURS)]
        style: Any = ":" if curve.guide else _DASHES[number % len(_DASHES)]
        axes.plot(
            curve.x,
            curve.y,
            color=colour,
            linestyle=style,
            linewidth=1 if curve.guide else 1.8,
            label=_name(curve.name, 40),
        )
    margin = 0.02 * (content.y.high - content.y.low)
    axes.set(
        xlim=(content.x.low, content.x.high),
        ylim=(content.y.low - margin, content.y.high + margin),
        xlabel=visible(content.x.label),
        ylabel=visible(content.y.label),
    )
    axes.grid(color="#dddddd", linewidth=0.5)
    axes.legend(loc="best", fontsize=8)


def _draw_bars(axes: Axes, content: Bars) -> None:
    widths = np.diff(content.edges)
    floor = np.zeros(len(widths))
    for number, (name, heights) in enumerate(content.parts.items()):
        known = np.nan_to_num(heights)
        colour = COLOURS[number % len(COLOURS)]
        hatch = "//" if number else None
        axes.bar(
            content.edges[:-1],
            known,
            widths,
            bottom=floor,
            align="edge",
            color=colour,
            edgecolor="white",
            linewidth=0.6,
            hatch=hatch,
            label=_name(name, 40),
        )
        floor = floor + known
    if content.marks is not None:
        name, marks = content.marks
        axes.plot([0, 1], [0, 1], color=GUIDE, linestyle=":", linewidth=1, label="as sure as right")
        axes.hlines(marks, content.edges[:-1], content.edges[1:], color="black", linewidth=1.6, label=name)
        for low, high, count, height in zip(content.edges[:-1], content.edges[1:], content.counts, floor, strict=True):
            if count:
                place = ((low + high) / 2, height)
                axes.annotate(f"{count:,}", place, (0, 2), textcoords="offset points", ha="center", fontsize=6)
    top = content.y.high * (1.05 if content.marks is None else 1.08)
    axes.set(xlim=(0, 1), ylim=(0, top), xlabel=visible(content.x.label), ylabel=visible(content.y.label))
    axes.set_axisbelow(True)
    axes.grid(axis="y", color="#dddddd", linewidth=0.5)
    axes.legend(loc="best", fontsize=8)


def _draw_matrix(figure: Figure, axes: Axes, content: Matrix) -> None:
    counts = content.counts
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, shrink=0.8, label="share of the rows of the true class")
    axes.set(xlabel="predicted class", ylabel="true class")
    count = len(content.classes)
    if count <= _MOST_NAMES:
        names = [_name(name, _LONGEST_NAME) for name in content.classes]
        axes.set_xticks(range(count), names, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(count), names)
        for row, column in zip(*np.nonzero(counts), strict=True):
            colour = "white" if shares[row, column] > 0.55 else "black"
            axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", color=colour, fontsize=7)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="predicted class (index)", ylabel="true class (index)")
    for side in axes.spines.values():
        side.set_visible(False)


def _name(name: str, longest: int) -> str:
    """Return a name that is shown; matplotlib leaves out of its legend what begins with a line below."""
    shown = visible(name, longest)
    return f" {shown}" if shown.startswith("_") else shown


def _wrapped(caption: str, width: float) -> str:
    return "\n".join(textwrap.wrap(visible(caption, 1000), int(width)))
