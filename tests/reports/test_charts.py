"""Charts as data and in a terminal: ticks, the height and the colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rich.cells import cell_len

from actcli.reports.charts import Axis
from actcli.reports.widths import fitted, joined, shortened
from program import SAMPLES, command, terminal, without_escapes

if TYPE_CHECKING:
    from collections.abc import Sequence

DIGITS = (SAMPLES / "digits_logits.csv", "--truth", SAMPLES / "digits_truth.csv")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-8, 8, [-8, -6, -4, -2, 0, 2, 4, 6, 8]),
        (0, 45, [0, 10, 20, 30, 40]),
    ],
)
def test_ticks(low: float, high: float, expected: Sequence[float]) -> None:
    """Ticks are round numbers."""
    np.testing.assert_allclose(Axis("x", low, high).ticks(), expected, atol=1e-12)


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("chart", [("sigmoid",), ("softmax",), ("thresholds", *DIGITS), ("roc", *DIGITS)])
def test_curves_fit_the_height(chart: tuple[Any, ...], width: int) -> None:
    """Curves and the prompt of the shell fit the terminal. A short terminal shows curves in at least eight lines."""
    code, shown = terminal(command("plot", *chart, "-q"), width=width, LINES="24")
    lines = shown.splitlines()
    assert code == 0
    assert len(lines) < 24
    assert max(map(cell_len, lines)) <= width
    _, lower = terminal(command("plot", *chart, "-q"), width=width, LINES="10")
    assert 8 <= sum("│" in line or "┤" in line for line in lower.splitlines()) < 10


def test_curves_are_as_bright_as_their_legend() -> None:
    """The axes are dim, the curves are not."""
    _, shown = terminal(command("plot", "sigmoid"), TERM="xterm-256color")
    assert "\x1b[2m" in shown
    assert "\x1b[2;38;5" not in shown
    assert "\x1b[38;5;32m⣀" in shown
    assert "\x1b[38;5;32m──" in shown


def test_a_terminal_that_only_knows_ascii() -> None:
    """A name that is cut ends with a tilde."""
    code, shown = terminal(command("plot", "confusion", *DIGITS, "-q"), width=60, PYTHONIOENCODING="ascii")
    assert code == 0
    assert "thr~" in without_escapes(shown)


def test_texts_fit_a_width() -> None:
    """Texts fit, also if characters take two columns."""
    assert fitted("abcdef", 4) == "abc…"
    assert fitted("ab", 4) == "ab  "
    assert shortened("abcdefghij", 7) == "abc…hij"
    assert cell_len(shortened("犬犬犬犬犬犬", 7)) <= 7
    assert joined(["a", "b", "cc"], ", ", 4) == ["a, b", "cc"]
