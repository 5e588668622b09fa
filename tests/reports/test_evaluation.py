"""The report of an evaluation: its contents at any width, in any colours, for few and for many classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from actcli import evaluate
from actcli.reports.evaluation import draw
from actcli.streaming.output import Output
from program import SAMPLES, command, terminal, without_escapes

if TYPE_CHECKING:
    from pathlib import Path

    from actcli.evaluation.result import Evaluation


@pytest.fixture(autouse=True)
def no_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove COLUMNS, so that only the terminal sets the width."""
    monkeypatch.delenv("COLUMNS", raising=False)


def drawn(result: Evaluation, folder: Path, rows: int | None = 20) -> str:
    """Return the report as it is written to a file."""
    path = folder / "report.txt"
    with Output(str(path)) as output:
        draw(result, output, rows=rows)
        output.commit()
    return path.read_text()


def random(classes: int, rows: int = 300, names: list[str] | None = None, **options: Any) -> Evaluation:
    """Return the evaluation of random logits, raised by 2 for the true class."""
    rng = np.random.default_rng(classes)
    truth = rng.integers(0, classes, rows)
    logits = rng.normal(size=(rows, classes))
    logits[np.arange(rows), truth] += 2
    return evaluate(logits, truth, classes=names, **options)


def shown(width: int = 80, variables: dict[str, Any] | None = None) -> str:
    """Return the report of a sample in a terminal."""
    arguments = command("evaluate", SAMPLES / "digits_logits.csv", "--truth", SAMPLES / "digits_truth.csv", "-q")
    code, text = terminal(arguments, width=width, **variables or {})
    assert code == 0
    return text


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_it_fits(width: int) -> None:
    """No line is wider than the terminal, and the most important numbers are shown."""
    text = without_escapes(shown(width))
    assert max(map(len, text.splitlines())) <= width
    assert "softmax" in text
    assert "accuracy" in text
    assert "0.9511" in text


def test_what_it_shows(tmp_path: Path) -> None:
    """The report has metrics, classes by support, the confusion matrix and the calibration."""
    result = evaluate(
        [[2.0, 0.0], [3.0, 0.0], [1.0, 0.0], [0.0, 2.0], [1.0, 0.0]], [0, 0, 0, 1, 1], classes=["cat", "dog"]
    )
    lines = drawn(result, tmp_path).splitlines()
    assert lines[0] == "softmax · 5 rows · 2 classes"
    assert any(line.startswith("accuracy") and "0.8000" in line for line in lines)
    table = [line.split() for line in lines if line.startswith(("cat ", "dog "))]
    assert table[0][:3] == ["cat", "3", "0.8571"]
    assert table[1][:3] == ["dog", "2", "0.6667"]
    assert [cell.strip("·░▒▓█") for cell in table[2]] == ["cat", "3", ""]
    assert [cell.strip("·░▒▓█") for cell in table[3]] == ["dog", "1", "1"]
    assert sum("━" in line or "┃" in line for line in lines) == len([b for b in result.calibration_bins if b.count]) + 1


def test_the_colours_of_the_grid() -> None:
    """Cells are shaded with colours, and marked without colours, in Unicode or in ASCII."""
    coloured = shown(variables={"TERM": "xterm-256color", "COLORTERM": "truecolor"})
    assert "\x1b[" in coloured
    assert "48;2;169;205;234" in coloured
    plain = shown(variables={"TERM": "xterm-256color", "NO_COLOR": "1"})
    assert "48;2" not in plain
    assert "45█" in without_escapes(plain)
    ascii_only = shown(variables={"PYTHONIOENCODING": "ascii"})
    assert ascii_only.isascii()
    assert "45#" in ascii_only


@pytest.mark.parametrize("classes", [2, 10, 13, 100, 1000])
def test_few_classes_and_many(classes: int, tmp_path: Path) -> None:
    """The report has the matrix if it fits, else the most frequent confusions. It lists 20 classes by default."""
    result = random(classes, rows=max(300, 2 * classes), ranking=False)
    text = drawn(result, tmp_path)
    assert ("shaded by the share" in text) is (classes <= 20)
    assert ("the most frequent confusions" in text) is (classes > 20)
    assert ("more classes (--rows all shows them)" in text) is (classes > 20)
    assert max(map(len, text.splitlines())) <= 120
    assert "more classes" not in drawn(result, tmp_path, rows=None)


def test_nothing_confused(tmp_path: Path) -> None:
    """Without a confusion, the report says so."""
    result = evaluate(np.eye(30) * 5, np.arange(30), ranking=False)
    assert "no class is confused with another" in drawn(result, tmp_path)


def test_what_is_undefined(tmp_path: Path) -> None:
    """An undefined number is shown as a dash, and counted."""
    result = evaluate([[2.0, 0.0], [3.0, 0.0]], [0, 0], classes=["cat", "dog"])
    text = drawn(result, tmp_path)
    metrics = sum(value is None for value in result.metrics.values())
    assert f"{metrics} metrics and " in text
    assert 'are undefined and shown as "-"' in text
    assert next(line.split()[:3] for line in text.splitlines() if line.startswith("dog ")) == ["dog", "0", "-"]


def test_intervals(tmp_path: Path) -> None:
    """Each metric has its interval, and each class the interval of its F1."""
    result = random(4, bootstrap=50)
    text = drawn(result, tmp_path)
    assert "95 % intervals of 50 bootstrap replicates, seed 0" in text
    assert result.intervals is not None
    low, high = result.intervals.metrics["accuracy"] or (0, 0)
    assert f"{low:.4f}–{high:.4f}" in text
    assert "f1 95 %" in text


def test_names_are_literal(tmp_path: Path) -> None:
    """Names are no markup, no escape sequences and no emoji codes. Long names are cut."""
    names = ["[red]", "\x1b[31mx", ":dog:", "y" * 200]
    text = drawn(random(4, names=names), tmp_path)
    assert "[red]" in text
    assert "\\x1b[31mx" in text
    assert ":dog:" in text
    assert "\x1b" not in text
    assert "y" * 60 not in text


def test_label_sets(tmp_path: Path) -> None:
    """A multilabel report has counts instead of a matrix."""
    rng = np.random.default_rng(0)
    result = evaluate(rng.normal(size=(50, 3)), rng.random((50, 3)) < 0.5, task="multilabel")
    text = drawn(result, tmp_path)
    assert "subset_accuracy" in text
    for name in ("TP", "FP", "FN", "TN", "cells"):
        assert name in text
    assert "shaded" not in text
