"""Charts in a terminal, in colour or without, in Unicode or in ASCII."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from rich.text import Text

from actcli.errors import visible
from actcli.metrics.confusion import most_frequent_confusions
from actcli.reports.charts import Bars, Curves, Matrix
from actcli.reports.screen import Screen
from actcli.reports.terminal_bars import bars
from actcli.reports.terminal_curves import draw_curves
from actcli.reports.terminal_matrix import confusions_table, matrix_lines

if TYPE_CHECKING:
    from actcli.reports.charts import Chart
    from actcli.streaming.output import Output

__all__ = ["draw"]

_MOST_CONFUSIONS = 20
_LONGEST_NAME = 30


def draw(chart: Chart, output: Output) -> None:
    """Draw a chart that fits the width of the output and, where it has curves, the height of the terminal."""
    screen = Screen(output)
    caption = Text(visible(chart.caption, 1000), style="dim")
    screen.console.print(Text(chart.title, style="bold"))
    screen.console.print()
    match chart.content:
        case Curves():
            # The title, the caption, two empty lines, and the prompt of the shell.
            draw_curves(screen, chart.content, reserved=4 + len(caption.wrap(screen.console, screen.console.width)))
        case Bars():
            for part in bars(screen, chart.content, screen.console.width):
                screen.console.print(part)
        case Matrix():
            _draw_matrix(screen, chart.content)
        case unknown:
            assert_never(unknown)
    screen.console.print()
    screen.console.print(caption)
    screen.write()


def _draw_matrix(screen: Screen, content: Matrix) -> None:
    classes, decisions = (
        [visible(name, _LONGEST_NAME) for name in names] for names in (content.classes, content.decisions)
    )
    shown = Matrix(classes, decisions, content.counts)
    lines = matrix_lines(screen, shown, screen.console.width)
    for line in lines:
        screen.console.print(line)
    if not lines:
        note = "the most frequent confusions; a wider terminal or -o FILE.svg shows all"
        screen.console.print(Text(note, style="dim"))
        screen.console.print(confusions_table(most_frequent_confusions(shown.counts, _MOST_CONFUSIONS), shown))
