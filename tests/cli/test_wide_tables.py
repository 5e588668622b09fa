"""Tables with many columns: the work grows as the number of columns does, counted in calls, not in time."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest

from actcli.formats.json_text import json_text
from actcli.prediction.output_columns import output_columns
from actcli.prediction.rules import Rules
from actcli.streaming.batch import Carried, Kind
from actcli.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

    from program import Actcli

FEW, MANY = 1_000, 4_000
ROWS = 3


def write(folder: Path, width: int) -> None:
    """Write a table of so many classes in every format that is read here."""
    scores = np.random.default_rng(0).normal(size=(ROWS, width)).round(3)
    names = [f"c{number}" for number in range(width)]
    lines = [",".join(["id", *names]), *(",".join([f"r{row}", *map(str, scores[row])]) for row in range(ROWS))]
    (folder / "t.csv").write_text("\n".join(lines) + "\n")
    (folder / "truth.csv").write_text("id,label\n" + "".join(f"r{row},c{row}\n" for row in range(ROWS)))
    np.save(folder / "t.npy", scores)
    table = pa.table([pa.array([f"r{row}" for row in range(ROWS)]), *scores.T], names=["id", *names])
    pa.parquet.write_table(table, folder / "t.parquet")
    with pa.ipc.new_file(folder / "t.arrow", table.schema) as writer:
        writer.write_table(table)


def calls(run: Callable[[], Any]) -> int:
    """Return how many functions are called, of Python and of C."""
    count = 0

    def counted(_: FrameType, event: str, __: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        run()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    "line",
    [
        "inspect t.csv",
        "inspect t.npy --format table",
        "inspect t.parquet",
        "softmax t.csv -o out.csv",
        "softmax t.csv --columns label -f table",
        "softmax t.npy -f table",
        "softmax t.npy --columns probabilities -f table",
        "multilabel t.npy -f table",
        "multilabel t.parquet -o out.parquet",
        "softmax t.arrow -o out.arrow",
        "softmax t.npy -o out.jsonl",
        "softmax t.npy -o out.npz",
        "compare t.csv -f table",
        "evaluate t.csv --truth truth.csv",
        "conformal t.csv --truth truth.csv --alpha 0.5 --policy out.json",
    ],
)
def test_the_calls_grow_with_the_columns(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, actcli: Actcli
) -> None:
    """Four times the columns are at most four times the calls, and some that a small table has too."""
    monkeypatch.chdir(tmp_path)
    counts = []
    for width in (FEW, FEW, MANY):  # the first run imports
        write(tmp_path, width)
        for old in tmp_path.glob("out.*"):
            old.unlink()
        arguments = [*line.split(), "--quiet"]
        codes = []
        counts.append(calls(lambda: codes.append(actcli(*arguments).code)))  # noqa: B023
        assert codes == [0]
    assert counts[2] < 4.5 * counts[1]


class _Counted(str):
    """A name that counts how often it is compared."""

    __slots__ = ()
    compared = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        _Counted.compared += 1
        return str.__eq__(self, other) is True


def test_each_name_of_columns_is_looked_up_once() -> None:
    """``--columns`` with many names compares each a few times, not with all others."""
    carried = [Carried(_Counted(f"x{number}"), Kind.TEXT) for number in range(4_000)]
    asked = tuple(f"x{number}" for number in range(0, 4_000, 2))
    _Counted.compared = 0
    found, _ = output_columns(Task.SOFTMAX, carried, ("a", "b"), Rules(columns=asked), ("f",))
    assert [column.name for column in found] == list(asked)
    assert _Counted.compared < 10 * len(carried)


def test_a_table_builds_only_the_cells_that_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, actcli: Actcli
) -> None:
    """It says how many columns it leaves out, and a set shows its first labels and how many more there are."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    write(tmp_path, MANY)
    text = actcli("softmax", "t.npy", "--columns", "probabilities", "-f", "table").text
    shown = len(text.splitlines()[0].split())
    assert f"… {MANY - shown:,} more columns" in text
    scores = np.load("t.npy")
    text = actcli("multilabel", "t.npy", "-f", "table").text
    for row in scores:
        assert f"and {np.count_nonzero(row >= 0) - 100:,} more" in text


def test_json_of_a_large_value_is_not_tried_on_one_line() -> None:
    """An object too long for a line is not written to find that out; short ones within it are (json module)."""
    value = {"per_class": {f"c{number}": {"a": 1} for number in range(1000)}}
    lines = json_text(value, width=100, whole_lists=True).splitlines()
    assert lines[2] == '    "c0": {"a": 1},'
    few = {"per_class": dict(list(value["per_class"].items())[:250])}
    assert calls(lambda: json_text(value, width=100)) < 4.5 * calls(lambda: json_text(few, width=100))
