"""Every format read against every format written: the same decisions on the same rows."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actcli.formats import ReadOptions
from program import SAMPLES, Actcli
from readers import BOTH, WRITTEN, converted

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS = ("--dtype", "float32", "-q")


def probabilities(data: bytes, name: str) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Return the probabilities in an output of any format."""
    if name in ("csv", "tsv"):
        rows = list(csv.DictReader(io.StringIO(data.decode()), delimiter="," if name == "csv" else "\t"))
        values = [[row[key] for key in row if key.startswith("p_")] for row in rows]
    elif name in ("json", "jsonl"):
        objects = json.loads(data) if name == "json" else map(json.loads, data.splitlines())
        values = [list(row["probabilities"].values()) for row in objects]
    elif name == "npy":
        return np.asarray(np.load(io.BytesIO(data)))
    elif name == "npz":
        with np.load(io.BytesIO(data)) as arrays:
            return np.asarray(arrays["probabilities"])
    else:
        table = pa.parquet.read_table(io.BytesIO(data)) if name == "parquet" else pa.ipc.open_stream(data).read_all()
        values = [list(row.values()) for row in table.to_pylist()]
    return np.array(values, dtype=np.float32)


@pytest.mark.usefixtures("chunk_bytes")
@pytest.mark.parametrize("source", BOTH)
def test_the_same_decisions(source: str, tmp_path: Path, actcli: Actcli) -> None:
    """To the last bit, in chunks of any size."""
    path = tmp_path / f"scores.{source}"
    array = tmp_path / "of_all.npy"
    np.save(array, np.load(SAMPLES / "digits_logits.npy")[:23])
    made = actcli("softmax", array, "--columns", "logits", "-o", path)
    assert made.code == 0
    prefixed = () if source in ("json", "jsonl", "npy", "npz") else ("--classes", "logit_*")
    expected = np.load(io.BytesIO(actcli("softmax", array, *OPTIONS, "-f", "npy").out))
    for sink in WRITTEN:
        result = actcli("softmax", path, *prefixed, *OPTIONS, "--columns", "probabilities", "-f", sink)
        assert result.code == 0
        assert np.array_equal(probabilities(result.out, sink), expected)


def labels(data: bytes, name: str) -> list[str]:
    """Return the labels in an output of any format, which stand in its first column."""
    if name in ("csv", "tsv"):
        rows = list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter="," if name == "csv" else "\t"))
        return [row[0] for row in rows[1:]]
    if name in ("json", "jsonl"):
        objects = json.loads(data) if name == "json" else map(json.loads, data.decode().split("\n")[:-1])
        return [row["label"] for row in objects]
    if name == "npz":
        with np.load(io.BytesIO(data)) as arrays:
            return [str(label) for label in arrays["label"]]
    table = pa.parquet.read_table(io.BytesIO(data)) if name == "parquet" else pa.ipc.open_stream(data).read_all()
    return [str(label) for label in table["label"].to_pylist()]


# A column called * would be what the pattern of that name means.
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
TABLES = st.integers(2, 4).flatmap(
    lambda width: st.tuples(
        st.lists(NAMES.filter(lambda name: name != "*"), min_size=width, max_size=width, unique=True),
        st.lists(
            st.lists(st.floats(-1e300, 1e300) | st.integers(-3, 3).map(float), min_size=width, max_size=width),
            min_size=1,
            max_size=20,
        ),
        st.sampled_from([1, 7, 1000]),
    )
)


@pytest.mark.parametrize("source", BOTH)
@settings(max_examples=15)
@given(table=TABLES)
def test_any_table_through_any_pair(source: str, table: tuple[list[str], list[list[float]], int]) -> None:
    """Whatever its classes are called: labels and probabilities are those of the numbers, 1, 7 or all rows at once.

    The labels are worked out here; the probabilities are compared with those of the same numbers out of an array.
    """
    names, rows, at_once = table
    text = io.StringIO(newline="")
    csv.writer(text).writerows([names, *([repr(score) for score in row] for row in rows)])
    every = ReadOptions(format="csv", header=True, classes="*")
    data = converted(text.getvalue().encode(), every, source, ["logits"])
    array = io.BytesIO()
    np.save(array, np.array(rows))
    probable = np.load(io.BytesIO(converted(array.getvalue(), ReadOptions(), "npy", ["probabilities"])))
    places = [row.index(max(row)) for row in rows]
    options = ReadOptions(format=source, classes="logit_*" if source in ("csv", "tsv", "parquet", "arrow") else None)
    called = [f"logit_{name}" for name in names] if options.classes else names
    if source in ("npy", "npz"):
        called = [str(number) for number in range(len(names))]
    for sink in WRITTEN:
        columns = ["probabilities"] if sink == "npy" else ["label", "probabilities"]
        found = converted(data, options, sink, columns, max(1, at_once * len(data) // len(rows)))
        if sink == "npy":
            assert np.array_equal(np.load(io.BytesIO(found)), probable)
        else:
            assert labels(found, sink) == [called[place] for place in places]
