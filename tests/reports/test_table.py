"""The table in a terminal: its contents at every width."""

from __future__ import annotations

import os
import pickle
import subprocess
from collections import Counter
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len

from actcli.prediction.comparison import empty_comparison
from actcli.prediction.rules import Rules
from actcli.reports.comparison import ComparisonSink
from actcli.reports.table import TableSink
from actcli.reports.table_rows import Totals
from actcli.streaming.batch import Batch, Column, Kind, Layout
from actcli.streaming.output import Output
from program import SAMPLES, Actcli, command, environment, process, terminal, without_escapes

DIGITS = (SAMPLES / "digits_logits.npy", "--class-names", SAMPLES / "digits_classes.txt")
HOSTILE = ["[red]x[/red]", "[/]", ":dog:", "\x1b[31mred", "\u202egnp", "dog 🐶", "tab\t", "x" * 300]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
@pytest.mark.parametrize("task", ["softmax", "multilabel"])
@pytest.mark.parametrize("source", [DIGITS, (SAMPLES / "properties_logits.csv",)], ids=["npy", "csv"])
def test_no_line_is_wider_than_the_terminal(width: int, task: str, source: tuple[str, ...]) -> None:
    """All rows are counted at every width."""
    code, shown = terminal(command(task, *source, "--rows", "5", "-q"), width=width)
    assert code == 0
    assert max(map(cell_len, shown.splitlines())) <= width
    assert "450 rows" in shown.replace("\n", " ")


def test_what_a_decision_shows() -> None:
    """A row has its number, label, confidence with a bar, and runners-up. A summary of all rows follows."""
    code, shown = terminal(command("softmax", *DIGITS, "--rows", "2"), width=80)
    lines = shown.splitlines()
    assert code == 0
    assert lines[0].split() == ["row", "label", "confidence", "runners-up"]
    assert lines[2].split()[:3] == ["0", "one", "0.8611"]
    assert "━" in lines[2]
    assert lines[2].split()[4:] == ["eight", "0.0386", "three", "0.0337", "nine", "0.0241"]
    assert lines[4] == "… 448 more rows (--rows all shows them)"
    assert lines[5] == "450 rows · mean confidence 0.7224"
    assert lines[6].startswith("one: 55 · seven: 48 · ")


def test_all_rows() -> None:
    """--rows all shows all rows."""
    _, shown = terminal(command("softmax", *DIGITS, "--rows", "all"))
    assert "449   " in shown
    assert "more rows" not in shown


def test_what_a_set_shows() -> None:
    """A set has its labels with their probabilities, and the best other class in parentheses."""
    _, shown = terminal(command("multilabel", SAMPLES / "properties_logits.csv", "--rows", "2", "-q"), width=100)
    lines = shown.splitlines()
    assert lines[2].split() == ["digit-0021", "square", "█", "0.9596", "(prime", "0.0637)"]
    assert "2.21 labels a row · 1 without any" in shown


def test_a_withheld_label_shows_why() -> None:
    """A withheld label is followed by the best class, and has a reason."""
    _, shown = terminal(command("softmax", *DIGITS, "--abstain-below", "0.6", "--rows", "2"), width=120)
    assert shown.splitlines()[0].split() == ["row", "label", "confidence", "reason", "runners-up"]
    assert "below_confidence" in shown.splitlines()[3]
    assert shown.splitlines()[3].split()[:5] == ["1", "abstain", "(four)", "0.5820", "━━━━━━━━━━━━━━"]
    assert shown.splitlines()[3].split()[6:8] == ["one", "0.2242"]


@pytest.mark.parametrize("task", ["softmax", "multilabel"])
@pytest.mark.parametrize("columns", [(), ("--columns", "id,label,probabilities"), ("-k", "2")])
def test_hostile_names_are_shown_literally(task: str, columns: tuple[str, ...]) -> None:
    """Hostile names are literal or escaped, never markup, emoji codes or terminal escapes."""
    if task == "multilabel":
        columns = tuple(column.replace("label", "labels") for column in columns)
    header = "id," + ",".join(f'"{name}"' for name in HOSTILE)
    lines = [f'"{name}",{",".join("9" if other == name else "0" for other in HOSTILE)}' for name in HOSTILE]
    stdin = "\n".join([header, *lines]) + "\n"
    done = subprocess.run(
        command(task, "-f", "table", *columns, "-q"),
        input=stdin.encode(),
        capture_output=True,
        check=True,
        env=environment(),
    )
    shown = done.stdout.decode()
    for name in ("[red]x[/red]", "[/]", ":dog:", "\\x1b[31mred", "\\u202egnp", "dog 🐶", "tab\\t"):
        assert name in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_colour_only_where_it_is_wanted() -> None:
    """A terminal shows colours unless NO_COLOR is set."""
    run = command("softmax", *DIGITS, "--rows", "2")
    _, coloured = terminal(run, TERM="xterm-256color")
    _, plain = terminal(run, TERM="xterm-256color", NO_COLOR="1")
    assert "\x1b[36m" in coloured
    assert "\x1b[36m" not in plain
    assert without_escapes(coloured).split() == without_escapes(plain).split()


def test_a_terminal_that_only_knows_ascii() -> None:
    """The table is ASCII in a terminal that shows only ASCII."""
    for task in ("softmax", "multilabel"):
        code, shown = terminal(command(task, *DIGITS, "--rows", "2"), PYTHONIOENCODING="ascii")
        assert code == 0
        assert shown.isascii()
        assert "450 rows" in shown


def test_just_the_columns_that_were_asked_for() -> None:
    """Chosen columns keep their order. Columns that do not fit are counted."""
    _, shown = terminal(
        command("softmax", *DIGITS, "--columns", "row,label,index,probabilities", "--rows", "1"), width=60
    )
    lines = shown.splitlines()
    assert lines[0].split()[:4] == ["row", "label", "index", "p_zero"]
    assert lines[2].split()[:3] == ["0", "one", "1"]
    assert "more columns" in shown
    wide = process("softmax", *DIGITS, "--columns", "row,label,index,probabilities", "--rows", "1", "-f", "table")
    assert "p_nine" in wide.text


def test_precision_is_significant_digits(actcli: Actcli) -> None:
    """--precision sets the significant digits in the table."""
    result = actcli("softmax", SAMPLES / "article_softmax.csv", "-f", "table", "--precision", "5")
    assert "1.9287e-22" in result.text
    assert "2.0612e-09" in result.text


def test_no_rows(actcli: Actcli) -> None:
    """A table without rows says so."""
    assert actcli("softmax", "-f", "table", "-q", stdin=b"cat,dog\n").text == "0 rows\n"


@pytest.mark.parametrize("task", ["softmax", "multilabel"])
def test_carried_columns_that_are_called_as_output_columns(task: str, actcli: Actcli) -> None:
    """A carried column with the name of an output column is shown too."""
    stdin = b"label,labels,reason,probability,cat,dog\nw,x,y,z,1,2\n"
    ids = [option for name in ("label", "labels", "reason", "probability") for option in ("--id", name)]
    result = actcli(task, *ids, "-f", "table", "-q", stdin=stdin)
    assert result.code == 0
    for cell in "wxyz":
        assert f"{cell} " in result.text


@pytest.mark.parametrize("name", ["table", "comparison"])
def test_encoders_are_plain_data(name: str) -> None:
    """A pickled encoder gives the same result, which can be pickled too."""
    columns = (
        Column("row", Kind.ROW, ("row",)),
        Column("label", Kind.CODE, ("label",), ("cat", "dog")),
        Column("probability", Kind.NUMBER, ("probability",)),
        Column("probabilities", Kind.MATRIX, ("p_cat", "p_dog"), ("cat", "dog")),
    )
    layout = Layout(("cat", "dog"), (), np.dtype(np.float64))
    scores = np.array([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
    values = {
        "label": np.array([0, 1, 0]),
        "probability": np.array([0.75, 0.5, 1.0]),
        "probabilities": np.array([[0.75, 0.25], [0.5, 0.5], [1.0, 0.0]]),
    }
    with Output(os.devnull) as output:
        sink: Any = TableSink(output, columns, chosen=False, rows=2, precision=None)
        if name == "comparison":
            sink = ComparisonSink(sink, empty_comparison(layout, Rules()), None)
        sink.open(layout)
        found = pickle.dumps(sink.encoder.encode(Batch(scores, {}, str, values=values)))
        again = pickle.loads(pickle.dumps(sink.encoder))
        assert pickle.dumps(again.encode(Batch(scores, {}, str, values=values))) == found
    rows = pickle.loads(found)
    rows = rows.rows if name == "comparison" else rows
    assert [row[1] for row in rows.head] == ["cat", "dog"]
    assert rows.totals == Totals(3, Counter({"cat": 2, "dog": 1}), 2.25, 0)


def test_totals_add_up() -> None:
    """Totals are the same in any grouping."""
    parts = [Totals(2, Counter(a=2), 1.5, 0), Totals(1, Counter(b=1), 0.25, 1), Totals(3, Counter(a=1), 0.5, 2)]
    expected = Totals(6, Counter(a=3, b=1), 2.25, 3)
    assert parts[0].merge(parts[1]).merge(parts[2]) == expected
    assert parts[0].merge(parts[1].merge(parts[2])) == expected
