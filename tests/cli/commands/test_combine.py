"""`actcli combine`: the mean of several inputs (NumPy, SciPy), and how their rows are matched."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from actcli.prediction.combining import weighted_mean
from program import SAMPLES, Actcli, Result

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    Array = np.ndarray[Any, np.dtype[np.float64]]

NAMES = ("a", "b", "c")


@pytest.fixture(name="logits")
def two_models() -> Array:
    """Return the logits of two models, shape (2, 50, 3)."""
    return np.random.default_rng(8).normal(0, 3, (2, 50, 3)).round(3)


def written(path: Path, scores: Array, ids: Sequence[str] | None = None, names: Sequence[str] = NAMES) -> Path:
    """Write a CSV file with a column of ids, if there are any."""
    rows = [[*([] if ids is None else ["id"]), *names]]
    for number, row in enumerate(scores.tolist()):
        rows.append([*([] if ids is None else [ids[number]]), *map(repr, row)])
    path.write_text("".join(",".join(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read(result: Result) -> tuple[list[str], list[str], Array]:
    """Return the header, the first cell of each row, and the numbers after it."""
    assert result.code == 0, result.err
    header, *rows = csv.reader(io.StringIO(result.text))
    return header, [row[0] for row in rows], np.array([list(map(float, row[-3:])) for row in rows])


def ids_of(count: int) -> list[str]:
    """Return distinct ids."""
    return [f"row-{number:03}" for number in range(count)]


@pytest.mark.parametrize(
    ("task", "activation"),
    [
        ("softmax", lambda x: scipy.special.softmax(x, axis=-1)),
        ("multilabel", scipy.special.expit),
    ],
)
@pytest.mark.usefixtures("chunk_bytes")
def test_the_mean_of_probabilities(task: str, activation: Any, logits: Array, actcli: Actcli, tmp_path: Path) -> None:
    """Is NumPy's weighted mean of SciPy's activations."""
    paths = [written(tmp_path / f"{number}.csv", scores, ids_of(50)) for number, scores in enumerate(logits)]
    header, ids, found = read(actcli("combine", *paths, "--task", task, "--weights", ".7,.1"))
    assert header == ["id", "p_a", "p_b", "p_c"]
    assert ids == ids_of(50)
    expected = np.average(activation(logits), axis=0, weights=[0.7, 0.1])
    np.testing.assert_allclose(found, expected, rtol=1e-13)


@pytest.mark.usefixtures("chunk_bytes")
def test_the_mean_of_logits(logits: Array, actcli: Actcli, tmp_path: Path) -> None:
    """Has the columns of the classes; without a column of ids rows are matched by position."""
    paths = [written(tmp_path / f"{number}.csv", scores) for number, scores in enumerate(logits)]
    header, _, found = read(actcli("combine", *paths, "--mean", "logits"))
    assert header == list(NAMES)
    np.testing.assert_allclose(found, logits.mean(axis=0), rtol=1e-14, atol=1e-15)


@pytest.mark.usefixtures("chunk_bytes")
def test_binary(actcli: Actcli, tmp_path: Path) -> None:
    """One logit and two logits of the same model have the same mean."""
    x = np.random.default_rng(3).normal(0, 2, (30, 1))
    np.save(tmp_path / "one.npy", x)
    np.save(tmp_path / "two.npy", np.concatenate([np.zeros_like(x), x], axis=1))
    for names in (("one.npy", "one.npy"), ("one.npy", "two.npy")):
        result = actcli("combine", *(tmp_path / name for name in names), "--task", "binary")
        assert result.code == 0, result.err
        header, *rows = csv.reader(io.StringIO(result.text))
        assert header == ["p_negative", "p_positive"] if names == ("one.npy", "one.npy") else ["p_0", "p_1"]
        np.testing.assert_allclose(np.array(rows, dtype=float)[:, 1:], scipy.special.expit(x), rtol=1e-14)


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.usefixtures("chunk_bytes")
def test_rows_are_matched_by_id(shuffled: bool, logits: Array, actcli: Actcli, tmp_path: Path) -> None:
    """In any order, and classes by name in any order: the first file says which holds."""
    order = np.random.default_rng(1).permutation(50) if shuffled else np.arange(50)
    ids = ids_of(50)
    first = written(tmp_path / "a.csv", logits[0], ids)
    turned = logits[1][order][:, [2, 0, 1]]
    second = written(tmp_path / "b.csv", turned, [ids[number] for number in order], ["c", "a", "b"])
    _, found_ids, found = read(actcli("combine", first, second, "--mean", "logits"))
    assert found_ids == ids
    np.testing.assert_allclose(found, logits.mean(axis=0), rtol=1e-14, atol=1e-15)


@pytest.mark.usefixtures("chunk_bytes")
def test_groups(actcli: Actcli, tmp_path: Path) -> None:
    """Are means of consecutive rows within each file, then over the files, however many rows each has."""
    generator = np.random.default_rng(6)
    sizes = [generator.integers(1, 5, 12) for _ in range(2)]
    tables = [generator.normal(0, 2, (int(size.sum()), 3)) for size in sizes]
    names = [f"image {number}" for number in range(12)]
    paths = []
    for number, (size, table) in enumerate(zip(sizes, tables, strict=True)):
        paths.append(written(tmp_path / f"{number}.csv", table, [names[each] for each in np.repeat(range(12), size)]))
    expected = []
    for size, table in zip(sizes, tables, strict=True):
        parts = np.split(scipy.special.softmax(table, axis=1), np.cumsum(size)[:-1])
        expected.append(np.array([part.mean(axis=0) for part in parts]))
    header, ids, found = read(actcli("combine", *paths, "--group", "id"))
    assert header == ["id", "p_a", "p_b", "p_c"]
    assert ids == names
    np.testing.assert_allclose(found, np.mean(expected, axis=0), rtol=1e-13)
    _, _, alone = read(actcli("combine", paths[0], "--group", "id"))
    np.testing.assert_allclose(alone, expected[0], rtol=1e-13)


@pytest.mark.usefixtures("chunk_bytes")
def test_a_file_with_itself(actcli: Actcli, tmp_path: Path) -> None:
    """Is the file, byte for byte: logits, and the probabilities that actcli wrote."""
    logits = SAMPLES / "digits_logits.csv"
    assert actcli("combine", logits, logits, "--mean", "logits", "--weights", ".3,.7").out == logits.read_bytes()
    assert actcli("softmax", logits, "--columns", "id,probabilities", "-o", tmp_path / "p.csv").code == 0
    again = actcli("combine", tmp_path / "p.csv", tmp_path / "p.csv", tmp_path / "p.csv")
    assert again.out == (tmp_path / "p.csv").read_bytes()


@pytest.mark.parametrize("format", ["csv", "json", "jsonl", "parquet", "arrow"])
def test_the_result_is_known(format: str, actcli: Actcli, tmp_path: Path) -> None:
    """As probabilities, without an option: evaluate finds what it finds in the logits."""
    logits, truth = SAMPLES / "digits_logits.csv", SAMPLES / "digits_truth.csv"
    path = tmp_path / f"mean.{format}"
    assert actcli("combine", logits, logits, "-o", path).code == 0
    found = json.loads(actcli("evaluate", path, "--truth", truth).out)
    expected = json.loads(actcli("evaluate", logits, "--truth", truth).out)
    assert found["metrics"] == pytest.approx(expected["metrics"], rel=1e-12)


def test_arrays(logits: Array, actcli: Actcli, tmp_path: Path) -> None:
    """Of NPY hold the mean only, those of NPZ the ids too."""
    paths = [written(tmp_path / f"{number}.csv", scores, ids_of(50)) for number, scores in enumerate(logits)]
    expected = scipy.special.softmax(logits, axis=-1).mean(axis=0)
    assert actcli("combine", *paths, "-o", tmp_path / "mean.npy").code == 0
    np.testing.assert_allclose(np.load(tmp_path / "mean.npy"), expected, rtol=1e-13)
    assert actcli("combine", *paths, "-o", tmp_path / "mean.npz").code == 0
    found = np.load(tmp_path / "mean.npz")
    assert found["id"].tolist() == ids_of(50)
    np.testing.assert_allclose(found["probabilities"], expected, rtol=1e-13)


@pytest.mark.usefixtures("chunk_bytes")
def test_other_types_of_ids(logits: Array, actcli: Actcli, tmp_path: Path) -> None:
    """Match by their text, across formats; the first file's type is written."""
    table = pa.table({"id": pa.array(range(50), pa.int32()), **{n: logits[0][:, i] for i, n in enumerate(NAMES)}})
    pq.write_table(table, tmp_path / "a.parquet")
    written(tmp_path / "b.csv", logits[1][::-1], [str(number) for number in reversed(range(50))])
    result = actcli(
        "combine", tmp_path / "a.parquet", tmp_path / "b.csv", "--mean", "logits", "-o", tmp_path / "mean.parquet"
    )
    assert result.code == 0, result.err
    found = pq.read_table(tmp_path / "mean.parquet")
    assert found.schema.field("id").type == pa.int32()
    numbers = np.stack([found[name].to_numpy() for name in NAMES], axis=1)
    np.testing.assert_allclose(numbers, logits.mean(axis=0), rtol=1e-14, atol=1e-15)


CASES = {
    "one": ("combine a.csv", 2, "there is one"),
    "none": ("combine a.csv missing.csv", 1, "missing.csv"),
    "weights: count": ("combine a.csv a.csv --weights 1,2,3", 2, "has 3 numbers for 2 files"),
    "weights: text": ("combine a.csv a.csv --weights 1,x", 2, "'x' is not a number"),
    "weights: nan": ("combine a.csv a.csv --weights 1,nan", 2, "'nan' is not a number"),
    "weights: negative": ("combine a.csv a.csv --weights 1,-1", 2, "'-1' is not a number"),
    "weights: zero": ("combine a.csv a.csv --weights 0,0", 2, "all are 0"),
    "group: unknown": ("combine a.csv --group image", 2, "carries no column 'image'"),
    "group: scattered": ("combine scattered.csv --group id", 1, "do not follow one another"),
    "classes": ("combine a.csv other.csv", 1, "has no class"),
    "fewer classes": ("combine a.csv narrow.csv", 1, "has 2 classes"),
    "missing": ("combine a.csv short.csv", 1, "has no row where"),
    "extra": ("combine short.csv a.csv", 1, "that short.csv does not have"),
    "repeated": ("combine a.csv repeated.csv", 1, "in two rows"),
    "repeated in the first": ("combine repeated.csv a.csv", 1, "in two rows"),
    "fewer rows": ("combine a.npy short.npy", 1, "has fewer rows than a.npy"),
    "more rows": ("combine short.npy a.npy", 1, "has more rows than short.npy"),
    "a bad row": ("combine a.csv bad.csv", 1, "bad.csv"),
    "softmax of one class": ("combine one.csv one.csv", 1, "single class"),
    "standard input twice": ("combine - -", 2, "only once"),
    "an output that is an input": ("combine a.csv a.csv -o a.csv", 2, "a.csv"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.usefixtures("chunk_bytes")
def test_errors(case: str, actcli: Actcli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Are one line that says what is wrong, and no file is written."""
    monkeypatch.chdir(tmp_path)
    scores = np.arange(12.0).reshape(4, 3) % 5
    ids = ["w", "x", "y", "z"]
    written(tmp_path / "a.csv", scores, ids)
    written(tmp_path / "short.csv", scores[:3], ids[:3])
    written(tmp_path / "repeated.csv", scores, ["w", "y", "x", "y"])
    written(tmp_path / "scattered.csv", scores, ["w", "x", "w", "z"])
    written(tmp_path / "other.csv", scores, ids, ["a", "b", "d"])
    written(tmp_path / "narrow.csv", scores[:, :2], ids, ["a", "b"])
    written(tmp_path / "one.csv", scores[:, :1], ids, ["a"])
    (tmp_path / "bad.csv").write_text("id,a,b,c\nw,1,2,3\nx,1,nan,3\n", encoding="utf-8")
    np.save(tmp_path / "a.npy", scores)
    np.save(tmp_path / "short.npy", scores[:3])
    line, code, text = CASES[case]
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    more = [] if "-o" in line else ["-o", "out.csv"]
    result = actcli(*line.split(), *more)
    assert result.code == code, result.err
    assert text in result.err
    assert len([each for each in result.err.splitlines() if "error:" in each]) == 1
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name != ".stdin"} == before


@given(
    arrays(np.float64, (5, 3, 4), elements=st.floats(-1e300, 1e300)),
    st.lists(st.floats(0, 1e6), min_size=3, max_size=3).filter(lambda found: sum(found) > 0),
)
def test_the_weighted_mean(values: Array, weights: list[float]) -> None:
    """Is NumPy's, and never outside the numbers; that of equal tables is the table."""
    with np.errstate(over="ignore"):
        found = weighted_mean(values, weights)
        expected = np.average(values.astype(np.longdouble), axis=1, weights=np.array(weights, np.longdouble))
    np.testing.assert_allclose(found, expected.astype(float), rtol=1e-12, atol=float(np.abs(values).max() * 1e-13))
    equal = np.repeat(values[:, :1], 3, axis=1)
    np.testing.assert_array_equal(weighted_mean(equal, weights), values[:, 0])


def test_a_masked_class() -> None:
    """Masks the mean, unless its weight is 0."""
    values = np.array([[[-np.inf, 1.0, -np.inf], [2.0, 3.0, -np.inf]]])
    np.testing.assert_array_equal(weighted_mean(values, [1, 1]), [[-np.inf, 2.0, -np.inf]])
    np.testing.assert_array_equal(weighted_mean(values, [0, 1]), [[2.0, 3.0, -np.inf]])


@pytest.mark.parametrize(
    ("shape", "weights"), [((2, 2), [1, 1]), ((2, 3, 1), [1, 1]), ((2, 2, 1), [1, -1]), ((2, 2, 1), [0, 0])]
)
def test_wrong_arguments(shape: tuple[int, ...], weights: list[float]) -> None:
    """Are refused."""
    with pytest.raises(ValueError, match=r"needed|must be"):
        weighted_mean(np.zeros(shape), weights)
