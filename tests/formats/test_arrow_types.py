"""Every Arrow type as a carried column, to every format: the right values or one line, and never a crash."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pytest

import arrow_zoo
from actcli.formats.arrow_values import python_values
from actcli.formats.text import text_array
from program import environment, process

if TYPE_CHECKING:
    from program import Actcli

KEPT = [0, 2, 3]
"""The rows of a file that have no null among their scores."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a file for each type."""
    path = tmp_path_factory.mktemp("types")
    assert arrow_zoo.write(path) > 500
    return path


def values(array: Any) -> list[Any]:
    """Return the values of the rows that are kept, one by one: as Python has them, or the error that it has."""
    found: list[Any] = []
    for row in range(len(array)):
        try:
            value = array[row].as_py()
        except (ValueError, OverflowError) as error:
            value = type(error).__name__
        found.append(str(value) if isinstance(value, uuid.UUID) else value)
    return found


@pytest.mark.parametrize("format", ["csv", "jsonl", "npz", "parquet", "arrow", "table"])
def test_every_type(format: str, folder: Path) -> None:
    """One process reads all files, so that a crash ends it; "table" stands for compare and gradient."""
    names = {path.name for path in folder.glob("*.arrow") if ".out." not in path.name}
    done = subprocess.run(
        [sys.executable, arrow_zoo.__file__, folder, format], capture_output=True, check=False, env=environment()
    )
    runs = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (runs[-1:], done.stderr.decode()[-2000:])
    assert {run["name"] for run in runs} == names
    for run in runs:
        lines = run["err"].splitlines()
        assert run["code"] in (0, 1), run
        assert len(lines) <= 2, run  # an error and its hint, or what was left out
        assert run["err"].replace("\n", "").isprintable(), run
    accepted = [run["name"] for run in runs if run["code"] == 0]
    assert len(accepted) > 200
    if format == "arrow":
        for name in accepted:
            given = pa.ipc.open_file(folder / name).read_all()["id"]
            found = pa.ipc.open_file(folder / name.replace(".arrow", ".out.arrow")).read_all()["id"]
            assert values(found) == [values(given)[row] for row in KEPT], name


def test_a_union_of_one_row_in_many(tmp_path: Path) -> None:
    """Arrow reads out of bounds when it counts the bytes of a slice of one: it is refused."""
    rows = 200_000
    union = pa.UnionArray.from_dense(
        pa.array(np.zeros(rows, np.int8)), pa.array(np.zeros(rows, np.int32)), [pa.array(["x"])]
    )
    table = pa.table({"id": union, "a": np.zeros(rows), "b": np.ones(rows)})
    path = tmp_path / "union.arrow"
    for compression in ("zstd", "lz4"):
        options = pa.ipc.IpcWriteOptions(compression=compression)
        with pa.ipc.new_file(path, table.schema, options=options) as writer:
            writer.write_table(table)
        result = process("softmax", path, "--id", "id")
        assert (result.code, result.out) == (1, b"")
        assert 'column "id" is dense_union<0: string=0>, which actcli does not read' in result.err


def arrow(table: Any) -> bytes:
    """Return a table as an Arrow stream."""
    file = io.BytesIO()
    with pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    return file.getvalue()


def test_values_that_python_has_no_type_for(actcli: Actcli) -> None:
    """Nanoseconds and years after 9999, inside lists and structs, are texts of JSON in a cell."""
    moments = pa.array([1, 2**62], pa.int64()).cast(pa.timestamp("ns"))
    days = pa.array([2**22, 0], pa.int32()).cast(pa.date32())
    table = pa.table({
        "id": pa.StructArray.from_arrays([moments, days], ["when", "day"]), "a": [1.0, 2.0], "b": [2.0, 1.0],
    })  # fmt: skip
    result = actcli("softmax", "--id", "id", "--columns", "id", "-f", "jsonl", stdin=arrow(table))
    assert result.code == 0, result.err
    found = [json.loads(row["id"]) for row in result.rows]
    # GNU date, of the seconds 4611686018 and 86400 * 2**22.
    assert found[0] == {"when": "1970-01-01 00:00:00.000000001", "day": "13453-08-13"}
    assert found[1] == {"when": "2116-02-20 23:53:38.427387904", "day": "1970-01-01"}


def test_a_universal_identifier(actcli: Actcli) -> None:
    """Is its text, as UUIDs are written."""
    identifiers = [uuid.UUID(int=7), uuid.UUID(int=2**127 + 5)]
    column = pa.array([identifier.bytes for identifier in identifiers], pa.uuid())
    table = pa.table({"id": column, "a": [1.0, 2.0], "b": [2.0, 1.0]})
    result = actcli("softmax", "--id", "id", "--columns", "id", "--no-output-header", stdin=arrow(table))
    assert result.text.split() == [str(identifier) for identifier in identifiers]


@pytest.mark.parametrize(
    ("type", "words"),
    [
        (pa.timestamp("s", "Mars/Phobos"), "a time zone that this system does not know"),
        (pa.timestamp("s", "\x1b[31m"), "timestamp[s, tz=\\x1b[31m]"),
        (pa.struct([("f", pa.int8()), ("f", pa.int8())]), "two fields of the same name"),
        (pa.struct([("\x1b[31m", pa.list_view(pa.int8()))]), "which actcli does not read"),
        (pa.struct([("\x1b[31m", pa.int8())]), "struct<\\x1b[31m: int8>, not a number"),
    ],
)
def test_what_a_type_says_is_foreign_text(type: Any, words: str, actcli: Actcli) -> None:
    """The names of fields and of time zones come from the file: they are escaped in messages."""
    table = pa.table({"a": [1.0], "id": pa.nulls(1, type), "b": [1.0]})
    result = actcli("softmax", "--classes", "a,id,b", stdin=arrow(table))
    assert result.code == 1
    assert words in result.err
    assert result.err.replace("\n", "").isprintable()


def test_texts_and_python_values() -> None:
    """Both are what Arrow's own conversions give, where these work."""
    texts = ["a", None, "", "é" * 3]
    assert text_array(texts).equals(pa.array(texts))
    assert text_array([]).equals(pa.array([], pa.string()))
    nested = pa.array([[{"a": 1}], None, []])
    assert python_values(nested) == nested.to_pylist()
