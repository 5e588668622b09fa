"""Parquet and Arrow: types that stay, lists of scores, files and streams, damage."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import subprocess
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
import scipy.special

from actcli.formats import ReadOptions, open_inputs
from actcli.streaming.batch import CHUNK_BYTES
from program import Actcli, command, environment, process, started

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 50
SCORES = np.random.default_rng(0).normal(size=(ROWS, 3)).astype(np.float32)
TABLE = pa.table(
    {
        "id": pa.array(range(ROWS), pa.int64()),
        "when": pa.array([dt.datetime(2020, 1, 1, tzinfo=dt.UTC)] * ROWS, pa.timestamp("us", "UTC")),
        "name": pa.array([None if row % 7 == 0 else f'row "{row}"' for row in range(ROWS)]),
        "good": pa.array([row % 2 == 0 for row in range(ROWS)]),
        "tags": pa.array([["a", "b"]] * ROWS),
        "cat": SCORES[:, 0],
        "dog": SCORES[:, 1],
        "cow": SCORES[:, 2],
    }
)
IDS = [option for name in ("id", "when", "name", "good", "tags") for option in ("--id", name)]


def written(table: Any, name: str) -> bytes:
    """Return a table as the bytes of a file, in several batches."""
    file = io.BytesIO()
    if name == "parquet":
        pa.parquet.write_table(table, file, row_group_size=7)
    else:
        opener = pa.ipc.new_file if name == "arrow file" else pa.ipc.new_stream
        with opener(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=7)
    return file.getvalue()


def read(data: bytes) -> Any:
    """Return the table in the bytes of a file."""
    if data.startswith(b"PAR1"):
        return pa.parquet.read_table(io.BytesIO(data))
    return (pa.ipc.open_file if data.startswith(b"ARROW1") else pa.ipc.open_stream)(data).read_all()


@pytest.mark.usefixtures("chunk_bytes")
@pytest.mark.parametrize("source", ["parquet", "arrow file", "arrow stream"])
@pytest.mark.parametrize("sink", ["parquet", "arrow"])
def test_types_stay(source: str, sink: str, tmp_path: Path, actcli: Actcli) -> None:
    """Of carried columns; probabilities are SciPy's, labels are texts."""
    path = tmp_path / f"table.{source.split(maxsplit=1)[0]}"
    path.write_bytes(written(TABLE, source))
    target = tmp_path / f"out.{sink}"
    assert actcli("softmax", path, *IDS, "-o", target) == (0, b"", "")
    result = read(target.read_bytes())
    assert target.read_bytes().startswith(b"PAR1" if sink == "parquet" else b"ARROW1")
    assert result.select(range(5)).equals(TABLE.select(range(5)))
    exact = scipy.special.softmax(SCORES.astype(np.float64), axis=1)
    for number, name in enumerate(("cat", "dog", "cow")):
        np.testing.assert_allclose(result[f"p_{name}"].to_numpy(), exact[:, number], atol=1e-6)
        assert result.schema.field(f"p_{name}").type == pa.float32()
    assert result["label"].to_pylist() == [("cat", "dog", "cow")[label] for label in exact.argmax(axis=1)]
    piped = actcli("softmax", *IDS, "-f", sink, stdin=path.read_bytes())
    assert read(piped.out).equals(result)


@pytest.mark.usefixtures("chunk_bytes")
def test_sets_are_lists(actcli: Actcli) -> None:
    """Of texts and of numbers; ranks without a class are null."""
    columns = ("--columns", "row,labels,indices,count,multihot")
    result = read(actcli("multilabel", *IDS, *columns, "-f", "arrow", stdin=written(TABLE, "parquet")).out)
    expected = [np.flatnonzero(row >= 0).tolist() for row in SCORES]
    assert result["row"].to_pylist() == list(range(ROWS))
    assert result["indices"].to_pylist() == expected
    assert result["labels"].to_pylist() == [[("cat", "dog", "cow")[code] for code in codes] for codes in expected]
    assert result.schema.field("is_cat").type == pa.uint8()
    ranked = actcli("softmax", "-k", "2", "-f", "arrow", stdin=b"cat,dog\n1,-inf\n")
    assert read(ranked.out).to_pylist() == [
        {"label_1": "cat", "probability_1": 1, "label_2": None, "probability_2": None}
    ]


@pytest.mark.usefixtures("chunk_bytes")
@pytest.mark.parametrize("options", [("--classes", "logits"), ()])
@pytest.mark.parametrize(
    "lists",
    [pa.FixedSizeListArray.from_arrays(pa.array(SCORES.ravel()), 3), pa.array(SCORES.tolist(), pa.list_(pa.float32()))],
    ids=["fixed", "variable"],
)
def test_a_list_of_scores(lists: Any, options: tuple[str, ...], actcli: Actcli) -> None:
    """Is a row's logits, when it is named or when there is nothing else."""
    table = pa.table({"key": [f"k{row}" for row in range(ROWS)], "logits": lists})
    for name in ("parquet", "arrow stream"):
        result = actcli("softmax", *options, "--columns", "key,index", "-q", stdin=written(table, name))
        rows = [line.split(",") for line in result.text.splitlines()[1:]]
        assert rows == [[f"k{row}", str(index)] for row, index in enumerate(SCORES.argmax(axis=1))]


def test_a_list_of_scores_beside_numbers(actcli: Actcli) -> None:
    """Is meant where the numbers only count the rows; else the error says how to name it."""
    lists = pa.array(SCORES.tolist(), pa.list_(pa.float32()))
    numbered = pa.table({"id": range(ROWS), "logits": lists})
    result = actcli("softmax", "--columns", "index", "--no-output-header", "-q", stdin=written(numbered, "parquet"))
    assert result.text.split() == [str(index) for index in SCORES.argmax(axis=1)]
    for name in ("label", "number"):
        result = actcli("softmax", stdin=written(numbered.rename_columns([name, "logits"]), "parquet"))
        assert result.code == 1
        assert result.err.splitlines()[1] == "hint: if a list holds all scores of a row: --classes logits"
    before = written(numbered.select([1, 0]).rename_columns(["logits", "score"]), "parquet")
    result = actcli("multilabel", stdin=before)
    assert (result.code, result.err.splitlines()[1].endswith("to carry it along: --id logits")) == (1, True)
    assert actcli("multilabel", "--id", "logits", "--columns", "count", stdin=before).code == 0
    assert actcli("multilabel", "--classes", "score", "--columns", "count", stdin=before).code == 0


def test_typed_values_as_text(actcli: Actcli) -> None:
    """Numbers and truth values are those of JSON, null is null there and nothing in CSV."""
    row = actcli("softmax", *IDS, "--columns", "carried", "-f", "jsonl", stdin=written(TABLE, "parquet")).rows[0]
    assert (row["id"], row["name"], row["good"], row["tags"]) == (0, None, True, '["a", "b"]')
    line = actcli("softmax", *IDS, "--columns", "id,name,good", stdin=written(TABLE, "parquet")).text.splitlines()[2]
    assert line == '1,"row ""1""",false'


@pytest.mark.usefixtures("chunk_bytes")
@pytest.mark.parametrize("name", ["parquet", "arrow file", "arrow stream"])
def test_faults(name: str, actcli: Actcli) -> None:
    """Nulls, NaN, short lists: by row and column; the rows before are written."""
    dog = TABLE["dog"].to_pylist()
    for value, message in ((None, "is null"), (float("nan"), "NaN is not a logit")):
        table = TABLE.set_column(6, "dog", pa.array([*dog[:20], value, *dog[21:]], pa.float32()))
        result = actcli("softmax", *IDS, "--columns", "id", stdin=written(table, name))
        assert result.code == 1
        assert f'<stdin>: row 21: column "dog": {message}' in result.err
        assert len(result.text.splitlines()) == 21
    lists = pa.table({"logits": [[1.0, 2.0], [1.0, 2.0], [1.0]]})
    assert "row 3" in actcli("softmax", stdin=written(lists, name)).err
    lists = pa.table({"logits": [[1.0, 2.0], [None, 2.0], [1.0, 1.0]]})
    assert 'row 2: column "0": is null' in actcli("softmax", stdin=written(lists, name)).err


@pytest.mark.parametrize("name", ["parquet", "arrow file", "arrow stream"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_what_is_cut_off(name: str, kept: float, tmp_path: Path, actcli: Actcli) -> None:
    """Is an error, and no output appears."""
    data = written(TABLE, name)
    path = tmp_path / f"table.{name.split(maxsplit=1)[0]}"
    path.write_bytes(data[: int(len(data) * kept)])
    result = actcli("softmax", path, *IDS, "-o", tmp_path / "out.csv")
    # The end of a stream may be missing: then it ends after a whole batch.
    assert result.code == 1 or (name == "arrow stream" and kept > 0.99)
    assert len(result.err.splitlines()) <= 2
    assert (tmp_path / "out.csv").exists() is (result.code == 0)


def test_no_rows(actcli: Actcli) -> None:
    """Are an empty table of the same types."""
    data = written(TABLE.slice(0, 0), "parquet")
    result = read(actcli("softmax", *IDS, "-f", "parquet", stdin=data).out)
    assert (result.num_rows, result.schema.field("when").type) == (0, TABLE.schema.field("when").type)


def test_columns_that_are_no_numbers(actcli: Actcli) -> None:
    """Text among the numbers is an error that names --id, as everywhere."""
    result = actcli("softmax", stdin=written(TABLE, "parquet"))
    assert result.code == 1
    assert "hint: to carry this column along: --id when" in result.err


def test_a_batch_that_arrives_is_answered_at_once() -> None:
    """A stream of Arrow streams on."""
    file = io.BytesIO()
    writer = pa.ipc.new_stream(file, TABLE.schema)
    with started("softmax", *IDS, "--columns", "id", "--no-output-header") as running:
        for start in (0, 1):
            writer.write_table(TABLE.slice(start, 1))
            running.send(file.getvalue())
            file.seek(0)
            file.truncate()
            assert running.line() == f"{start}\n".encode()
        writer.close()
        running.send(file.getvalue())


def test_a_reader_that_goes_away() -> None:
    """Ends it as it ends every other format; a full disk too."""
    data = written(TABLE, "parquet")
    for name in ("parquet", "arrow"):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                command("softmax", *IDS, "-f", name), input=data, stdout=full, stderr=subprocess.PIPE, check=False,
                env=environment(),
            )  # fmt: skip
        assert done.returncode == 1
        assert done.stderr == b"actcli: error: standard output: cannot be written: No space left on device\n"
    assert process("softmax", *IDS, "-f", "arrow", stdin=data).code == 0


def test_long_texts_make_small_chunks(tmp_path: Path) -> None:
    """What is carried along counts too: a table of long texts is not read in one piece."""
    path = tmp_path / "long.parquet"
    texts = [f"{number:04d}" + "x" * 50_000 for number in range(100)]
    table = pa.table({"id": texts, "a": [1.0] * 100, "b": [2.0] * 100})
    pa.parquet.write_table(table, path, use_dictionary=False)
    with contextlib.closing(open_inputs([str(path)], ReadOptions(ids=("id",)))) as inputs:
        sizes = [len(chunk.decode().scores) for chunk in inputs.chunks(0) if chunk is not None]
    assert sum(sizes) == 100
    assert max(sizes) <= CHUNK_BYTES // 50_000


TEXTS = ["u" * 40, "vv", "u" * 40, None]
SAID_ONCE = {
    "dictionary": pa.array(TEXTS).dictionary_encode(),
    "runs": pa.RunEndEncodedArray.from_arrays(pa.array([1, 2, 3, 4], pa.int32()), pa.array(TEXTS)),
    "views": pa.array(TEXTS, pa.string_view()),
}


@pytest.mark.parametrize("sink", ["csv", "jsonl", "arrow", "parquet"])
@pytest.mark.parametrize("name", SAID_ONCE)
def test_texts_that_stand_in_the_file_once(name: str, sink: str, tmp_path: Path, actcli: Actcli) -> None:
    """Come out as often as they are there, in small chunks where they are long."""
    path = tmp_path / "scores.arrow"
    table = pa.table({"id": SAID_ONCE[name], "a": [1.0] * 4, "b": [2.0] * 4})
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)
    result = actcli("softmax", path, "--id", "id", "--columns", "id,label", "-f", sink)
    assert result.code == 0, result.err
    match sink:
        case "csv":
            found: list[str | None] = [line.split(",")[0] or None for line in result.text.splitlines()[1:]]
        case "jsonl":
            found = [json.loads(line)["id"] for line in result.text.splitlines()]
        case "arrow":
            found = pa.ipc.open_stream(result.out).read_all()["id"].to_pylist()
        case "parquet":
            found = pa.parquet.read_table(io.BytesIO(result.out))["id"].to_pylist()
    assert found == TEXTS
    with (
        contextlib.closing(open_inputs([str(path)], ReadOptions(ids=("id",)))) as inputs,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("actcli.formats.columnar.REPEATED_BYTES", 100)
        assert [len(chunk.decode().scores) for chunk in inputs.chunks(0) if chunk is not None] == [2, 2]


def test_numbers_in_runs(tmp_path: Path, actcli: Actcli) -> None:
    """Are scores as any other."""
    path = tmp_path / "scores.arrow"
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array([5.0, 0.0]))
    table = pa.table({"a": runs, "b": [1.0, 1.0, 1.0]})
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)
    assert actcli("softmax", path, "--columns", "label").text.split() == ["label", "a", "a", "b"]


def test_a_type_that_parquet_cannot_hold(tmp_path: Path, actcli: Actcli) -> None:
    """Is an error without a traceback, and no file."""
    path = tmp_path / "scores.arrow"
    lists = pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array([[1, 2], [3]]))
    table = pa.table({"id": lists, "a": [1.0, 1.0], "b": [2.0, 2.0]})
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)
    result = actcli("softmax", path, "--id", "id", "-o", tmp_path / "out.parquet")
    assert result.code == 1
    assert "out.parquet: cannot be written as Parquet: " in result.err
    assert not list(tmp_path.glob("*.parquet"))
    assert actcli("softmax", path, "--id", "id", "-f", "csv").code == 0
