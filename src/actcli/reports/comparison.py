"""A comparison of sigmoid and softmax: the rows, and a summary of why the functions differ."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from actcli.errors import visible
from actcli.formats.json import JsonSink
from actcli.reports.numbers import counted, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actcli.formats import WriteOptions
    from actcli.prediction.comparison import Comparison, ComparisonCounts
    from actcli.streaming.batch import Batch, Column, Encoder, Layout, Sink
    from actcli.streaming.output import Output

__all__ = ["ComparisonJsonSink", "ComparisonSink", "as_json", "sentences"]

_LONGEST_NAME = 30


class EncodedComparison(NamedTuple):
    """What the comparison needs of a batch."""

    rows: Any
    """What the sink of the rows accepts."""
    counts: ComparisonCounts | None


@dataclass(frozen=True, slots=True)
class ComparisonEncoder:
    """Encodes batches for `ComparisonSink`.

    Parameters
    ----------
    rows
        The encoder of the rows.
    """

    rows: Encoder

    def encode(self, batch: Batch) -> EncodedComparison:
        """Return the encoded rows of `batch`, and its counts."""
        return EncodedComparison(self.rows.encode(batch), batch.counted)


class ComparisonSink:
    """Adds up the comparison, and passes the rows to another sink.

    Parameters
    ----------
    rows
        The sink of the rows.
    comparison
        Receives the counts of each batch.
    output
        Where the summary is drawn after the rows; None for nowhere.
    """

    encoder: ComparisonEncoder

    def __init__(self, rows: Sink, comparison: Comparison, output: Output | None) -> None:
        self._rows = rows
        self._comparison = comparison
        self._output = output

    def open(self, layout: Layout) -> int:
        """Open the sink of the rows."""
        size = self._rows.open(layout)
        self.encoder = ComparisonEncoder(self._rows.encoder)
        return size

    def accept(self, encoded: EncodedComparison, start: int) -> None:
        """Pass the rows on, and add up the counts."""
        self._rows.accept(encoded.rows, start)
        if encoded.counts is not None:
            self._comparison.add(encoded.counts, start)

    def finish(self) -> None:
        """Finish the sink of the rows, and draw the summary."""
        self._rows.finish()
        if self._output is not None:
            from actcli.reports.screen import Screen

            screen = Screen(self._output)
            for sentence in sentences(self._comparison):
                screen.console.print(sentence)
            screen.write()


class ComparisonJsonSink(JsonSink):
    """Writes one JSON object with the rows and the summary.

    Parameters
    ----------
    output, columns, options
        As of `JsonSink`.
    comparison
        Over all rows, once these are written.
    """

    def __init__(
        self, output: Output, columns: Sequence[Column], options: WriteOptions, comparison: Comparison
    ) -> None:
        super().__init__(output, columns, options)
        self._comparison = comparison

    def begin(self) -> str:
        """Return the text before the rows."""
        return '{"rows":' + super().begin()

    def end(self) -> str:
        """Return the text after the rows."""
        return super().end().rstrip("\n") + f',"summary":{as_json(self._comparison)}}}\n'


def sentences(comparison: Comparison) -> list[str]:
    """Return the summary in sentences; none without rows."""
    if not comparison.rows:
        return []
    none, one, several = comparison.reached
    thresholds = "a threshold for each class"
    if isinstance(comparison.threshold, float):
        thresholds = f"threshold {comparison.threshold}"
    rows = counted(comparison.rows, "row")
    mean, least, most = map(number, (comparison.total / comparison.rows, comparison.least, comparison.most))
    found = [
        f"With sigmoid and {thresholds}, {none:,} of {rows} get no class, {one:,} get one, {several:,} get several.",
        f"With softmax, each row gets one class. In {comparison.agree:,} of {rows}, sigmoid gives this class alone.",
        f"The sigmoid values of a row sum to {mean} on average ({least} to {most}), its softmax values to 1.",
        _example(comparison),
    ]
    if len(comparison.classes) == 2:
        difference = f"{comparison.difference:.2g}"
        found.append(f"Two classes: softmax(x1, x2) = sigmoid(x1 - x2). The largest difference found is {difference}.")
    if comparison.suspicious:
        found.append("These numbers look like probabilities already, but a comparison needs logits.")
    return found


def _example(comparison: Comparison) -> str:
    """Return what happens to all classes of the first row when the logit of one class is raised."""
    raised = comparison.raised
    assert raised is not None
    before, after = raised.softmax
    others = np.arange(len(comparison.classes)) != raised.position
    fell = int(np.count_nonzero((after < before) & others))
    most = int(np.argmax(np.where(others, before - after, -1)))
    count = len(others) - 1
    raised_class, most_class = _quoted(comparison, raised.position), _quoted(comparison, most)
    start = (
        f"Example, row {raised.row}: the logit of {raised_class} rises by {raised.by:.4g}. "
        f"Sigmoid: {raised_class} goes {_change(raised.sigmoid, raised.position)}, no other class changes. "
        f"Softmax: {raised_class} goes {_change(raised.softmax, raised.position)},"
    )
    if not fell:
        return f"{start} no other class falls."
    if count == 1:
        return f"{start} {most_class} goes {_change(raised.softmax, most)}."
    falling = f"all {count} others fall" if fell == count else f"{fell} of the {count} others fall"
    return f"{start} {falling}, {most_class} the most: {_change(raised.softmax, most)}."


def _quoted(comparison: Comparison, position: int) -> str:
    return f'"{visible(comparison.classes[position], _LONGEST_NAME)}"'


def _change(values: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]], position: int) -> str:
    before, after = values
    return f"from {number(float(before[position]))} to {number(float(after[position]))}"


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
            "sigmoid": _before_and_after(comparison, raised.sigmoid),
            "softmax": _before_and_after(comparison, raised.softmax),
        }
        if len(comparison.classes) == 2:
            found["largest_difference"] = comparison.difference
    return json.dumps(found, ensure_ascii=False, allow_nan=False)


def _before_and_after(
    comparison: Comparison, values: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]
) -> dict[str, dict[str, float]]:
    return {
        when: dict(zip(comparison.classes, row.tolist(), strict=True))
        for when, row in zip(("before", "after"), values, strict=True)
    }
