"""`--on-bad-row`: wrong rows are left out, counted and named, and all others are as they would be without them."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from program import Actcli

SCORES = [[1.5, 0.25], [0.0, 3.0], [2.0, 2.5], [-1.0, 4.0], [8.0, -8.0], [0.5, 0.25]]
LABELS = ["a", "b", "b", "b", "a", "a"]
WRONG = (0, 2, 5)
LEFT = [label for row, label in enumerate(LABELS) if row not in WRONG]
NAN = float("nan")


def csv(path: Path) -> list[str]:
    """Write cells that are no numbers, in a quoted record of two lines and out of it."""
    lines = ["id,a,b", '"r\n0",nan,1', "r1,0.0,3.0", "r2,oops,2", "r3,-1.0,4.0", "r4,8.0,-8.0", "r5,1,2,3"]
    path.write_text("\n".join(lines), encoding="utf-8")
    return [f"{path}:2: ", f"{path}:5: ", f"{path}:8: "]


def csv_first_of_another_width(path: Path) -> list[str]:
    """Write a first row that has not as many cells as the header."""
    lines = ["id,a,b", "r0,1,2,3", "r1,0.0,3.0", "r2,1", "r3,-1.0,4.0", "r4,8.0,-8.0", "r5,,2"]
    path.write_text("\n".join(lines), encoding="utf-8")
    return [f"{path}:2: ", f"{path}:4: ", f"{path}:7: "]


def jsonl(path: Path) -> list[str]:
    """Write lines that are no JSON, lack a class, or hold text."""
    lines = [json.dumps({"id": f"r{row}", "a": a, "b": b}) for row, (a, b) in enumerate(SCORES)]
    lines[0], lines[2], lines[5] = "{oops", '{"id":"r2","a":1}', '{"id":"r5","a":"x","b":1}'
    path.write_text("\n".join(lines), encoding="utf-8")
    return [f"{path}:1: ", f"{path}:3: ", f"{path}:6: "]


def json_list(path: Path) -> list[str]:
    """Write a list whose wrong rows are still rows by their brackets."""
    lines = [json.dumps({"id": f"r{row}", "a": a, "b": b}) for row, (a, b) in enumerate(SCORES)]
    lines[0], lines[2], lines[5] = "{oops}", "[1, 2]", '{"id":"r5","a":NaN,"b":1}'
    path.write_text("[" + ",\n".join(lines) + "]", encoding="utf-8")
    return [f"{path}:1: ", f"{path}:3: ", f"{path}:6: "]


def npy(path: Path) -> list[str]:
    """Write NaN, an infinity, and a row without a finite class."""
    scores = np.array(SCORES, dtype=np.float32)
    scores[0, 0], scores[2, 1], scores[5] = NAN, np.inf, -np.inf
    np.save(path, scores)
    return [f"{path}: row 1: ", f"{path}: row 3: ", f"{path}: row 6: "]


def parquet(path: Path) -> list[str]:
    """Write nulls among typed columns."""
    columns = [list(column) for column in zip(*SCORES, strict=True)]
    columns[0][0], columns[1][2], columns[0][5] = None, None, NAN
    table = pa.table({"id": [f"r{row}" for row in range(6)], "a": columns[0], "b": columns[1]})
    pa.parquet.write_table(table, path)
    return [f"{path}: row 1: ", f"{path}: row 3: ", f"{path}: row 6: "]


def arrow(path: Path) -> list[str]:
    """Write lists that are null, too short, or hold a null."""
    lists: list[list[float | None] | None] = [list(row) for row in SCORES]
    lists[0], lists[2], lists[5] = None, [1.0], [1.0, None]
    table = pa.table({"id": [f"r{row}" for row in range(6)], "logits": pa.array(lists, pa.list_(pa.float64()))})
    with pa.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table)
    return [f"{path}: row 1: ", f"{path}: row 3: ", f"{path}: row 6: "]


MAKERS = [
    (csv, "csv"),
    (csv_first_of_another_width, "csv"),
    (jsonl, "jsonl"),
    (json_list, "json"),
    (npy, "npy"),
    (parquet, "parquet"),
]
named = pytest.mark.parametrize(("make", "suffix"), MAKERS, ids=[make.__name__ for make, _ in MAKERS])


@pytest.mark.usefixtures("chunk_bytes")
@named
def test_wrong_rows_are_left_out(make: object, suffix: str, tmp_path: Path, actcli: Actcli) -> None:
    """Whatever the format and the chunks; the others keep their carried columns and their numbers."""
    path = tmp_path / f"scores.{suffix}"
    places = make(path)  # type: ignore[operator]
    names = ("--class-names", "a,b") if suffix == "npy" else ()
    result = actcli("softmax", path, *names, "--columns", "carried,row,label", "--on-bad-row", "skip", "-f", "jsonl")
    assert result.code == 0
    assert [(row["row"], row["label"]) for row in result.rows] == list(zip([1, 3, 4], LEFT, strict=True))
    if suffix != "npy":
        assert [row["id"] for row in result.rows] == ["r1", "r3", "r4"]
    warning = [line for line in result.err.splitlines() if not line.startswith("actcli: note")]
    assert warning[0] == "actcli: warning: 3 rows were left out:"
    assert [line.strip().startswith(place) for line, place in zip(warning[1:], places, strict=True)] == [True] * 3


@pytest.mark.usefixtures("chunk_bytes")
def test_wrong_lists_are_left_out(tmp_path: Path, actcli: Actcli) -> None:
    """A list of scores that is null, has another length, or holds a null."""
    path = tmp_path / "scores.arrow"
    rest = tmp_path / "rest.arrow"
    arrow(path)
    with pa.ipc.open_stream(path) as reader:
        table = reader.read_all()
    with pa.ipc.new_stream(rest, table.schema) as writer:
        writer.write_table(table.slice(1))  # the first row says how many classes there are
    result = actcli("softmax", rest, "--columns", "id,row,index", "--on-bad-row", "skip", "-f", "jsonl")
    assert [(row["id"], row["row"], row["index"]) for row in result.rows] == [("r1", 0, 1), ("r3", 2, 1), ("r4", 3, 0)]
    assert "2 rows were left out" in result.err


@pytest.mark.usefixtures("chunk_bytes")
@named
def test_without_it_the_first_wrong_row_is_an_error(make: object, suffix: str, tmp_path: Path, actcli: Actcli) -> None:
    """The first in the file, even where what comes after it is found out earlier."""
    path = tmp_path / f"scores.{suffix}"
    places = make(path)  # type: ignore[operator]
    result = actcli("softmax", path)
    assert result.code == 1
    assert result.out == b""
    assert result.err.startswith(f"actcli: error: {places[0]}")


@pytest.mark.usefixtures("chunk_bytes")
def test_the_first_five_are_named_and_the_others_counted(tmp_path: Path, actcli: Actcli) -> None:
    """In the order of the file, whether the text or the value is wrong."""
    path = tmp_path / "scores.csv"
    rows = ["x,1" if row % 3 == 0 else "nan,1" if row % 3 == 1 else "2,1" for row in range(30)]
    path.write_text("\n".join(["a,b", "0,1", *rows]), encoding="utf-8")
    result = actcli("softmax", path, "--columns", "label", "--on-bad-row", "skip", "-q")
    assert result.code == 0
    assert result.out.split() == [b"label", b"b"] + [b"a"] * 10
    lines = result.err.splitlines()
    assert lines[0] == "actcli: warning: 20 rows were left out:"
    assert [line.split(": ")[0] for line in lines[1:6]] == [f"  {path}:{line}" for line in (3, 4, 6, 7, 9)]
    assert lines[6:] == ["  and 15 more"]


def test_all_rows_may_be_left_out(tmp_path: Path, actcli: Actcli) -> None:
    """That is an empty result, and said."""
    path = tmp_path / "scores.csv"
    path.write_text("a,b\n1,nan\n", encoding="utf-8")
    result = actcli("softmax", path, "--on-bad-row", "skip")
    assert result.code == 0
    assert result.text == "label,probability,p_a,p_b\n"
    assert "1 row was left out" in result.err


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("open.csv", 'id,a,b\nx,1,2\n"y,3,4\nz,5,6\n', "a quote is not closed"),
        ("open.json", '[{"a":1,"b":2},\n{"a":1,"b":2', "open.json:2: the row that begins here is not closed"),
        ("more.json", '[{"a":1,"b":2}]\n{"a":1,"b":2}', "a row or the end of the list"),
    ],
)
def test_what_hides_the_rows_after_it_stays_an_error(
    name: str, text: str, words: str, tmp_path: Path, actcli: Actcli
) -> None:
    """A quote or a list that is not closed is no wrong row: who knows how many rows it swallowed."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    result = actcli("softmax", path, "--on-bad-row", "skip")
    assert result.code == 1
    assert words in result.err


def test_the_table_keeps_the_numbers_of_the_rows(tmp_path: Path, actcli: Actcli) -> None:
    """Those of the input, also where nothing is carried."""
    path = tmp_path / "scores.npy"
    npy(path)
    result = actcli("softmax", path, "--on-bad-row", "skip", "-f", "table")
    numbers = [line.split()[0] for line in result.text.splitlines() if line.strip() and line.split()[0].isdigit()]
    assert numbers[:3] == ["1", "3", "4"]


@pytest.mark.parametrize("sink", ["npy", "arrow", "csv"])
def test_every_sink_numbers_the_rows_alike(sink: str, tmp_path: Path, actcli: Actcli) -> None:
    """By where they stand in the input."""
    path = tmp_path / "scores.npy"
    npy(path)
    result = actcli("softmax", path, "--on-bad-row", "skip", "--columns", "row", "-f", sink)
    if sink == "npy":
        found = np.load(io.BytesIO(result.out)).tolist()
    elif sink == "arrow":
        found = pa.ipc.open_stream(result.out).read_all()["row"].to_pylist()
    else:
        found = list(map(int, result.out.split()[1:]))
    assert found == [1, 3, 4]


@pytest.mark.parametrize("source", ["npy", "npz", "parquet", "arrow"])
@pytest.mark.parametrize("sink", ["npy", "npz"])
def test_an_array_says_how_many_rows_are_left(source: str, sink: str, tmp_path: Path, actcli: Actcli) -> None:
    """Also where the input says beforehand how many it has; as a file and through a pipe."""
    scores = np.array(SCORES)
    scores[list(WRONG), 0] = NAN
    path = tmp_path / f"scores.{source}"
    table = pa.table({"a": scores[:, 0], "b": scores[:, 1]})
    match source:
        case "npy":
            np.save(path, scores)
        case "npz":
            np.savez(path, logits=scores)
        case "parquet":
            pa.parquet.write_table(table, path)
        case "arrow":
            with pa.ipc.new_file(path, table.schema) as file:
                file.write_table(table)
    output = tmp_path / f"out.{sink}"
    for result in (
        actcli("softmax", path, "--on-bad-row", "skip", "--columns", "index", "-o", output),
        actcli("softmax", path, "--on-bad-row", "skip", "--columns", "index", "-f", sink),
    ):
        assert result.code == 0, result.err
        found = np.load(io.BytesIO(result.out) if result.out else output)
        assert (found if sink == "npy" else found["index"]).tolist() == ["ab".index(label) for label in LEFT]
