"""Say whether two outputs agree: ``python agreement.py INPUT EXPECTED FOUND TASK TOLERANCE``.

They must have the same rows, columns and ids. Probabilities may be `TOLERANCE` apart, relatively. A label may be
another where the scores of the two are within rounding of each other, and a set may differ in labels whose score is
within rounding of the threshold. Prints one JSON object. Runs in the environment of the peers, block by block.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDING = 1e-6
"""Scores that are so close, relatively to the larger or to 1, may be taken for equal."""

_CELLS = 1 << 20
_SMALLEST = 1e-37
"""Smaller probabilities are below what float32 holds in full."""


class DisagreementError(Exception):
    """Two outputs that are not the same."""


def compared(input: str, expected: str, found: str, task: str, tolerance: float) -> dict[str, Any]:
    """Return how many rows there are, how far apart the probabilities, and how many decisions differ within rounding.

    Raises
    ------
    DisagreementError
        If they are further apart than that.
    """
    if found.endswith(".npy"):
        return _compared_arrays(expected, found, tolerance)
    width = 3 if task == "sets" else len(_schema(input))
    count = max(1, _CELLS // width)
    rows, largest, close = 0, 0.0, 0
    readers = [_blocks(path, count) for path in (expected, found, input)]
    for one in readers[0]:
        other = next(readers[1], None)
        scores = next(readers[2], None)
        if other is None or scores is None or len(other) != len(one) or len(scores) != len(one):
            raise DisagreementError(f"it ends about row {rows + len(one) + 1}, the other goes on")
        if one.column_names != other.column_names:
            raise DisagreementError(f"its columns are {other.column_names[:5]}, not {one.column_names[:5]}")
        for name in one.column_names:
            ours, theirs = _values(one[name]), _values(other[name])
            if name == "label":
                close += _check_labels(ours, theirs, scores, rows)
            elif name == "labels":
                close += _check_sets(ours, theirs, scores, rows)
            elif ours.dtype.kind == "f":
                largest = max(largest, _difference(ours, theirs, tolerance, name, rows))
            elif (ours != theirs).any():
                raise DisagreementError(f"{name} of row {rows + int((ours != theirs).argmax()) + 1} is another")
        rows += len(one)
    if next(readers[1], None) is not None:
        raise DisagreementError(f"it goes on after row {rows}, the other does not")
    return {"rows": rows, "difference": largest, "close": close}


def _compared_arrays(expected: str, found: str, tolerance: float) -> dict[str, Any]:
    ours, theirs = np.load(expected, mmap_mode="r"), np.load(found, mmap_mode="r")
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        raise DisagreementError(f"it is {theirs.shape} of {theirs.dtype}, not {ours.shape} of {ours.dtype}")
    count = max(1, _CELLS // ours.shape[1])
    largest = 0.0
    for start in range(0, len(ours), count):
        block = slice(start, start + count)
        largest = max(largest, _difference(ours[block], theirs[block], tolerance, "the array", start))
    return {"rows": len(ours), "difference": largest, "close": 0}


def _difference(ours: Any, theirs: Any, tolerance: float, name: str, start: int) -> float:
    """Return the largest difference, relative to the value."""
    one, other = ours.astype(np.float64), theirs.astype(np.float64)
    apart = np.abs(one - other) / np.maximum(np.abs(one), _SMALLEST)
    if not (apart <= tolerance).all():  # written so that NaN fails
        row = int(np.argmin((apart <= tolerance).reshape(len(apart), -1).all(axis=1)))
        raise DisagreementError(f"{name} of row {start + row + 1} is {np.max(apart[row]):.1e} apart")
    return float(apart.max(initial=0.0))


def _check_labels(ours: Any, theirs: Any, scores: Any, start: int) -> int:
    """Return how many labels differ where two scores are as good as equal."""
    different = np.flatnonzero(ours != theirs).tolist()
    for row in different:
        one, other = (float(scores[str(label)][row].as_py()) for label in (ours[row], theirs[row]))
        if abs(one - other) > ROUNDING * max(1.0, abs(one)):
            raise DisagreementError(f"label of row {start + row + 1} is {theirs[row]}, not {ours[row]}")
    return len(different)


def _check_sets(ours: Any, theirs: Any, scores: Any, start: int) -> int:
    """Return how many sets differ where a score is as good as at the threshold, which is a score of 0."""
    different = np.flatnonzero(ours != theirs).tolist()
    for row in different:
        one, other = ((text or "").split("|") for text in (ours[row], theirs[row]))
        between = {name for name in {*one} ^ {*other} if name}
        if not between or any(abs(float(scores[row, int(name)])) > ROUNDING for name in between):
            raise DisagreementError(f"labels of row {start + row + 1} are {theirs[row]!r:.60}, not {ours[row]!r:.60}")
    return len(different)


# Reading, whatever the format


def _schema(path: str) -> list[str]:
    """Return the names of the columns of an input."""
    if path.endswith(".parquet"):
        return list(pa.parquet.read_schema(path).names)
    with open(path, encoding="utf-8") as file:
        return file.readline().strip().split(",")


def _blocks(path: str, count: int) -> Iterator[Any]:
    """Yield `count` rows at a time, the last time fewer."""
    if path.endswith(".npy"):
        array = np.load(path, mmap_mode="r")
        yield from (array[start : start + count] for start in range(0, len(array), count))
        return
    waiting: list[Any] = []
    size = 0
    for batch in _batches(path):
        waiting.append(batch)
        size += batch.num_rows
        while size >= count:
            table = pa.Table.from_batches(waiting)
            yield table.slice(0, count)
            waiting = table.slice(count).to_batches()
            size -= count
    if size:
        yield pa.Table.from_batches(waiting)


def _batches(path: str) -> Iterator[Any]:
    if path.endswith(".parquet"):
        yield from map(_as_plain, pa.parquet.ParquetFile(path).iter_batches())
    elif path.endswith(".jsonl"):
        for batch in pa.json.open_json(path):
            yield _flat(batch)
    else:
        names = _schema(path)
        texts = {name: pa.string() for name in names if name in ("id", "label", "labels")}
        numbers = {name: pa.float64() for name in names if name not in texts}
        options = pa.csv.ConvertOptions(column_types=texts | numbers, null_values=[], strings_can_be_null=False)
        # A block must hold a row, however wide.
        reading = pa.csv.ReadOptions(block_size=1 << 24)
        yield from pa.csv.open_csv(path, read_options=reading, convert_options=options)


def _as_plain(batch: Any) -> Any:
    """Return a batch with texts of one type: some write them as large ones, or as codes."""
    fields = [
        pa.field(field.name, field.type if pa.types.is_floating(field.type) else pa.string()) for field in batch.schema
    ]
    return pa.RecordBatch.from_arrays(
        [column.cast(field.type) for column, field in zip(batch.columns, fields, strict=True)],
        schema=pa.schema(fields),
    )


def _flat(batch: Any) -> Any:
    """Return a batch of JSON objects with the probabilities within them as columns of their own, as CSV has them."""
    columns: dict[str, Any] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if name == "probabilities":
            columns |= {f"p_{field.name}": column.field(index) for index, field in enumerate(column.type)}
        else:
            columns[name] = column
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _values(column: Any) -> Any:
    return column.to_numpy() if pa.types.is_floating(column.type) else np.array(column.to_pylist(), dtype=object)


def main() -> int:
    """Compare what the command line names."""
    input, expected, found, task, tolerance = sys.argv[1:]
    try:
        result = compared(input, expected, found, task, float(tolerance))
    except DisagreementError as error:
        result = {"disagreement": str(error)}
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
