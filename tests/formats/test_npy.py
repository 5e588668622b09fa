"""NPY: every dtype and order, headers that lie, arrays that are no scores."""

from __future__ import annotations

import io
import pickle
import subprocess
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import scipy.special

from program import command, environment

if TYPE_CHECKING:
    from pathlib import Path

    from program import Actcli

SCORES = np.random.default_rng(0).normal(size=(40, 5)) * 3


def npy(array: np.ndarray[Any, Any], **options: Any) -> bytes:
    """Return the bytes of an NPY file."""
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **options)
    return file.getvalue()


def loaded(data: bytes) -> np.ndarray[Any, Any]:
    """Return the array in the bytes of an NPY file."""
    return np.asarray(np.load(io.BytesIO(data), allow_pickle=False))


def with_header(text: str, data: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    """Return an NPY file with this text as its header."""
    length = len(text).to_bytes(2 if version == (1, 0) else 4, "little")
    return b"\x93NUMPY" + bytes(version) + length + text.encode() + data


@pytest.mark.usefixtures("chunk_bytes")
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "<i8", ">i4", "i1", "u1"])
def test_any_number_in_any_order(dtype: str, order: Any, tmp_path: Path, actcli: Actcli) -> None:
    """From a file and from a pipe, the probabilities are SciPy's of the numbers that are stored."""
    array = np.asarray(SCORES.astype(dtype), order=order)
    path = tmp_path / "scores.npy"
    path.write_bytes(npy(array))
    result = actcli("softmax", path, "-f", "npy")
    found = loaded(result.out)
    assert found.dtype == ("f4" if dtype[1:] in ("f2", "f4") else "f8")
    tolerance = 1e-6 if found.dtype == "f4" else 1e-14
    np.testing.assert_allclose(found, scipy.special.softmax(array.astype(np.float64), axis=1), rtol=tolerance)
    piped = subprocess.run(
        command("softmax", "-f", "npy"), input=path.read_bytes(), capture_output=True, check=True, env=environment()
    )
    assert piped.stdout == result.out


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_versions_of_the_format(version: tuple[int, int], actcli: Actcli) -> None:
    """1.0 to 3.0."""
    if version == (3, 0):
        data = npy(SCORES, version=(2, 0)).replace(b"NUMPY\x02", b"NUMPY\x03", 1)
    else:
        data = npy(SCORES, version=version)
    result = actcli("softmax", "--columns", "index", stdin=data)
    assert [int(line) for line in result.text.splitlines()[1:]] == SCORES.argmax(axis=1).tolist()


def test_one_dimension(actcli: Actcli) -> None:
    """Is one row for softmax and multilabel, and one logit a row for binary."""
    data = npy(np.array([1.0, 3.0, 2.0]))
    assert actcli("softmax", "--columns", "index", stdin=data).text == "index\n1\n"
    assert actcli("multilabel", "--columns", "count", stdin=data).text == "count\n3\n"
    assert actcli("binary", "--columns", "label", stdin=data).text.count("positive") == 3


def test_no_rows(actcli: Actcli) -> None:
    """Are an empty result, not an error."""
    data = npy(np.zeros((0, 3)))
    assert actcli("softmax", stdin=data) == (0, b"label,probability,p_0,p_1,p_2\n", "")
    assert loaded(actcli("softmax", "-f", "npy", stdin=data).out).shape == (0, 3)


def test_choosing_classes(actcli: Actcli) -> None:
    """Columns go by their position, which stays their name."""
    data = npy(np.array([[9.0, 1.0, 2.0, 0.0]]))
    assert actcli("softmax", "--classes", "1:3", "--columns", "label", stdin=data).text == "label\n2\n"
    assert actcli("softmax", "--classes", "1:3", "--columns", "index", stdin=data).text == "index\n1\n"
    assert actcli("softmax", "--classes", "7", stdin=data).code == 2


REFUSED = {
    "three dimensions": (npy(np.zeros((2, 3, 4))), "has 3 dimensions"),
    "no dimension": (npy(np.zeros(())), "has 0 dimensions"),
    "no classes": (npy(np.zeros((3, 0))), "has no classes"),
    "booleans": (npy(np.zeros((2, 2), dtype=bool)), "holds booleans, not scores"),
    "complex": (npy(np.zeros((2, 2), dtype=complex)), "holds complex numbers"),
    "text": (npy(np.array([["a", "b"]])), "holds text"),
    "dates": (npy(np.zeros((2, 2), dtype="M8[s]")), "holds dates"),
    "records": (npy(np.zeros(2, dtype=[("a", "f8"), ("b", "f8")])), "holds records"),
    "long doubles": (npy(np.zeros((2, 2), dtype=np.longdouble)), "holds long doubles"),
    "objects": (npy(np.array([[{}, 1]], dtype=object), allow_pickle=True), "pickles are never loaded"),
    "too short": (npy(SCORES)[:-1], "shorter than its header says"),
    "too long": (npy(SCORES) + b"\0", "longer than its header says"),
    "header cut off": (npy(SCORES)[:40], "the NPY header cannot be read"),
    "magic only": (b"\x93NUMPY", "the NPY header is not of format"),
    "another version": (b"\x93NUMPY\x09\x00" + npy(SCORES)[8:], "but of 9.0"),
    "too many classes": (
        with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 1000000000), }\n"),
        "has 1,000,000,000 classes",
    ),
    "huge header": (b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + npy(SCORES)[12:], "that is no header"),
    "header that is no literal": (with_header("__import__('os').abort()"), "cannot be read"),
    "header without keys": (with_header("{}"), "cannot be read"),
    "header that nests": (with_header("(" * 5000), "cannot be read"),
    "negative shape": (
        with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 3), }\n"),
        "impossible shape",
    ),
    "a trillion rows": (
        with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 3), }\n", bytes(240)),
        "shorter than its header says",
    ),
    "a pickle": (pickle.dumps([[1.0, 2.0]]), "looks like a Python pickle"),
    "a zip archive": (b"PK\x03\x04" + bytes(40), "looks like NPZ"),
    "text instead": (b"1,2,3\n", "it begins with"),
    "nothing": (b"", "is empty"),
}


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused(data: bytes, message: str, tmp_path: Path, actcli: Actcli) -> None:
    """One clear line, no output file."""
    path = tmp_path / "scores.npy"
    path.write_bytes(data)
    target = tmp_path / "out.csv"
    result = actcli("softmax", path, "-o", target)
    assert result.code == 1
    assert message in result.err.splitlines()[0]
    assert not target.exists()


def test_a_pickle_is_never_loaded(tmp_path: Path, actcli: Actcli) -> None:
    """An object that would leave a trace when it is loaded leaves none."""
    trace = tmp_path / "trace"
    canary = np.array([Canary(trace)], dtype=object)
    for data in (npy(canary, allow_pickle=True), pickle.dumps(Canary(trace))):
        path = tmp_path / "scores.npy"
        path.write_bytes(data)
        assert actcli("softmax", path).code == 1
        assert not trace.exists()


class Canary:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (str(self.path), "w")


@pytest.mark.parametrize("change", [-8, -1, 1, 8])
def test_a_pipe_that_does_not_keep_what_its_header_says(change: int) -> None:
    """Ends in an error after the whole rows that did come."""
    whole = npy(SCORES)
    data = whole[:change] if change < 0 else whole + bytes(change)
    done = subprocess.run(
        command("softmax", "--columns", "index"), input=data, capture_output=True, check=False, env=environment()
    )
    assert done.returncode == 1
    assert done.stderr.startswith(b"actcli: error: <stdin>: ")
    assert done.stdout.count(b"\n") <= 1 + len(SCORES)


def test_a_fault_is_named_by_row_and_class(tmp_path: Path, actcli: Actcli) -> None:
    """Rows count from 1, classes go by name."""
    scores = SCORES.copy()
    scores[30, 2] = np.nan
    path = tmp_path / "scores.npy"
    np.save(path, scores)
    assert actcli("softmax", path).err.startswith(f'actcli: error: {path}: row 31: column "2": NaN is not a logit')


@pytest.mark.parametrize(
    ("column", "dtype", "shape"),
    [
        ("probabilities", "f8", (40, 5)),
        ("log_probabilities", "f8", (40, 5)),
        ("index", "i8", (40,)),
        ("onehot", "u1", (40, 5)),
        ("probability", "f8", (40,)),
        ("entropy", "f8", (40,)),
        ("top_k", "i8", (40, 2)),
        ("row", "i8", (40,)),
    ],
)
@pytest.mark.usefixtures("chunk_bytes")
def test_what_an_array_holds(column: str, dtype: str, shape: tuple[int, ...], tmp_path: Path, actcli: Actcli) -> None:
    """One numeric column; a file whose number of rows was not known before is as right as one whose was."""
    np.save(tmp_path / "scores.npy", SCORES)
    lines = [",".join(map(repr, row)) for row in SCORES.tolist()]
    ranked = ("-k", "2") if column == "top_k" else ()
    known = actcli("softmax", tmp_path / "scores.npy", *ranked, "--columns", column, "-f", "npy")
    found = loaded(known.out)
    assert (found.dtype, found.shape) == (np.dtype(dtype), shape)
    options = ("--no-header", *ranked, "--columns", column)
    unknown = actcli("softmax", *options, "-f", "npy", stdin="\n".join(lines).encode())
    assert actcli("softmax", *options, "-o", tmp_path / "out.npy", stdin="\n".join(lines).encode()).code == 0
    for other in (loaded(unknown.out), np.load(tmp_path / "out.npy")):
        assert other.dtype == found.dtype
        assert np.array_equal(other, found)


def test_ranks_by_default_when_they_are_asked_for(actcli: Actcli) -> None:
    """With --top-k an array holds the indices of the best classes."""
    found = loaded(actcli("softmax", "-k", "2", "-f", "npy", stdin=npy(SCORES)).out)
    assert found.tolist() == np.argsort(-SCORES, axis=1)[:, :2].tolist()


@pytest.mark.parametrize("columns", ["label", "probability,index", "file", "carried"])
def test_an_array_holds_nothing_else(columns: str, actcli: Actcli) -> None:
    """Text, or two columns, are a usage error."""
    result = actcli("softmax", "-f", "npy", "--columns", columns, stdin=npy(SCORES))
    assert result.code == 2
    assert "npy holds one numeric column" in result.err


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 4, 5)])
def test_the_hints_of_more_dimensions_keep_the_classes_together(shape: tuple[int, ...], actcli: Actcli) -> None:
    """Either line of Python in the hint makes rows of classes; which is right, the user must know."""
    array = np.arange(np.prod(shape)).reshape(shape).astype(float)
    result = actcli("softmax", stdin=npy(array))
    assert result.code == 1
    assert "you must know which axis holds the classes" in result.err
    first = f"np.moveaxis(a, 1, -1).reshape(-1, {shape[1]})"
    last = f"a.reshape(-1, {shape[-1]})"
    assert f"for axis 1: np.save(FILE, {first}); for the last: np.save(FILE, {last})" in result.err
    np.testing.assert_array_equal(
        np.moveaxis(array, 1, -1).reshape(-1, shape[1])[0], array[(0, slice(None), 0, 0)[: len(shape)]]
    )


def test_a_truth_of_more_dimensions(tmp_path: Path, actcli: Actcli) -> None:
    """It has no classes of its own."""
    np.save(tmp_path / "truth.npy", np.zeros((2, 3, 4), dtype=int))
    result = actcli("evaluate", "-", "--truth", tmp_path / "truth.npy", stdin=npy(np.zeros((24, 2))))
    assert result.code == 1
    assert "hint: reshape it in Python: np.save(FILE, a.reshape(-1))" in result.err
