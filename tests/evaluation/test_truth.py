"""Truth: what the files of it may look like, how they are joined, and what is wrong with bad ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from actcli.errors import ActcliError, DataError, UsageError
from actcli.evaluation import truth, truth_ids
from actcli.evaluation.truth import TruthSpec, settle
from actcli.formats import ReadOptions, open_inputs
from actcli.tasks import Join, Task

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("chunk_bytes")

CLASSES = ("cat", "dog", "bird")
INPUT = "id,cat,dog,bird\na,1,2,3\nb,4,5,6\nc,7,8,9\n"
UNNAMED = "1,2,3\n4,5,6\n7,8,9\n"
NEGATIVE_POSITIVE = ("no", "yes")


def answers(
    folder: Path,
    truth: str | Path,
    *,
    task: str = "softmax",
    given: str = INPUT,
    classes: tuple[str, ...] = CLASSES,
    column: str | None = None,
    notes: list[str] | None = None,
    key: str | None = None,
    join: Join = Join.EXACT,
    **more: Any,
) -> list[Any]:
    """Return the truth of every row of the input `given` that counts; a text is that of a CSV file."""
    source = folder / "input.csv"
    source.write_text(given)
    if isinstance(truth, str):
        (folder / "truth.csv").write_text(truth, newline="")
        truth = folder / "truth.csv"
    inputs = open_inputs([str(source)], ReadOptions())
    spec = TruthSpec(Task(task), classes, **more)
    found = settle(spec, inputs.layout, file=str(truth), column=column, key=key, join=join)
    taken, rows = [], 0
    for chunk in inputs.chunks(0):
        if chunk is not None:
            batch = chunk.decode()
            taken += found.match(batch, rows)[1].tolist()
            rows += len(batch.scores)
    found.finish(rows)
    if notes is not None:
        notes += found.notes
    return taken


@pytest.mark.parametrize(
    "text",
    [
        "id,label\na,dog\nb,bird\nc,cat\n",
        "id,label\nc,cat\na,dog\nb,bird\n",
        "label,id\r\ncat,c\r\ndog,a\r\nbird,b",
        "id,split,label\na,x,dog\nb,y,bird\nc,z,cat\n",
        "id,anything\na,1\nb,2\nc,0\n",
        "\ufeffid,label\na,dog\nb, bird \nc,0.0\n",
        "id,bird,cat,dog\na,0,0,1\nc,0,1,0\nb,1,0,0\n",
        "label\ndog\nbird\ncat\n",
        "dog\nbird\ncat\n",
        "1\n2\n0\n",
        "index,label\n7,dog\n8,bird\n9,cat\n",
        "cat,dog,bird\n0,1,0\n0,0,1\n1.0,0,0\n",
    ],
)
def test_exclusive(text: str, tmp_path: Path) -> None:
    """Names or indices, joined by id in any order or by position, a header where the first line is no class."""
    assert answers(tmp_path, text) == [1, 2, 0]


@pytest.mark.parametrize(
    "text",
    [
        "id,labels\na,dog|cat\nb,\nc,bird\n",
        'labels\ncat|dog\n""\n2\n',
        'cat|dog\n""\nbird\n',
        "id,bird,cat,dog\nb,0,0,0\nc,1,0,0\na,0,1,1\n",
        "cat,dog,bird\n1,1,0\n0,0,0\n0,0,1\n",
        "1,1,0\n0,0,0\n0,0,1\n",
    ],
)
def test_sets(text: str, tmp_path: Path) -> None:
    """Label sets, or a 0/1 table whose columns are matched by name."""
    expected = [[True, True, False], [False, False, False], [False, False, True]]
    assert answers(tmp_path, text, task="multilabel") == expected


@pytest.mark.parametrize(
    "text", ["yes\nno\nyes\n", "1\n0\n1\n", "id,label\nb,no\na,yes\nc,1\n", "no,yes\n0,1\n1,0\n0,1\n"]
)
def test_binary(text: str, tmp_path: Path) -> None:
    """1 is the positive class."""
    assert answers(tmp_path, text, task="binary", classes=NEGATIVE_POSITIVE) == [1, 0, 1]


def test_a_name_goes_before_an_index(tmp_path: Path) -> None:
    """A class called 1 is that class."""
    assert answers(tmp_path, "1\n2\n0\n", classes=("2", "1", "x")) == [1, 0, 0]


def test_what_it_is_joined_by_is_said(tmp_path: Path) -> None:
    """By position with a note, by id without; "id" goes before other columns that both have."""
    notes: list[str] = []
    answers(tmp_path, "id,label\na,dog\nb,dog\nc,cat\n", notes=notes)
    assert notes == []
    given = "file,id,cat,dog,bird\nx,a,1,2,3\nx,b,4,5,6\n"
    assert answers(tmp_path, "file,id,label\nx,b,cat\nx,a,dog\n", given=given, notes=notes) == [1, 0]
    assert notes == []
    answers(tmp_path, "dog\ndog\ncat\n", notes=notes)
    assert notes == [
        f"{tmp_path / 'truth.csv'} is joined by position: the input has no column of the same name",
    ]


def write_numpy(path: Path, values: Any) -> Path:
    """Write an array."""
    np.save(path, np.asarray(values))
    return path


@pytest.mark.parametrize("dtype", ["int8", "uint64", "float32", ">i4"])
def test_arrays(dtype: str, tmp_path: Path) -> None:
    """NPY holds indices, in one dimension or a single column, or a 0/1 table."""
    path = tmp_path / "truth.npy"
    table = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]], dtype=dtype)
    for values in (np.array([1, 2, 0], dtype=dtype), np.array([[1], [2], [0]], dtype=dtype), table):
        assert answers(tmp_path, write_numpy(path, values)) == [1, 2, 0]
    assert answers(tmp_path, write_numpy(path, table), task="multilabel") == table.astype(bool).tolist()
    assert answers(tmp_path, write_numpy(path, table == 1), task="multilabel") == table.astype(bool).tolist()
    flags = np.array([True, False, True])
    assert answers(tmp_path, write_numpy(path, flags), task="binary", classes=NEGATIVE_POSITIVE) == [1, 0, 1]


def test_an_array_of_an_archive(tmp_path: Path) -> None:
    """Is the only one, the one called truth, or the one that is named."""
    path = tmp_path / "truth.npz"
    for arrays, column in (
        ({"y": [1, 2, 0]}, None),
        ({"logits": [[0.0]], "truth": [1, 2, 0]}, None),
        ({"logits": [[0.0]], "y": [1, 2, 0]}, "y"),
    ):
        np.savez(path, **{name: np.array(values) for name, values in arrays.items()})  # type: ignore[arg-type]
        assert answers(tmp_path, path, column=column) == [1, 2, 0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0, 1, 3], "row 3: the index 3 is out of range"),
        ([0, -1, 2], "row 2: the index -1 is negative"),
        ([0, 1, 0.5], "row 3: 0.5 is no class, nor the index of one"),
        ([[1, 0], [0, 1], [0, 1]], "not one class a row, nor 0 or 1 for each of 3"),
        ([[1, 0, 0], [0, 0, 0], [0, 1, 0]], "row 2: 0 classes, but exactly one is right"),
        ([0, 1], "has 2 rows, but the input has"),
        ([0, 1, 2, 0], "has 4 rows, but the input has 3"),
    ],
)
def test_arrays_that_are_no_truth(values: Any, message: str, tmp_path: Path) -> None:
    """Say which row."""
    with pytest.raises(DataError, match=message):
        answers(tmp_path, write_numpy(tmp_path / "truth.npy", values))


def test_arrays_that_are_no_sets(tmp_path: Path) -> None:
    """Other numbers, and other shapes."""
    path = tmp_path / "truth.npy"
    with pytest.raises(DataError, match='row 2: column "dog": 2 is neither 0 nor 1'):
        answers(tmp_path, write_numpy(path, [[0, 1, 0], [0, 2, 0], [0, 0, 0]]), task="multilabel")
    with pytest.raises(DataError, match="not 0 or 1 for each of 3 classes"):
        answers(tmp_path, write_numpy(path, [0, 1, 2]), task="multilabel")


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_json(suffix: str, tmp_path: Path) -> None:
    """Objects with a label, a list of labels, or 0 and 1; or lists."""

    def write(rows: list[Any]) -> Path:
        path = tmp_path / f"truth.{suffix}"
        lines = "\n".join(map(json.dumps, rows)) if suffix == "jsonl" else json.dumps(rows, indent=1)
        path.write_text(lines)
        return path

    assert answers(
        tmp_path, write([{"id": "b", "label": 2}, {"label": "dog", "id": "a"}, {"id": "c", "label": "cat"}])
    ) == [
        1,
        2,
        0,
    ]
    expected = [[True, True, False], [False, False, False], [False, False, True]]
    for rows in (
        [{"id": "a", "labels": ["dog", "cat"]}, {"id": "b", "labels": []}, {"id": "c", "labels": "bird"}],
        [{"cat": 1, "dog": True, "bird": 0}, {"bird": 0, "dog": 0, "cat": 0}, {"bird": 1, "dog": 0, "cat": False}],
        [[1, 1, 0], [0, 0, 0], [0, 0, 1]],
        [["dog", "cat"], [], ["bird"]],
    ):
        assert answers(tmp_path, write(rows), task="multilabel") == expected
    with pytest.raises(DataError, match='column "label": is null'):
        answers(tmp_path, write([{"label": "cat"}, {"label": None}, {"label": "cat"}]))
    with pytest.raises(DataError, match='column "label": True is no class'):
        answers(tmp_path, write([{"label": "cat"}, {"label": True}, {"label": "cat"}]))
    assert answers(tmp_path, write(["dog", "bird", "cat"])) == [1, 2, 0]
    assert answers(tmp_path, write([1, 2, 0])) == [1, 2, 0]
    assert answers(tmp_path, write(["cat|dog", "", "bird"]), task="multilabel") == expected
    with pytest.raises(DataError, match=r'\[b\]" is no class'):
        answers(tmp_path, write(["dog", 'a\\", [b]', "cat"]))


def test_columns_with_types(tmp_path: Path) -> None:
    """Parquet: ids of other types are compared as they are written; lists are sets."""
    path = tmp_path / "truth.parquet"
    given = "id,cat,dog,bird\n7,1,2,3\n8,4,5,6\n"
    for labels in (
        pa.array(["bird", "dog"]),
        pa.array([2, 1], pa.int8()),
        pa.array(["bird", "dog"]).dictionary_encode(),
    ):
        pa.parquet.write_table(pa.table({"id": pa.array([8, 7]), "label": labels}), path)
        assert answers(tmp_path, path, given=given) == [1, 2]
    sets = pa.array([["bird", "cat"], []], pa.list_(pa.string()))
    pa.parquet.write_table(pa.table({"id": pa.array([8, 7]), "labels": sets}), path)
    assert answers(tmp_path, path, given=given, task="multilabel") == [[False] * 3, [True, False, True]]
    table = pa.table({"dog": [True, False], "cat": [False, True], "bird": [False, False]})
    pa.parquet.write_table(table, path)
    assert answers(tmp_path, path, given=given, task="multilabel") == [[False, True, False], [True, False, False]]


def test_a_table_of_one_class(tmp_path: Path) -> None:
    """Is a table where its column is called as the class and holds numbers: 0 is no index of a label that is there."""
    given = "cat\n1\n2\n"
    path = tmp_path / "truth.parquet"
    pa.parquet.write_table(pa.table({"cat": [0, 1]}), path)
    assert answers(tmp_path, path, given=given, task="multilabel", classes=("cat",)) == [[False], [True]]
    lines = tmp_path / "truth.jsonl"
    lines.write_text('{"cat": 0}\n{"cat": 1}\n')
    assert answers(tmp_path, lines, given=given, task="multilabel", classes=("cat",)) == [[False], [True]]
    pa.parquet.write_table(pa.table({"cat": ["", "cat"]}), path)
    assert answers(tmp_path, path, given=given, task="multilabel", classes=("cat",)) == [[False], [True]]
    pa.parquet.write_table(pa.table({"truth": [0]}), path)
    assert answers(tmp_path, path, given="cat\n1\n", task="multilabel", classes=("cat",)) == [[True]]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("id,label\na,dog\nb,bird\n", 'input.csv:4: "id" is "c", which is not in', None),
        (
            "id,label\na,dog\nb,bird\nc,cat\nd,cat\ne,cat\n",
            '2 of its 5 rows are not in the input, by "id": "d", "e"',
            "keep only the truth of these rows",
        ),
        ("id,label\na,dog\nb,bird\nc,cat\na,dog\n", '"id" is "a" twice, in rows 1 and 4', None),
        ("id,label\na,dog\n\nb,bird\nc,cat\n", "truth.csv:3: is a blank line", 'an empty cell is written ""'),
        ("\nid,label\na,dog\n", "truth.csv:1: is a blank line", None),
        ("dog\nbird\ncat\n\n", "truth.csv:4: is a blank line", None),
        ("dog\n \t\ncat\n", "truth.csv:2: is a blank line", None),
        ('dog\n""\ncat\n', "truth.csv:2: is empty", None),
        ("id,label\na,dog\nb,\nc,cat\n", 'truth.csv:3: column "label": is empty', None),
        ("id,label\na,dog\nb,fish\nc,cat\n", 'truth.csv:3: column "label": "fish" is no class', '"cat", "dog", "bird"'),
        ("id,label\na,dog\nb,Bird\nc,cat\n", '"Bird" is no class', 'upper and lower case count: there is "bird"'),
        ("Dog\nbird\ncat\n", 'truth.csv:1: "Dog" is no class', 'there is "dog"'),
        ("1\n2\n3\n", "truth.csv:3: the index 3 is out of range", "if these count from 1, subtract 1"),
        ("1\n4\n3\n", "truth.csv:2: the index 4 is out of range", "count from 0 to 2"),
        ("0\n-1\n2\n", "truth.csv:2: the index -1 is negative", "count from 0"),
        ("0\n0.5\n2\n", '"0.5" is no class', None),
        ("dog\nbird\n", "has 2 rows, but the input has more", None),
        ("dgo\nbird\ncat\n", "has 2 rows, but the input has more", '"dgo", was taken for a header'),
        ("dog\nbird\ncat\ndog\n", "has 4 rows, but the input has 3", '"dog", was taken for a truth'),
        ("dog\n" * 9, "has 9 rows, but the input has 3", "keep only the truth of these rows"),
        ("id;label\na;dog\n", 'truth.csv:1: a single column, "id;label"', "commas separate the cells"),
        ("a,dog\nb,bird\nc,cat\n", "truth.csv:1: 2 columns without a header", "id,label"),
        ("id,label\na,dog\nb\n", "1 cell, but the first row has 2", None),
        ("id,one,two\na,dog,cat\nb,cat,dog\nc,cat,dog\n", "which one holds the truth", "--truth-column"),
        ("id,label,label\na,dog,dog\n", "two columns have the same name", None),
        ("id,cat,dog,bird\na,1,1,0\nb,0,0,1\nc,1,0,0\n", "truth.csv:2: 2 classes are 1, but exactly one", None),
    ],
)
def test_truth_that_is_none(text: str, message: str, hint: str | None, tmp_path: Path) -> None:
    """Says where, what was found, and what to do."""
    with pytest.raises(DataError) as caught:
        answers(tmp_path, text)
    assert message in caught.value.message
    assert hint is None or hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,cat,dog\na,0,1\nb,1,0\nc,0,0\n", 'no column for "bird"'),
        ("id,cat,dog,bird,fish\na,0,1,0,1\n", 'column "fish" is no class'),
        ("id,cat,dog,bird\na,0,1,0\nb,0,2,0\nc,0,0,0\n", 'truth.csv:3: column "dog": "2" is neither 0 nor 1'),
        ("id,cat,dog,bird\na,0,1,0\nb,0,0.5,0\nc,0,0,0\n", 'truth.csv:3: column "dog": "0.5" is neither 0 nor 1'),
        ("id,cat,dog,bird\na,0,1,0\nb,0,,0\nc,0,0,0\n", 'truth.csv:3: column "dog": is empty'),
        ("id,labels\na,cat|fish\nb,\nc,\n", 'truth.csv:2: column "labels": "fish" is no class'),
        ("id,labels\na,cat||dog\nb,\nc,\n", 'truth.csv:2: column "labels": is empty'),
    ],
)
def test_sets_that_are_none(text: str, message: str, tmp_path: Path) -> None:
    """Say where, and what was found."""
    with pytest.raises(DataError) as caught:
        answers(tmp_path, text, task="multilabel")
    assert message in caught.value.message


@pytest.mark.parametrize("header", ["id,x,y", "a,dog,y"])
def test_a_table_of_other_names(header: str, tmp_path: Path) -> None:
    """Is an error that says which names the columns should have, whatever else the first line could be."""
    with pytest.raises(DataError, match="which one holds the truth") as caught:
        answers(tmp_path, f"{header}\na,0,1\nb,1,0\nc,0,0\n", task="multilabel")
    assert (caught.value.hint or "").endswith('a 0/1 table has the columns "cat", "dog", "bird"')


def test_an_id_of_two_rows_of_the_input(tmp_path: Path) -> None:
    """Is an error, also when all of the truth is there."""
    given = "id,cat,dog,bird\na,1,2,3\nb,4,5,6\na,7,8,9\n"
    with pytest.raises(DataError, match=r'input.csv:4: "id" is "a", as it is of another row before'):
        answers(tmp_path, "id,label\na,dog\nb,cat\n", given=given)


def test_the_column_can_be_said(tmp_path: Path) -> None:
    """Of a file with several that might be it."""
    text = "id,one,two\na,dog,cat\nb,cat,dog\nc,cat,bird\n"
    assert answers(tmp_path, text, column="two") == [0, 1, 2]
    with pytest.raises(UsageError, match="has no column 'three'"):
        answers(tmp_path, text, column="three")


@pytest.mark.parametrize("options", [{}, {"column": "fish"}])
def test_no_truth_at_all(options: dict[str, str], tmp_path: Path) -> None:
    """Is a usage error."""
    (tmp_path / "input.csv").write_text(INPUT)
    layout = open_inputs([str(tmp_path / "input.csv")], ReadOptions()).layout
    with pytest.raises(UsageError):
        settle(TruthSpec(Task.SOFTMAX, CLASSES), layout, file=None, column=options.get("column"))


def test_the_truth_in_a_column_of_the_input(tmp_path: Path) -> None:
    """It is carried along, whatever it holds."""
    path = tmp_path / "input.csv"
    for text, classes in (
        ("right,cat,dog\ndog,1,2\ncat,3,4\n", ("cat", "dog")),
        ("cat,dog,y\n1,2,1\n3,4,0\n", ("cat", "dog")),
    ):
        path.write_text(text)
        column = "right" if "right" in text else "y"
        inputs = open_inputs([str(path)], ReadOptions(truth=column))
        assert inputs.layout.classes == classes
        assert not inputs.notes
        truth = settle(TruthSpec(Task.SOFTMAX, classes), inputs.layout, file=None, column=column)
        taken = []
        for chunk in inputs.chunks(0):
            if chunk is not None:
                taken += truth.take(chunk.decode(), 0).tolist()
        truth.finish(2)
        assert taken == [1, 0]
    with pytest.raises(ActcliError, match="--truth-column: the input has no column 'x'"):
        open_inputs([str(path)], ReadOptions(truth="x"))


def test_rows_that_are_left_out_keep_their_truth(tmp_path: Path) -> None:
    """By position the others have their own numbers; by id as many may be left over."""
    path = tmp_path / "input.csv"
    path.write_text("id,cat,dog\na,1,2\nb,x,4\nc,5,6\n")
    for text in ("dog\ncat\ndog\n", "id,label\na,dog\nb,cat\nc,dog\n"):
        (tmp_path / "truth.csv").write_text(text)
        inputs = open_inputs([str(path)], ReadOptions(skip=True))
        truth = settle(
            TruthSpec(Task.SOFTMAX, ("cat", "dog")), inputs.layout, file=str(tmp_path / "truth.csv"), column=None
        )
        taken, rows = [], 0
        for chunk in inputs.chunks(0):
            if chunk is not None:
                batch = chunk.decode()
                taken += truth.take(batch, rows).tolist()
                rows += len(batch.scores) + batch.left_out
        assert taken == [1, 1]
        truth.finish(rows, left_out=1)
    with pytest.raises(DataError, match="1 of its 3 rows is not in the input"):
        truth.finish(rows)


def test_an_archive_of_several_arrays(tmp_path: Path) -> None:
    """The hint names the option that chooses the truth, not the one that chooses the scores."""
    np.savez(tmp_path / "truth.npz", a=np.array([0, 1, 2]), b=np.array([2, 1, 0]))
    with pytest.raises(DataError) as caught:
        answers(tmp_path, tmp_path / "truth.npz")
    assert caught.value.hint == "say which one holds the truth: --truth-key NAME"
    with pytest.raises(UsageError, match=r"--truth-key: .* holds no array 'c'"):
        answers(tmp_path, tmp_path / "truth.npz", key="c")


def test_a_truth_far_longer_than_the_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is not read to its end where the number of rows of the input is known."""
    monkeypatch.setattr(truth, "SURPLUS", 10)
    np.save(tmp_path / "scores.npy", np.zeros((3, 3)))
    (tmp_path / "truth.csv").write_text("label\n" + "dog\n" * 30_000)
    inputs = open_inputs([str(tmp_path / "scores.npy")], ReadOptions())
    with pytest.raises(DataError, match="has more than 13 rows, but the input has 3"):
        settle(TruthSpec(Task.SOFTMAX, CLASSES), inputs.layout, file=str(tmp_path / "truth.csv"), column=None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id,label\na,2.0\nb,2.000e+00\nc,20e-1\n", [2, 2, 2]),
        ("id,label\na,+1\nb,1.\nc,01\n", [1, 1, 1]),
        (",0\na,cat\nb,dog\nc,cat\n", None),
    ],
)
def test_whole_numbers_in_any_form(text: str, expected: list[int] | None, tmp_path: Path) -> None:
    """As NumPy's savetxt, spreadsheets and pandas write them; a nameless pandas column is a column."""
    if expected is None:
        given = INPUT.replace("id", "", 1)
        assert answers(tmp_path, text, given=given) == [0, 1, 0]
        assert answers(tmp_path, text, given=given, column="0") == [0, 1, 0]
    else:
        assert answers(tmp_path, text) == expected


@pytest.mark.parametrize("text", ["id,label\na,0.5\n", "id,label\na,1e400\n", "id,label\na,nan\n", "id,label\na,1_0\n"])
def test_what_is_no_whole_number(text: str, tmp_path: Path) -> None:
    """Is no class."""
    with pytest.raises(DataError, match="is no class"):
        answers(tmp_path, text)


PAIR = ("no", "yes")


@pytest.mark.parametrize(
    ("labels", "more", "expected"),
    [
        (("True", "False", "true"), {}, [1, 0, 1]),
        (("TRUE", "0", "1.0"), {}, [1, 0, 1]),
        (("-1", "+1", "1"), {"signed": True}, [0, 1, 1]),
        (("-1.0", "1e0", "yes"), {"signed": True}, [0, 1, 1]),
        (("0", "1", "1"), {"signed": True}, [0, 1, 1]),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "json", "parquet", "npy"])
def test_two_classes(
    labels: tuple[str, ...], more: dict[str, Any], expected: list[int], suffix: str, tmp_path: Path
) -> None:
    """True and false, 0 and 1, and with a named positive class -1 and 1, in text and typed formats."""
    path = tmp_path / f"truth.{suffix}"
    typed: list[Any]
    if labels[1] == "False":
        typed = [label.lower() == "true" for label in labels]
    elif "yes" in labels:
        typed = list(labels)
    else:
        typed = [1.0 if label == "TRUE" else float(label) for label in labels]
    if suffix == "csv":
        path.write_text("id,label\n" + "".join(f"{id},{label}\n" for id, label in zip("abc", labels, strict=True)))
    elif suffix == "json":
        path.write_text(json.dumps([{"id": id, "label": label} for id, label in zip("abc", typed, strict=True)]))
    elif suffix == "parquet":
        pyarrow.parquet.write_table(pa.table({"id": list("abc"), "label": typed}), path)
    elif "yes" not in labels:
        if typed[1] is False:
            pytest.skip("NPY of truth values is refused, as it is for scores")
        np.save(path, np.array(typed))
    else:
        pytest.skip("NPY holds no texts")
    assert answers(tmp_path, path, task="binary", classes=PAIR, **more) == expected


def test_minus_one_needs_a_named_positive_class(tmp_path: Path) -> None:
    """And 0 and -1 are not both the negative class, wherever they stand."""
    with pytest.raises(DataError, match="the index -1 is negative") as caught:
        answers(tmp_path, "id,label\na,-1\nb,1\nc,1\n", task="binary", classes=PAIR)
    assert "--positive NAME" in (caught.value.hint or "")
    np.save(tmp_path / "truth.npy", [0, 1, -1])
    for mixed in ("id,label\na,-1\nb,1\nc,0\n", "id,label\na,0\nb,1\nc,-1\n", tmp_path / "truth.npy"):
        with pytest.raises(DataError, match="-1 and 0 are both the negative class"):
            answers(tmp_path, mixed, task="binary", classes=PAIR, signed=True)


@pytest.mark.parametrize("suffix", ["csv", "npy"])
def test_an_ignored_index(suffix: str, tmp_path: Path) -> None:
    """Rows with that number as their truth are left out, also if a class has it as its index or name."""
    notes: list[str] = []
    for ignored, classes, expected in ((-100, CLASSES, [1]), (255, CLASSES, [1]), (0, CLASSES, [1]), (3, "321", [1])):
        truth = tmp_path / f"truth.{suffix}"
        values = [ignored, 2 if classes == "321" else 1, ignored]
        if suffix == "npy":
            np.save(truth, values)
        else:
            truth.write_text("".join(f"{value}\n" for value in ("label", *values)))
        assert answers(tmp_path, truth, classes=tuple(classes), ignored=ignored, notes=notes) == expected
    assert "--ignore-index 255: 2 rows are left out" in notes


LONG = "id,label\nx,cat\nc,bird\na,dog\ny,cat\nb,cat\n"


def test_joins(tmp_path: Path) -> None:
    """Exact needs both sides, left the truth of each row, inner neither; a note counts the rows."""
    notes: list[str] = []
    with pytest.raises(DataError, match="2 of its 5 rows are not in the input") as caught:
        answers(tmp_path, LONG)
    assert "--join left" in (caught.value.hint or "")
    assert answers(tmp_path, LONG, join=Join.LEFT, notes=notes) == [1, 0, 2]
    assert "--join left: 3 rows are used; 2 of 5 truths are of no row" in notes
    with pytest.raises(DataError, match='"id" is "b", which is not in') as caught:
        answers(tmp_path, LONG.replace("b,cat\n", ""), join=Join.LEFT)
    assert "--join inner" in (caught.value.hint or "")
    assert answers(tmp_path, LONG.replace("b,cat\n", ""), join=Join.INNER, notes=notes) == [1, 2]
    assert notes[-1] == f"--join inner: 2 rows are used, of 3 of the input and 4 of {tmp_path / 'truth.csv'}"
    assert answers(tmp_path, "id,label\nx,cat\ny,dog\n", join=Join.INNER) == []


@pytest.mark.parametrize("join", list(Join))
def test_ids_that_occur_twice(join: Join, tmp_path: Path) -> None:
    """Are errors in any join."""
    with pytest.raises(DataError, match='"id" is "a" twice, in rows 1 and 3'):
        answers(tmp_path, "id,label\na,dog\nb,cat\na,dog\nc,cat\n", join=join)
    with pytest.raises(DataError, match="as it is of another row before"):
        answers(tmp_path, "id,label\na,dog\nb,cat\nc,cat\n", given=INPUT + "a,1,1,1\n", join=join)


@pytest.mark.parametrize("join", [Join.LEFT, Join.INNER])
def test_a_join_needs_ids(join: Join, tmp_path: Path) -> None:
    """Without them nothing says which rows belong together."""
    with pytest.raises(UsageError, match=f"--join {join}: the input and .* have no column of the same name"):
        answers(tmp_path, "dog\ncat\ncat\n", join=join)


@pytest.mark.parametrize("seed", range(3))
def test_joins_of_random_ids(seed: int, tmp_path: Path) -> None:
    """As a dictionary does it, one row after the other, in blocks of any size."""
    rng = np.random.default_rng(seed)
    ids, known = rng.permutation(400)[:200], rng.permutation(400)[:300]
    right = {id: CLASSES[code] for id, code in zip(known.tolist(), rng.integers(0, 3, 300), strict=True)}
    given = "id,cat,dog,bird\n" + "".join(f"{id},1,2,3\n" for id in ids)
    truth = "id,label\n" + "".join(f"{id},{label}\n" for id, label in right.items())
    expected = [CLASSES.index(right[id]) for id in ids.tolist() if id in right]
    assert answers(tmp_path, truth, given=given, join=Join.INNER) == expected


def test_a_truth_joined_by_position_is_read_in_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes far after the rows of the input is not read: not even what is no class."""
    monkeypatch.setattr(truth, "SURPLUS", 10)
    path = tmp_path / "truth.csv"
    path.write_text("label\ndog\ncat\nbird\n" + "cat\n" * 600_000 + "fish\n")
    with pytest.raises(DataError, match=r"has more than 13 rows, but the input has 3"):
        answers(tmp_path, path)


def test_hashes_that_are_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ids are compared by their texts."""
    monkeypatch.setattr(truth_ids, "hash", len, raising=False)
    assert answers(tmp_path, "id,label\nc,bird\na,dog\nb,cat\n") == [1, 0, 2]
    with pytest.raises(DataError, match='"id" is "a" twice, in rows 2 and 4'):
        answers(tmp_path, "id,label\nc,bird\na,dog\nb,cat\na,dog\n")
    assert answers(tmp_path, "id,label\nx,bird\nb,dog\n", join=Join.INNER) == [1]
