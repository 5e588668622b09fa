"""Evaluations of parts of a table, made in other processes and merged, equal the evaluation of the table."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from actcli.errors import DataError
from actcli.evaluation.evaluator import Evaluator, properties
from actcli.evaluation.recorded_predictions import RecordedPredictions
from actcli.evaluation.truth import FileTruth, NoTruth, RowTruth, Truth, TruthSpec
from actcli.evaluation.worst_predictions import WorstPredictions
from actcli.metrics.settings import MetricSettings
from actcli.prediction.plan import plan
from actcli.prediction.rules import Rules
from actcli.streaming.batch import Batch, Carried, Kind, Layout
from actcli.tasks import Task
from copies import pickled

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 300
CLASSES = ("cat", "dog", "bird")


@dataclass(frozen=True)
class Places:
    """Says where a row is, and can be pickled."""

    start: int

    def __call__(self, row: int) -> str:
        """Return the place of a row."""
        return f"row {self.start + row}"


class Table:
    """A table of random scores with an id, a truth and a recorded label in each row."""

    def __init__(self, task: Task, folder: Path) -> None:
        rng = np.random.default_rng(8)
        self.classes = CLASSES[:2] if task is Task.BINARY else CLASSES
        self.scores = rng.normal(size=(ROWS, len(self.classes))) * 3
        carried = tuple(Carried(name, Kind.TEXT) for name in ("id", "label", "truth"))
        self.layout = Layout(self.classes, carried, self.scores.dtype, ROWS)
        self.ids = [f"row-{number}" for number in range(ROWS)]
        self.recorded, self.truth = (self._labels(rng, task) for _ in range(2))
        order = rng.permutation(ROWS)
        (folder / "truth.csv").write_text(
            "id,label\n" + "".join(f"{self.ids[row]},{self.truth[row]}\n" for row in order), encoding="utf-8"
        )
        self.file = str(folder / "truth.csv")
        self.settings = MetricSettings(task, len(self.classes), bootstrap=10, top_k=task is Task.SOFTMAX)
        rules = Rules(dtype="float64", top_k=2 if task is Task.SOFTMAX else None)
        self.plan = plan(task, self.layout, rules, properties=properties(self.settings))
        self.spec = TruthSpec(task, self.plan.layout.classes)

    def _labels(self, rng: np.random.Generator, task: Task) -> list[str]:
        if task is Task.MULTILABEL:
            return ["|".join(np.array(self.classes)[chosen]) for chosen in rng.random((ROWS, len(self.classes))) < 0.4]
        return [self.classes[code] for code in rng.integers(0, len(self.classes), ROWS)]

    def batch(self, start: int, end: int) -> Batch:
        """Return some rows, decided."""
        columns = {"id": self.ids, "label": self.recorded, "truth": self.truth}
        carried = {name: pa.array(values[start:end], pa.string()) for name, values in columns.items()}
        return self.plan.decide(Batch(self.scores[start:end], carried, Places(start)))

    def evaluator(self, truth: Truth, *, recorded: bool = False) -> Evaluator:
        """Return an evaluator without rows."""
        found = RecordedPredictions(self.spec, "label", Kind.TEXT, "abstain") if recorded else None
        worst = WorstPredictions(self.settings.task, self.plan.layout, {"truth"})
        evaluator = Evaluator(self.settings, truth, found, None, worst)
        evaluator.open(self.layout)
        return evaluator


def evaluated(table: Table, evaluator: Evaluator, start: int, end: int) -> Evaluator:
    """Return a copy of an evaluator with some of the rows, which goes through pickles wherever a process could."""
    copy = pickled(evaluator)
    encoder = pickled(copy.encoder)
    for first in range(start, end, 70):
        batch = pickled(table.batch(first, min(first + 70, end)))
        copy.accept(pickled(encoder.encode(batch)), first)
    return pickled(copy)


def documents_are_close(found: Any, expected: Any) -> bool:
    """Return whether two JSON documents are the same, numbers up to 1e-12."""
    if isinstance(expected, dict):
        return list(found) == list(expected) and all(documents_are_close(found[key], expected[key]) for key in expected)
    if isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(map(documents_are_close, found, expected))
    if isinstance(expected, float):
        return bool(abs(found - expected) <= 1e-12)
    return bool(found == expected)


def truths(table: Table) -> dict[str, Truth]:
    """Return the kinds of truth."""
    carried = {"id": Kind.TEXT}
    return {
        "row": RowTruth(table.spec, "truth", Kind.TEXT),
        "file": FileTruth(table.spec, table.file, None, carried, ROWS),
        "none": NoTruth(table.spec),
    }


@pytest.mark.parametrize("task", Task)
@pytest.mark.parametrize("kind", ["row", "file", "none"])
@pytest.mark.parametrize("recorded", [False, True])
def test_merged_evaluations_are_the_whole(task: Task, kind: str, recorded: bool, tmp_path: Path) -> None:
    """Metrics, intervals, worst predictions, and what is left over of the truth."""
    table = Table(task, tmp_path)
    truth = truths(table)[kind]
    empty = table.evaluator(truth, recorded=recorded)
    whole = evaluated(table, empty, 0, ROWS)
    expected = whole.result(table.spec.classes).as_json()
    for cuts in ((1,), (150,), (100, 101, 299), (0,), (ROWS,)):
        first, *others = (evaluated(table, empty, *part) for part in pairwise((0, *cuts, ROWS)))
        for other in others:
            first.merge(other)
        assert documents_are_close(first.result(table.spec.classes).as_json(), expected)
        assert first._worst is not None
        assert whole._worst is not None
        assert first._worst.worst == whole._worst.worst
        first._truth.finish(ROWS)


def test_an_id_in_both_parts(tmp_path: Path) -> None:
    """Is an error, as it is in a single part."""
    table = Table(Task.SOFTMAX, tmp_path)
    empty = table.evaluator(truths(table)["file"])
    first = evaluated(table, empty, 0, 100)
    with pytest.raises(DataError, match='"id" is the same in two rows of the input: "row-99"'):
        first.merge(evaluated(table, empty, 99, ROWS))


def test_a_truth_left_over_after_a_merge(tmp_path: Path) -> None:
    """Is found at the end."""
    table = Table(Task.SOFTMAX, tmp_path)
    empty = table.evaluator(truths(table)["file"])
    first = evaluated(table, empty, 0, 100)
    first.merge(evaluated(table, empty, 101, ROWS))
    with pytest.raises(DataError, match="1 of its 300 rows is not in the input"):
        first._truth.finish(ROWS)
