"""`actcli gradient`: what stands in its tables and arrays, in any chunking."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet
import pytest
import scipy.special

from program import SAMPLES, Actcli, command, started, terminal, write_csv

if TYPE_CHECKING:
    from pathlib import Path

DIGITS = SAMPLES / "digits_logits.npy"


def jacobians(logits: np.ndarray) -> np.ndarray:
    """Return diag(y) - y yT of SciPy's softmax."""
    y = scipy.special.softmax(logits.astype(np.float64), axis=1)
    return np.stack([np.diag(row) - np.outer(row, row) for row in y])


@pytest.mark.usefixtures("chunk_bytes")
def test_jacobians_of_all_rows(actcli: Actcli, tmp_path: Path) -> None:
    """Are an array of shape (N, C, C), in the dtype of the input; in a pipe the same bytes."""
    assert actcli("gradient", DIGITS, "-o", tmp_path / "j.npy").code == 0
    found = np.load(tmp_path / "j.npy")
    assert found.shape == (450, 10, 10)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, jacobians(np.load(DIGITS)), atol=1e-6)
    actcli("gradient", DIGITS, "-o", tmp_path / "j.npz")
    with np.load(tmp_path / "j.npz") as archive:
        assert archive.files == ["gradient"]
        np.testing.assert_array_equal(archive["gradient"], found)
    piped = actcli("gradient", "--format", "npy", stdin=DIGITS.read_bytes())
    assert piped.out == (tmp_path / "j.npy").read_bytes()


@pytest.mark.usefixtures("chunk_bytes")
def test_jacobians_as_lines(actcli: Actcli, tmp_path: Path) -> None:
    """Are C lines a row, each with whose it is: the carried columns, or the row's number."""
    result = actcli("gradient", "-f", "jsonl", "--id", "id", stdin=b"id,a,b\nx,1,2\ny,0,0\n")
    assert [(row["id"], row["class"]) for row in result.rows] == [("x", "a"), ("x", "b"), ("y", "a"), ("y", "b")]
    found = [list(row["gradient"].values()) for row in result.rows]
    np.testing.assert_allclose(np.reshape(found, (2, 2, 2)), jacobians(np.array([[1, 2], [0, 0]])), rtol=1e-15)
    text = actcli("gradient", stdin=b"a,b\n0,0\n0,0\n").text
    assert text == "row,class,grad_a,grad_b\n0,a,0.25,-0.25\n0,b,-0.25,0.25\n1,a,0.25,-0.25\n1,b,-0.25,0.25\n"
    actcli("gradient", "-o", tmp_path / "j.parquet", "--id", "row", stdin=b"row,a,b\n7,0,0\n8,0,0\n")
    table = pyarrow.parquet.read_table(tmp_path / "j.parquet").to_pydict()
    assert table["row"] == ["7", "7", "8", "8"]
    assert table["class"] == ["a", "b", "a", "b"]
    assert table["grad_b"] == [-0.25, 0.25, -0.25, 0.25]


@pytest.mark.usefixtures("chunk_bytes")
def test_row_numbers_of_lines(actcli: Actcli, tmp_path: Path) -> None:
    """Are those of the input, in every format that writes them."""
    logits = write_csv(tmp_path / "x.csv", np.random.default_rng(0).normal(size=(7, 3)))
    expected = np.repeat(np.arange(7), 3).tolist()
    assert [row["row"] for row in actcli("gradient", logits, "-f", "jsonl").rows] == expected
    actcli("gradient", logits, "-o", tmp_path / "j.arrow")
    assert pyarrow.ipc.open_file(tmp_path / "j.arrow").read_all()["row"].to_pylist() == expected


@pytest.mark.usefixtures("chunk_bytes")
def test_a_single_row(actcli: Actcli) -> None:
    """Is a square table without the row's number; of an array, one matrix."""
    text = actcli("gradient", "--row", "1", stdin=b"a,b\n5,0\n0,0\nnan,1\n").text
    assert text == "class,grad_a,grad_b\na,0.25,-0.25\nb,-0.25,0.25\n"
    array = np.load(io.BytesIO(actcli("gradient", DIGITS, "--row", "449", "-f", "npy").out))
    np.testing.assert_allclose(array, jacobians(np.load(DIGITS))[449:], atol=1e-6)
    one = actcli("gradient", "--of", "sigmoid", "--row", "1", stdin=b"id,a\nx,3\ny,0\n")
    assert one.text == "id,grad_a\ny,0.25\n"


@pytest.mark.usefixtures("chunk_bytes")
def test_what_stands_after_a_single_row(actcli: Actcli) -> None:
    """Does not matter, before it only what cannot be read does."""
    stdin = b"a,b\nnan,0\n0,0\nfish,1\n"
    assert actcli("gradient", "--row", "1", stdin=stdin).code == 0
    result = actcli("gradient", "--row", "2", stdin=stdin)
    assert result.code == 1
    assert result.err.startswith('actcli: error: <stdin>:4: column "a": "fish" is not a number\n')
    assert actcli("gradient", "--row", "0", stdin=stdin).err.startswith('actcli: error: <stdin>:2: column "a": NaN')


def test_a_row_that_is_not_there(actcli: Actcli) -> None:
    """Is a usage error that says which there are."""
    result = actcli("gradient", DIGITS, "--row", "450")
    assert result.code == 2
    assert result.err.startswith("actcli: error: --row: the input has 450 rows, and no row 450\nhint: ")
    assert "from 0 to 449" in result.err
    assert actcli("gradient", DIGITS, "--row", "-1").code == 2


def test_a_row_from_a_pipe_is_answered_at_once() -> None:
    """Though more could come."""
    with started("gradient", "--row", "1", "--no-output-header") as running:
        running.send(b"a,b\n1,2\n0,0\n")
        assert running.line() == b"a,0.25,-0.25\n"
        running.end()


@pytest.mark.usefixtures("chunk_bytes")
def test_the_sigmoid(actcli: Actcli) -> None:
    """A derivative for each cell (SciPy), also far from 0; T divides."""
    logits = [[0.0, 2.0, -3.0], [40.0, -40.0, -700.0]]
    stdin = "".join(",".join(map(repr, row)) + "\n" for row in logits).encode()
    found = np.load(io.BytesIO(actcli("gradient", "--of", "sigmoid", "-f", "npy", stdin=stdin).out))
    expected = scipy.special.expit(logits) * scipy.special.expit(-np.array(logits))
    np.testing.assert_allclose(found, expected, rtol=1e-15)
    text = actcli("gradient", "--of", "sigmoid", "--temperature", "2", stdin=b"a\n0\n").text
    assert text == "grad_a\n0.125\n"


@pytest.mark.usefixtures("chunk_bytes")
def test_the_loss(actcli: Actcli) -> None:
    """Has the gradient softmax - onehot (SciPy), joined to the truth by id or by position."""
    y = scipy.special.softmax(np.load(DIGITS).astype(np.float64), axis=1)
    names = (SAMPLES / "digits_classes.txt").read_text().split()
    truth = [line.split(",")[1] for line in (SAMPLES / "digits_truth.csv").read_text().splitlines()[1:]]
    expected = y - np.array([[name == label for name in names] for label in truth])
    options = ("--of", "cross-entropy", "--truth", SAMPLES / "digits_truth.csv", "-f", "npy")
    by_id = np.load(io.BytesIO(actcli("gradient", SAMPLES / "digits_logits.csv", *options).out))
    np.testing.assert_allclose(by_id, expected, atol=1e-6)
    assert by_id.dtype == np.float64
    result = actcli("gradient", DIGITS, "--class-names", ",".join(names), *options)
    np.testing.assert_allclose(np.load(io.BytesIO(result.out)), expected, atol=1e-6)
    assert "joined by position" in result.err
    one = actcli("gradient", DIGITS, "--class-names", ",".join(names), *options, "--row", "300", "-q")
    np.testing.assert_allclose(np.load(io.BytesIO(one.out)), expected[300:301], atol=1e-6)


@pytest.mark.usefixtures("chunk_bytes")
def test_the_loss_by_a_column(actcli: Actcli) -> None:
    """Of the input: it is carried along."""
    stdin = b"truth,a,b\nb,0,0\na,0,0\n"
    result = actcli("gradient", "--of", "cross-entropy", "--truth-column", "truth", "--temperature", "2", stdin=stdin)
    assert result.text == "truth,grad_a,grad_b\nb,0.25,-0.25\na,-0.25,0.25\n"


def test_a_loss_without_its_truth(actcli: Actcli, tmp_path: Path) -> None:
    """Is a usage error, as is a truth without a loss; one that does not fit is an error of the data."""
    assert actcli("gradient", "--of", "cross-entropy", stdin=b"a,b\n0,0\n").code == 2
    assert actcli("gradient", "--truth-column", "a", stdin=b"a,b\n0,0\n").code == 2
    assert actcli("gradient", "--of", "cross-entropy", "--truth", "-", stdin=b"a,b\n0,0\n").code == 2
    truth = tmp_path / "truth.csv"
    truth.write_text("a\nb\n")
    result = actcli(
        "gradient", "--of", "cross-entropy", "--truth", truth, "-o", tmp_path / "g.csv", stdin=b"a,b\n0,0\n"
    )
    assert (result.code, "has 2 rows, but the input has 1" in result.err) == (1, True)
    assert not (tmp_path / "g.csv").exists()


@pytest.mark.usefixtures("chunk_bytes")
def test_rows_that_are_left_out(actcli: Actcli, tmp_path: Path) -> None:
    """Keep their truth and their number to themselves."""
    stdin = b"a,b\nnan,0\n0,0\nfish,2\n3,3\n"
    (tmp_path / "truth.csv").write_text("a\na\na\nb\n")
    options = ("--of", "cross-entropy", "--truth", tmp_path / "truth.csv", "--on-bad-row", "skip")
    assert actcli("gradient", *options, stdin=stdin).text == "grad_a,grad_b\n-0.5,0.5\n0.5,-0.5\n"
    assert actcli("gradient", *options, "-o", tmp_path / "g.npy", stdin=stdin).code == 0
    np.testing.assert_array_equal(np.load(tmp_path / "g.npy"), [[-0.5, 0.5], [0.5, -0.5]])
    result = actcli("gradient", *options, stdin=stdin.removesuffix(b"3,3\n"))
    assert (result.code, "has 4 rows, but the input has 3" in result.err) == (1, True)
    text = actcli("gradient", "--on-bad-row", "skip", "--no-output-header", stdin=stdin).text
    assert [line[:3] for line in text.splitlines()] == ["1,a", "1,b", "3,a", "3,b"]
    text = actcli("gradient", "--on-bad-row", "skip", "--row", "3", stdin=stdin).text
    assert text == "class,grad_a,grad_b\na,0.25,-0.25\nb,-0.25,0.25\n"
    result = actcli("gradient", "--on-bad-row", "skip", "--row", "2", stdin=stdin)
    assert (result.code, "row 2 cannot be read" in result.err) == (2, True)
    result = actcli("gradient", "--on-bad-row", "skip", "--row", "0", "-o", tmp_path / "row.npy", stdin=stdin)
    assert (result.code, "row 0 is wrong, and is left out" in result.err) == (2, True)
    assert not (tmp_path / "row.npy").exists()


@pytest.mark.parametrize("origin", ["probabilities", "log-probabilities"])
def test_from_probabilities(actcli: Actcli, origin: str) -> None:
    """The derivatives are those by the logits behind them."""
    p = np.array([[0.2, 0.3, 0.5], [0.9, 0.1, 0.0]])
    with np.errstate(divide="ignore"):
        given = p if origin == "probabilities" else np.log(p)
    stdin = "".join(",".join(map(repr, row)) + "\n" for row in given.tolist()).encode()
    found = np.load(io.BytesIO(actcli("gradient", "--from", origin, "-f", "npy", stdin=stdin).out))
    expected = np.stack([np.diag(row) - np.outer(row, row) for row in p])
    np.testing.assert_allclose(found, expected, atol=1e-15)
    cells = np.load(io.BytesIO(actcli("gradient", "--of", "sigmoid", "--from", origin, "-f", "npy", stdin=stdin).out))
    np.testing.assert_allclose(cells, p * (1 - p), atol=1e-15)


def test_a_carried_column_of_the_same_name(actcli: Actcli) -> None:
    """Is written under another one, with a note."""
    result = actcli("gradient", "--id", "class", stdin=b"class,a,b\nx,0,0\n")
    assert result.text.startswith("input_class,class,grad_a,grad_b\nx,a,0.25,")
    assert "note" in result.err


def test_one_class(actcli: Actcli) -> None:
    """Has no Jacobian worth the name: the same error as that of softmax."""
    result = actcli("gradient", stdin=b"a\n1\n")
    assert result.code == 1
    assert "softmax of a single class" in result.err


def test_no_rows(actcli: Actcli, tmp_path: Path) -> None:
    """Give an empty result."""
    assert actcli("gradient", stdin=b"a,b\n").text == "row,class,grad_a,grad_b\n"
    actcli("gradient", "-o", tmp_path / "j.npy", stdin=b"a,b\n")
    assert np.load(tmp_path / "j.npy").shape == (0, 2, 2)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_table(width: int) -> None:
    """Shows the first row's matrix, and how many rows there are, no wider than the terminal."""
    code, shown = terminal(command("gradient", SAMPLES / "digits_logits.csv", "-q"), width=width)
    lines = shown.splitlines()
    assert code == 0
    assert max(map(len, lines)) <= width
    assert [line.split()[:2] for line in lines[2:4]] == [["digit-0021", "zero"], ["digit-0021", "one"]]
    assert "… 449 more rows (--rows all shows them)" in lines
    assert lines[-1] == "450 rows"


def test_truths_that_are_left_over(actcli: Actcli, tmp_path: Path) -> None:
    """Are found at the end: an error, and no file."""
    (tmp_path / "x.csv").write_text("id,cat,dog\na,1,2\nb,3,4\n")
    (tmp_path / "t.csv").write_text("id,label\na,cat\nb,dog\nc,dog\n")
    output = tmp_path / "y.csv"
    result = actcli(
        "gradient", "--of", "cross-entropy", tmp_path / "x.csv", "--truth", tmp_path / "t.csv", "-o", output
    )
    assert (result.code, '1 of its 3 rows is not in the input, by "id": "c"' in result.err) == (1, True)
    assert not output.exists()
