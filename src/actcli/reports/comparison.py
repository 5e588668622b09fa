"""A comparison of sigmoid and softmax as a person reads it: the lines, then the reason in numbers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from actcli.errors import visible
from actcli.formats.json import JsonSink
from actcli.streaming.batch import encoder_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actcli.formats import WriteOptions
    from actcli.prediction.comparison import Comparison
    from actcli.streaming.batch import Batch, Column, Layout, Sink
    from actcli.streaming.output import Output

__all__ = ["ComparisonJsonSink", "ComparisonSink", "as_json", "sentences"]


class ComparisonSink:
    """Adds up the comparison beside another sink, which has the lines.

    Parameters
    ----------
    lines
        The other sink.
    comparison
        What is added up.
    output
        Where the summary is drawn, after the lines; None for nowhere.
    """

    def __init__(self, lines: Sink, comparison: Comparison, output: Output | None) -> None:
        self._lines = lines
        self._comparison = comparison
        self._output = output

    def open(self, layout: Layout) -> int:
        """Begin."""
        return self._lines.open(layout)

    def encode(self, batch: Batch) -> Any:
        """Return what the other sink makes of a batch, and its counts."""
        return encoder_of(self._lines).encode(batch), batch.counted

    def accept(self, piece: Any, start: int) -> None:
        """Give the other sink its piece, and add up."""
        lines, counts = piece
        self._lines.accept(lines, start)
        self._comparison.add(counts, start)

    def finish(self) -> None:
        """End; on a screen, with the summary."""
        self._lines.finish()
        if self._output is not None:
            from actcli.reports.screen import Screen

            screen = Screen(self._output)
            for sentence in sentences(self._comparison, ascii=screen.ascii):
                screen.console.print(sentence)
            screen.write()


class ComparisonJsonSink(JsonSink):
    """One object: the lines, and the summary.

    Parameters
    ----------
    output, columns, options
        As of `JsonSink`.
    comparison
        Over all rows, at the end.
    """

    def __init__(
        self, output: Output, columns: Sequence[Column], options: WriteOptions, comparison: Comparison
    ) -> None:
        super().__init__(output, columns, options)
        self._comparison = comparison

    def begin(self) -> str:
        """Return what stands before the lines."""
        return '{"rows":' + super().begin()

    def end(self) -> str:
        """Return what stands after them."""
        return super().end().rstrip("\n") + f',"summary":{as_json(self._comparison)}}}\n'


def sentences(comparison: Comparison, *, ascii: bool = False) -> list[str]:
    """Return what the comparison says; in `ascii`, without arrows."""
    if not comparison.rows:
        return []
    none, one, several = comparison.reached
    limit = comparison.threshold if isinstance(comparison.threshold, float) else "its threshold"
    mean = comparison.total / comparison.rows
    least, most = _number(comparison.least), _number(comparison.most)
    rows = f"{comparison.rows:,} row{'' if comparison.rows == 1 else 's'}"
    found = [
        f"No sigmoid reaches {limit} in {none:,} of {rows}, one does in {one:,}, several do in {several:,}.",
        f"Softmax chooses one class in each, in {comparison.agree:,} just the class of the one sigmoid.",
        f"The sigmoids of a row sum to {_number(mean)} on average, {least} to {most}; its softmax values to 1.",
        _reason(comparison, "->" if ascii else "→"),
    ]
    if len(comparison.classes) == 2:
        difference = f"{comparison.difference:.2g}"
        found.append(f"Two classes: softmax(x1, x2) = sigmoid(x1 - x2); the largest difference found is {difference}.")
    if comparison.suspicious:
        found.append("These numbers look like probabilities already, and comparing needs logits.")
    return found


def _reason(comparison: Comparison, arrow: str) -> str:
    """Return what raising one logit of the first row does to the others."""
    raised = comparison.raised
    assert raised is not None
    others = np.arange(len(comparison.classes)) != raised.position
    moved = int(np.count_nonzero((raised.sigmoid[0] != raised.sigmoid[1]) & others))
    fell = int(np.count_nonzero((raised.softmax[1] < raised.softmax[0]) & others))
    most = int(np.argmax(np.where(others, raised.softmax[0] - raised.softmax[1], -1)))

    def change(values: tuple[Any, Any], position: int) -> str:
        return f"{_number(values[0][position])} {arrow} {_number(values[1][position])}"

    count = len(others) - 1
    falling = f"{'all' if fell == count else f'{fell} of the'} {count} others fall, most"
    if count == 1:
        falling = "the other falls"
    return (
        f"Why: raise the logit of {visible(comparison.classes[raised.position], 30)} in row {raised.row} by "
        f"{raised.by:.4g}. Its sigmoid goes {change(raised.sigmoid, raised.position)}, and {moved or 'no'} other "
        f"sigmoid moves. Its softmax goes {change(raised.softmax, raised.position)}, and {falling}: "
        f"{visible(comparison.classes[most], 30)} {change(raised.softmax, most)}."
    )


def _number(value: float) -> str:
    """Return a number short enough to read: four decimals, or two digits where these would hide it."""
    value = float(value)
    return f"{value:.2g}" if value and abs(value) < 0.0001 else f"{value:.4f}"


def as_json(comparison: Comparison) -> str:
    """Return the comparison as the text of a JSON object."""
    none, one, several = comparison.reached
    found: dict[str, Any] = {
        "rows": comparison.rows,
        "threshold": comparison.threshold,
        "no_sigmoid": none,
        "one_sigmoid": one,
        "several_sigmoids": several,
        "same_decision": comparison.agree,
        "like_probabilities": bool(comparison.rows) and comparison.suspicious,
    }
    if comparison.rows:
        found["sigmoid_sum"] = {
            "min": comparison.least,
            "mean": comparison.total / comparison.rows,
            "max": comparison.most,
        }
        raised = comparison.raised
        assert raised is not None
        found["raised"] = {
            "row": raised.row,
            "class": comparison.classes[raised.position],
            "by": raised.by,
            **{
                name: {
                    when: dict(zip(comparison.classes, values.tolist(), strict=True))
                    for when, values in zip(("before", "after"), pair, strict=True)
                }
                for name, pair in (("sigmoid", raised.sigmoid), ("softmax", raised.softmax))
            },
        }
        if len(comparison.classes) == 2:
            found["largest_difference"] = comparison.difference
    return json.dumps(found, ensure_ascii=False, allow_nan=False)
