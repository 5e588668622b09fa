"""The report of an inspection: facts about the input, its classes, and the next command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from actcli.errors import visible
from actcli.reports.numbers import counted, percent, significant, size
from actcli.reports.screen import Screen, empty_table
from actcli.streaming.input import STANDARD_INPUT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from actcli.streaming.output import Output

__all__ = ["draw"]

MOST_CLASSES = 20
"""The most classes, and the most carried columns, that are listed."""


def draw(found: Mapping[str, Any], output: Output) -> None:
    """Draw the facts that `actcli.prediction.advice.facts` returns."""
    screen = Screen(output)
    names = [STANDARD_INPUT if name == "-" else visible(name, 200) for name in found["files"]]
    title = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
    screen.console.print(Text(title, style="bold"))
    lines = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    lines.add_column(style="dim", no_wrap=True)
    lines.add_column(overflow="fold")
    for name, text in _lines(found, ", " if screen.ascii else " · "):
        lines.add_row(name, Text(text))
    screen.console.print(lines)
    if found["rows"] and found["classes"]:
        screen.console.print()
        screen.console.print(_classes(found))
        more = found["classes"] - MOST_CLASSES
        if more > 0:
            screen.console.print(f"{'...' if screen.ascii else '…'} {more:,} more classes", style="dim")
    for remark in found["remarks"]:
        screen.console.print(f"note: {remark}")
    if found["or"]:
        screen.console.print()
        screen.console.print("if any number of classes can be right at once:", style="dim")
        _print_command(screen, found["or"], style="")
        screen.console.print("if exactly one is right, next:", style="dim")
        _print_command(screen, found["next"], style="bold")
    elif found["next"]:
        screen.console.print()
        screen.console.print("next:", style="dim")
        _print_command(screen, found["next"], style="bold")
    screen.write()


def _print_command(screen: Screen, command: str, *, style: str) -> None:
    # The terminal wraps a long command by itself, so that it can be copied as one line.
    screen.console.print(Text(f"  {visible(command, 10_000)}", style=style), soft_wrap=True)


def _lines(found: Mapping[str, Any], between: str) -> list[tuple[str, str]]:
    lines = [
        ("format", between.join([found["format"], found["dtype"]])),
        ("size", size(found["rows"], found["classes"], " x ")),
    ]
    if found["rows_left_out"]:
        lines.append(("left out", counted(found["rows_left_out"], "row") + " that cannot be read"))
    if found["carried"]:
        lines.append(("carried along", ", ".join(visible(name, 30) for name in found["carried"][:MOST_CLASSES])))
    if not (found["rows"] and found["classes"]):
        return lines
    if found["min"] is not None:
        span = f"{significant(found['min'])} to {significant(found['max'])}"
        lines.append(("numbers", between.join([span, f"mean {significant(found['mean'])}"])))
    cells = ((found["nan"], "NaN"), (found["infinities"], "+inf"), (found["masked"], "-inf (masked)"))
    lines.append(("not finite", between.join(f"{count:,} {name}" for count, name in cells if count) or "none"))
    if found["classes"] > 1:
        lines.append(("ties", f"{counted(found['ties'], 'row')} with several largest numbers"))
    shares = [f"within [0, 1] in {percent(found['share_in_0_1'])} of the rows"]
    if found["classes"] > 1:
        shares.append(f"sum to 1 in {percent(found['share_summing_to_1'])}")
    lines.append(("probabilities?", between.join(shares)))
    lines.append(("looks like", found["suggests"] or "nothing that actcli can use: every row has a NaN or +inf"))
    return lines


def _classes(found: Mapping[str, Any]) -> Table:
    """Return the table of the classes."""
    table = empty_table()
    table.add_column("class", overflow="ellipsis", no_wrap=True, max_width=30)
    strange = any(found[name] for name in ("nan", "infinities", "masked"))
    several = found["classes"] > 1
    for header in ("min", "mean", "max", *(["not finite"] if strange else []), *(["largest in"] if several else [])):
        table.add_column(header, justify="right", no_wrap=True)
    for name, of_class in list(found["per_class"].items())[:MOST_CLASSES]:
        cells = [significant(of_class[field]) for field in ("min", "mean", "max")]
        if strange:
            cells.append(f"{sum(of_class[field] for field in ('nan', 'infinities', 'masked')):,}")
        if several:
            cells.append(f"{of_class['largest']:,}")
        table.add_row(Text(visible(name, 60)), *cells)
    return table
